"""A scalar product that gives the same last digit on every number of threads."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["weighted_sum"]


def weighted_sum(weights: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return the sum of weights times values, both of shape (n,).

    ``weights @ values`` is handed to BLAS, which splits long arrays between threads: the result's last digits, and with
    them the bytes of a stored fit, would depend on how many threads there are.
    """
    return float(np.einsum("i,i->", weights, values))
