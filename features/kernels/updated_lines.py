"""Lines of orders as they were at an instant, where updates replaced some."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.columns import Lines

__all__ = ["lines_at"]


@njit(cache=True, nogil=True)
def lines_at(lines: Lines, as_of: int) -> Lines:
    """Return the lines that hold at an instant as if each had come when it counts as ordered, in order of that.

    So those that an update brought stand, among the customer's other lines, where those of its order stood. Lines that
    count as ordered at one instant stay in the order in which they came.
    """
    offsets, occurred_at, ordered_at, until = lines.offsets, lines.occurred_at, lines.ordered_at, lines.until
    kept_offsets = np.zeros(len(offsets), dtype=np.int64)
    kept = np.empty(offsets[-1] - offsets[0], dtype=np.int64)
    n = 0
    for customer in range(len(offsets) - 1):
        first, is_ascending = n, True
        for line in range(offsets[customer], offsets[customer + 1]):
            if occurred_at[line] < as_of <= until[line]:
                is_ascending &= n == first or ordered_at[kept[n - 1]] <= ordered_at[line]
                kept[n] = line
                n += 1
        if not is_ascending:
            own = kept[first:n].copy()
            kept[first:n] = own[np.argsort(ordered_at[own], kind="mergesort")]
        kept_offsets[customer + 1] = n
    return _taken(lines, kept_offsets, kept[:n])


@njit(cache=True, nogil=True)
def _taken(lines: Lines, offsets: NDArray[np.int64], kept: NDArray[np.int64]) -> Lines:
    """Return some of the lines, with offsets of their own."""
    ordered_at = lines.ordered_at[kept]
    return Lines(
        offsets,
        ordered_at,
        lines.day[kept],
        lines.order[kept],
        lines.product[kept],
        lines.category[kept],
        lines.quantity[kept],
        lines.value[kept],
        lines.discount[kept],
        ordered_at,
        lines.until[kept],
    )
