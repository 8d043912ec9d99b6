"""Ratios of gamma and beta functions that differ by a whole number of purchases, as running sums.

gammaln(r + x) - gammaln(r) loses its digits where r is large and costs a slow call a customer. The same ratio is the
product r (r + 1) … (r + x - 1), so that one running sum up to the highest x gives it for everybody, to full precision.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_rising", "log_rising_slope", "log_survival", "log_survival_slopes"]

Table = NDArray[np.float64]


def log_rising(r: float, highest: int) -> Table:
    """Return ln[Gamma(r + x) / Gamma(r)] for x = 0 … highest, shape (highest + 1,)."""
    return _running_sum(np.log(r + _steps(highest)))


def log_rising_slope(r: float, highest: int) -> Table:
    """Return the derivative of ``log_rising`` in r, shape (highest + 1,)."""
    return _running_sum(1 / (r + _steps(highest)))


def log_survival(a: float, b: float, highest: int) -> Table:
    """Return ln[B(a, b + x) / B(a, b)], shape (highest + 1,).

    It is the log-probability of having survived x chances to drop out, each with probability p ~ Beta(a, b).
    """
    return -_running_sum(np.log1p(a / (b + _steps(highest))))


def log_survival_slopes(a: float, b: float, highest: int) -> tuple[Table, Table]:
    """Return the derivatives of ``log_survival`` in a and in b, each of shape (highest + 1,)."""
    survivors = b + _steps(highest)
    everybody = a + survivors
    return -_running_sum(1 / everybody), _running_sum(a / (survivors * everybody))


def _steps(highest: int) -> Table:
    return np.arange(highest, dtype=np.float64)


def _running_sum(terms: Table) -> Table:
    return np.concatenate(([0.0], np.cumsum(terms)))
