"""From columns of features to the rows of frames."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["put_in_rows"]


@njit(cache=True, nogil=True)
def put_in_rows(columns: NDArray[np.float64], order: NDArray[np.uintp], values: NDArray[np.float64]) -> None:
    """Put columns into the rows of the customers.

    Parameters
    ----------
    columns : float64, shape (n, n_customers * n_snapshots)
        Snapshots of a customer stand side by side.
    order : uintp, length k
        Which of them each feature is.
    values : float64, shape (n_snapshots, n_customers, k)
        Takes the rows.
    """
    n_snapshots, n_customers, _ = values.shape
    for customer in range(n_customers):
        for i in range(n_snapshots):
            for feature in range(len(order)):
                values[i, customer, feature] = columns[order[feature], customer * n_snapshots + i]
