"""What is known of a customer at each snapshot, and between which edges of windows it lies.

The edges of all windows that are asked for cut the days before a snapshot into spans: span i holds those at least
`edges[i - 1]` and fewer than `edges[i]` days ago. So a window is a run of spans, and an entry is looked up once,
however many windows it lies in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Windows", "add_spans_beyond", "known_ends", "span_at", "spans_between"]


class Windows(NamedTuple):
    """Snapshots, and the days counted back from them.

    Attributes
    ----------
    known : int64, shape (n_customers, n_snapshots)
        How many entries of each customer are known.
    last_day : int64, length n_snapshots
    edges : int64
        Days counted back at which windows begin and end, ascending.
    span_of : int64
        By `spans_between`.
    """

    known: NDArray[np.int64]
    last_day: NDArray[np.int64]
    edges: NDArray[np.int64]
    span_of: NDArray[np.int64]


def spans_between(edges: NDArray[np.int64], all_days: int) -> NDArray[np.int64]:
    """Return the span of each number of days ago, up to the last edge before `all_days`; what is longer ago shares its.

    Parameters
    ----------
    edges : int64
        Ascending.
    all_days : int
        An edge so far back that nothing lies beyond.
    """
    furthest = edges[edges < all_days].max(initial=0)
    return np.searchsorted(edges, np.arange(furthest + 1), side="right")


@njit(cache=True, nogil=True)
def span_at(span_of: NDArray[np.int64], ago: int) -> int:
    """Return the span of a day; the first one for a day after the snapshot, which is in no window."""
    return 0 if ago < 0 else span_of[min(ago, len(span_of) - 1)]


@njit(cache=True, nogil=True)
def add_spans_beyond(counts: NDArray[np.int64]) -> None:
    """Add to each row of counts, shape (n_spans, n), those of the spans beyond.

    So what is in the window between two edges is the difference of the rows after them.
    """
    for span in range(len(counts) - 2, -1, -1):
        for i in range(counts.shape[1]):
            counts[span, i] += counts[span + 1, i]


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
