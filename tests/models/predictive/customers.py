"""Invented customers whose behaviour is exactly BG/NBD and Gamma-Gamma, with what they do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.btyd import BetaGeoModel, GammaGammaModel
from models.btyd.parametric import ParametricModel

__all__ = ["BTYD", "SPEND", "Customers", "simulate", "uncertain"]

FloatArray = NDArray[np.float64]
Model = TypeVar("Model", bound=ParametricModel)

BTYD = BetaGeoModel.from_params(r=0.25, alpha=33.0, a=0.72, b=2.16)
SPEND = GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44)


@dataclass(frozen=True, eq=False)
class Customers:
    """Histories of length n, and what came within the horizon after T."""

    frequency: FloatArray
    recency: FloatArray
    T: FloatArray
    monetary_value: FloatArray
    bought: FloatArray
    spent: FloatArray
    spent_discounted: FloatArray


def simulate(
    n: int, *, horizon: float, seed: int, btyd: BetaGeoModel = BTYD, yearly_discount: float = 0.0
) -> Customers:
    """Let n customers live from a first purchase 1 to 729 days ago until the horizon is over."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = btyd.params_.values()
    p, q, v = SPEND.params_.values()
    T = rng.integers(1, 730, n).astype(np.float64)
    rate, drop_out = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    level = rng.gamma(q, 1 / v, n)
    time, frequency, recency, total = np.zeros((4, n))
    bought, spent, discounted = np.zeros((3, n))
    living = np.arange(n)
    while len(living):
        time[living] += rng.exponential(1 / np.maximum(rate[living], 1e-12))
        value = rng.gamma(p, 1 / level[living])
        past = time[living] <= T[living]
        ahead = time[living] - T[living]
        coming = ~past & (ahead <= horizon)
        frequency[living[past]] += 1
        recency[living[past]] = time[living[past]]
        total[living[past]] += value[past]
        bought[living[coming]] += 1
        spent[living[coming]] += value[coming]
        discounted[living[coming]] += value[coming] * (1 + yearly_discount) ** (-ahead[coming] / 365.25)
        living = living[(past | coming) & (rng.random(len(living)) > drop_out[living])]
    mean = np.divide(total, frequency, out=np.zeros(n), where=frequency > 0)
    return Customers(frequency, recency, T, mean, bought, spent, discounted)


def uncertain(model: Model, deviations: Sequence[float]) -> Model:
    """Return the model as if it had been fitted, with these standard deviations of its parameters' logarithms."""
    known = type(model).from_params(**model.params_)
    covariance = tuple(tuple(row) for row in np.diag(np.square(deviations)).tolist())
    known.certificate_ = replace(model.certificate_, covariance=covariance)
    return known
