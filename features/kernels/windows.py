"""Where windows of days begin and end among the rows of each customer: found once for all that is measured in them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["known_ends", "window_ends"]


@njit(cache=True, nogil=True)
def known_ends(
    offsets: NDArray[np.int64], occurred_at: NDArray[np.int64], as_of: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Count the rows of each customer that are known at each snapshot.

    Parameters
    ----------
    offsets : int64, length n_customers + 1
    occurred_at : int64
        Ascending within each customer.
    as_of : int64, length n_snapshots
        Only what is before it is known.

    Returns
    -------
    int32, shape (n_customers, n_snapshots)
    """
    known = np.zeros((len(offsets) - 1, len(as_of)), dtype=np.int32)
    for customer in range(len(known)):
        own = known[customer]
        for row in range(offsets[customer], offsets[customer + 1]):
            at = occurred_at[row]
            for i in range(len(own)):
                own[i] += at < as_of[i]
    return known


@njit(cache=True, nogil=True)
def window_ends(
    offsets: NDArray[np.int64], day: NDArray[np.int32], known: NDArray[np.int32], until: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Count the known rows of each customer up to each of some days, at each snapshot.

    What is known in a window of days is then a range of positions, from the end of the days before it to its own end.
    Comparing every row with every bound needs no branches, and for the few rows that most customers have it is several
    times as fast as to search for the bounds.

    Parameters
    ----------
    offsets : int64, length n_customers + 1
    day : int32
        Ascending within each customer.
    known : int32, shape (n_customers, n_snapshots)
        By `known_ends`.
    until : int32, shape (n_edges, n_snapshots)
        Last day that counts.

    Returns
    -------
    int32, shape (n_customers, n_edges, n_snapshots)
    """
    n_edges, n_snapshots = until.shape
    bounds = until.ravel()
    ends = np.zeros((len(known), n_edges, n_snapshots), dtype=np.int32)
    for customer in range(len(known)):
        own = ends[customer].ravel()
        begin = offsets[customer]
        for row in range(begin, begin + known[customer].max()):
            of_row = day[row]
            for i in range(len(own)):
                own[i] += of_row <= bounds[i]
        for edge in range(n_edges):
            for i in range(n_snapshots):
                ends[customer, edge, i] = min(ends[customer, edge, i], known[customer, i])
    return ends
