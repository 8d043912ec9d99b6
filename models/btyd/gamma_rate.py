"""Purchases at random while alive, at a rate lambda ~ Gamma(shape r, rate alpha): what all these models begin with."""

import numpy as np
from numpy.typing import NDArray

from models.btyd.checks import Column
from models.btyd.histories import DistinctHistories
from models.btyd.rising import log_rising, log_rising_slope
from models.btyd.weighted_sum import weighted_sum

__all__ = ["log_likelihood_of_purchases", "total_of_purchases"]


def log_likelihood_of_purchases(r: float, alpha: float, x: Column, T: Column) -> NDArray[np.float64]:
    """Return the log-density of x purchases at given times up to T, of each of n customers alive until T.

    That is ``Gamma(r + x) alpha^r / (Gamma(r) (alpha + T)^(r + x))``, shape (n,).
    """
    count = x.astype(np.intp)
    ways = log_rising(r, int(count.max(initial=0)))[count]
    return np.asarray(ways - r * np.log1p(T / alpha) - x * np.log(alpha + T))


def total_of_purchases(r: float, alpha: float, histories: DistinctHistories) -> tuple[float, float, float]:
    """Return the sum of ``log_likelihood_of_purchases`` over all customers, and its slopes in r and alpha."""
    customers_by_x = histories.customers_by_frequency
    highest = len(customers_by_x) - 1
    T, customers, purchases = histories.T.values, histories.customers_by_duration, histories.purchases_by_duration
    growth = weighted_sum(customers, np.log1p(T / alpha))
    value = weighted_sum(customers_by_x, log_rising(r, highest)) - r * growth
    value -= weighted_sum(purchases, np.log(alpha + T))
    slope_r = weighted_sum(customers_by_x, log_rising_slope(r, highest)) - growth
    slope_alpha = float(np.sum((r * customers * T / alpha - purchases) / (alpha + T)))
    return value, slope_r, slope_alpha
