"""The models as they are told, one customer at a time, averaged over customers by brute force.

Each model says what a customer with a purchase rate and a drop-out probability or death rate of his own does. Here
these stories are averaged over all such customers by a plain trapezoidal rule in the logarithms (log-odds) of both,
which is exact to some 12 digits for what decays at both ends. Nothing of the closed forms, series and integrals of the
product is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammainc, gammaln

Grid = NDArray[np.float64]

STEP = 0.15
TAIL = 32.0


class Story(Protocol):
    """What customers of all kinds do: values and weights of the kinds, and each kind's behaviour."""

    weights: Grid

    def alive(self, x: int, T: float) -> Grid:
        """Density of x purchases at given times and being alive at T."""

    def lost(self, x: int, t_x: float, T: float) -> Grid:
        """Density of x purchases at given times, the last at t_x, and having been lost by T."""

    def count(self, n: int, t: float) -> Grid:
        """Probability of n purchases within t of somebody alive."""

    def expected(self, t: float) -> Grid:
        """Mean number of purchases within t of somebody alive."""


def gamma_kinds(shape: float, rate: float) -> tuple[Grid, Grid]:
    logs = np.arange(-TAIL / shape, np.log(shape + 200), STEP)
    weights = STEP * np.exp(shape * logs - np.exp(logs) - gammaln(shape))
    return np.exp(logs) / rate, weights


def beta_kinds(a: float, b: float) -> tuple[Grid, Grid, Grid]:
    log_odds = np.arange(-TAIL / a, TAIL / b, STEP)
    log_p, log_q = -np.logaddexp(0, -log_odds), -np.logaddexp(0, log_odds)
    return np.exp(log_p), np.exp(log_q), STEP * np.exp(a * log_p + b * log_q - betaln(a, b))


def poisson(n: int, mean: Grid) -> Grid:
    return np.asarray(np.exp(n * np.log(mean) - mean - gammaln(n + 1)))


class DropOutAtPurchases:
    """BG/NBD with 0, MBG/NBD with 1 chance to drop out at the first purchase."""

    def __init__(self, params: Mapping[str, float], chances_at_first_purchase: int) -> None:
        rates, of_rate = gamma_kinds(params["r"], params["alpha"])
        p, q, of_p = beta_kinds(params["a"], params["b"])
        self.rate, self.p, self.q = rates[:, np.newaxis], p, q
        self.weights = of_rate[:, np.newaxis] * of_p
        self.first = chances_at_first_purchase

    def alive(self, x: int, T: float) -> Grid:
        return np.asarray(self.rate**x * np.exp(-self.rate * T) * self.q ** (x + self.first))

    def lost(self, x: int, t_x: float, T: float) -> Grid:
        chances = x + self.first
        if chances == 0:
            return np.zeros_like(self.weights)
        return np.asarray(self.rate**x * np.exp(-self.rate * t_x) * self.p * self.q ** (chances - 1))

    def count(self, n: int, t: float) -> Grid:
        mean = self.rate * t
        if n == 0:
            return poisson(0, mean) * np.ones_like(self.p)
        return np.asarray(self.q**n * poisson(n, mean) + self.p * self.q ** (n - 1) * gammainc(n, mean))

    def expected(self, t: float) -> Grid:
        return np.asarray(-np.expm1(-self.rate * self.p * t) / self.p)


class DeathAtAnyTime:
    """Pareto/NBD."""

    def __init__(self, params: Mapping[str, float]) -> None:
        rates, of_rate = gamma_kinds(params["r"], params["alpha"])
        deaths, of_death = gamma_kinds(params["s"], params["beta"])
        self.rate, self.death = rates[:, np.newaxis], deaths
        self.weights = of_rate[:, np.newaxis] * of_death

    def alive(self, x: int, T: float) -> Grid:
        return np.asarray(self.rate**x * np.exp(-(self.rate + self.death) * T))

    def lost(self, x: int, t_x: float, T: float) -> Grid:
        both = self.rate + self.death
        return np.asarray(self.rate**x * self.death / both * np.exp(-both * t_x) * -np.expm1(-both * (T - t_x)))

    def count(self, n: int, t: float) -> Grid:
        both = self.rate + self.death
        died_after_n = self.death / both * (self.rate / both) ** n * gammainc(n + 1, both * t)
        return np.asarray(poisson(n, self.rate * t) * np.exp(-self.death * t) + died_after_n)

    def expected(self, t: float) -> Grid:
        return np.asarray(self.rate * -np.expm1(-self.death * t) / self.death)


@dataclass(frozen=True)
class Truth:
    """What the average over all kinds says of one history."""

    story: Story
    x: int
    t_x: float
    T: float

    def likelihood(self) -> float:
        return self._mean(np.ones(())) + float(np.sum(self.story.weights * self.story.lost(self.x, self.t_x, self.T)))

    def p_alive(self) -> float:
        return self._mean(np.ones(())) / self.likelihood()

    def expected_purchases(self, t: float) -> float:
        return self._mean(self.story.expected(t)) / self.likelihood()

    def probability(self, n: int, t: float) -> float:
        alive = self._mean(self.story.count(n, t)) / self.likelihood()
        return alive + (1 - self.p_alive() if n == 0 else 0.0)

    def probability_while_alive(self, n: int, t: float) -> float:
        return self._mean(self.story.count(n, t)) / self._mean(np.ones(()))

    def _mean(self, of_the_living: Grid) -> float:
        return float(np.sum(self.story.weights * self.story.alive(self.x, self.T) * of_the_living))
