"""What is known of a customer at each snapshot, and sums over windows of days before it.

A loop folds what it reads into days with running sums: row n of them holds the sums over a customer's first n days. So
a sum over a window is a difference of two rows, whatever the window's length, and all that is looked for at a snapshot
is how many days lie beyond each edge of windows.

Numbers of rows and columns are unsigned here: numba looks at each signed one whether it counts from the end, which
doubles the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Asked", "Windows", "days_beyond", "known_ends", "sum_over_windows"]


class Asked(NamedTuple):
    """What is to be measured of purchases, or of events.

    Attributes
    ----------
    edges : int64
        Days counted back at which windows begin and end, ascending, each once.
    sums : uintp, shape (n, 4)
        Sums over windows: which of the running ones, positions in `edges` of the window's newest and oldest, column.
    others : int64, shape (n, 5)
        All else: which measure, positions in `edges` of the window's newest and oldest, column, family.
    """

    edges: NDArray[np.int64]
    sums: NDArray[np.uintp]
    others: NDArray[np.int64]


class Windows(NamedTuple):
    """Snapshots, and what is known at them.

    Attributes
    ----------
    known : int64, shape (n_customers, n_snapshots)
        How many entries of each customer are known.
    last_day : int64, length n_snapshots
    """

    known: NDArray[np.int64]
    last_day: NDArray[np.int64]


@njit(cache=True, nogil=True, inline="always")
def days_beyond(
    edges: NDArray[np.int64], last_day: int, days: NDArray[np.int64], n: int, beyond: NDArray[np.uintp]
) -> None:
    """Count the days that lie at least as far back as each edge.

    Parameters
    ----------
    edges : int64
        Days counted back from `last_day`, ascending.
    days : int64
        Of which the first n count; ascending.
    beyond : uintp, one an edge
        Takes the numbers.
    """
    # From the newest day on, since most windows are shorter than what is known of a customer.
    position = n
    for edge in range(len(edges)):
        while position > 0 and days[position - 1] > last_day - edges[edge]:
            position -= 1
        beyond[edge] = position


@njit(cache=True, nogil=True, inline="always")
def sum_over_windows(
    out: NDArray[np.float64],
    customer: int,
    snapshot: int,
    sums: NDArray[np.uintp],
    before: NDArray[np.float64],
    beyond: NDArray[np.uintp],
) -> None:
    """Put the sums that are asked for into their columns of `out`, shape (columns, customers, snapshots).

    Parameters
    ----------
    sums : uintp, shape (n, 4)
        Of `Asked`.
    before : float64
        Running sums: row n holds those over the first n days.
    beyond : uintp
        By `days_beyond`.
    """
    for row in range(len(sums)):
        of, newest, oldest, column = sums[row, 0], sums[row, 1], sums[row, 2], sums[row, 3]
        out[column, customer, snapshot] = before[beyond[newest], of] - before[beyond[oldest], of]


@njit(cache=True, nogil=True)
def known_ends(
    offsets: NDArray[np.int64], occurred_at: NDArray[np.int64], as_of: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count the entries of each customer that are known at each snapshot.

    Parameters
    ----------
    offsets : int64, length n_customers + 1
    occurred_at : int64
        Ascending within each customer.
    as_of : int64, length n_snapshots
        Only what is before it is known.

    Returns
    -------
    int64, shape (n_customers, n_snapshots)
    """
    known = np.empty((len(offsets) - 1, len(as_of)), dtype=np.int64)
    for customer in range(len(known)):
        begin, end = offsets[customer], offsets[customer + 1]
        entry = begin
        for i in range(len(as_of)):
            if i > 0 and as_of[i] < as_of[i - 1]:
                entry = begin
            while entry < end and occurred_at[entry] < as_of[i]:
                entry += 1
            known[customer, i] = entry - begin
    return known
