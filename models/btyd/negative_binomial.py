"""Probabilities of how many purchases come at a gamma-distributed rate."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["negative_binomial"]

# A running product is kept as a number times exp(log_scale): P(M = 0) alone may be less than any float.
LARGE = 1e250
LOG_LARGE = math.log(LARGE)


@njit(cache=True, nogil=True)
def negative_binomial(shape: float, odds: float, probabilities: NDArray[np.float64]) -> None:
    """Fill in P(M = n), n = 0 …, for a rate ~ Gamma(shape, rate 1) over a time ``odds``.

    ``P(M = n) = Gamma(shape + n) / (Gamma(shape) n!) odds^n (1 + odds)^-(shape + n)``
    """
    success = odds / (1 + odds)
    log_scale = -shape * math.log1p(odds)
    scale = math.exp(log_scale)
    value = 1.0
    for n in range(len(probabilities)):
        probabilities[n] = value * scale
        value *= success * (shape + n) / (n + 1)
        if value > LARGE:
            value /= LARGE
            log_scale += LOG_LARGE
            scale = math.exp(log_scale)
