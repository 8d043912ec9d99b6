"""Distinct rows and values of columns: many customers share a history, and a history told once costs less.

Whole numbers, days above all, are packed into one integer a row: sorting those is several times faster than sorting
columns, and where they span little, counting does without sorting at all.
"""

import numpy as np
from numpy.typing import NDArray

from models.btyd.checks import Column

__all__ = ["counted_rows", "distinct_rows", "distinct_values", "evenly_spread"]

Positions = NDArray[np.intp]

# Packed rows stay below this, well within 64 bits.
MOST_PACKED = 2**62

# Up to so many possible values a row are counted in a table.
TABLE_PER_ROW = 4


def distinct_rows(*columns: Column) -> tuple[Positions, Positions]:
    """Find the distinct rows of some columns of one length n, holding numbers of 0 or more.

    Returns
    -------
    first : ndarray of intp, shape (m,)
        For each distinct row a position at which it stands; rows ascend, the first column counting most.
    inverse : ndarray of intp, shape (n,)
        For each row, which of the distinct ones it is.

    Examples
    --------
    >>> import numpy as np
    >>> column = np.array([2.0, 1.0, 2.0])
    >>> first, inverse = distinct_rows(column, np.array([5.0, 5.0, 5.0]))
    >>> column[first].tolist(), inverse.tolist()
    ([1.0, 2.0], [1, 0, 1])
    """
    n = len(columns[0])
    if n == 1:
        only = np.zeros(1, dtype=np.intp)
        return only, only
    keys, span = _packed(columns)
    if keys is not None and span <= TABLE_PER_ROW * n:
        present = np.zeros(span, dtype=np.bool_)
        present[keys] = True
        inverse = (np.cumsum(present) - 1)[keys]
        first = np.empty(int(present.sum()), dtype=np.intp)
        first[inverse] = np.arange(n)
        return first, inverse
    sorted_by = columns if keys is None else (keys,)
    order = np.lexsort(sorted_by[::-1]) if keys is None else np.argsort(keys)
    starts = _starts(*(column[order] for column in sorted_by))
    inverse = np.empty(n, dtype=np.intp)
    inverse[order] = np.cumsum(starts) - 1
    return order[starts], inverse


def counted_rows(*columns: Column) -> tuple[tuple[Column, ...], Column]:
    """Return the distinct rows of some columns, holding numbers of 0 or more, and how often each stands there.

    Returns
    -------
    rows : tuple of ndarray of float64, shape (m,)
        The columns of the distinct rows, ascending, the first column counting most.
    counts : ndarray of float64, shape (m,)

    Examples
    --------
    >>> import numpy as np
    >>> rows, counts = counted_rows(np.array([2.0, 1.0, 2.0]), np.array([5.0, 5.0, 5.0]))
    >>> [column.tolist() for column in rows], counts.tolist()
    ([[1.0, 2.0], [5.0, 5.0]], [1.0, 2.0])
    """
    keys, _ = _packed(columns)
    if keys is None:
        order = np.lexsort(columns[::-1])
        in_order = tuple(column[order] for column in columns)
        starts = np.flatnonzero(_starts(*in_order))
        rows = tuple(column[starts] for column in in_order)
    else:
        keys.sort()
        starts = np.flatnonzero(_starts(keys))
        rows = _unpacked(keys[starts], columns)
    return rows, np.diff(starts, append=len(columns[0])).astype(np.float64)


def distinct_values(column: Column) -> tuple[Column, Positions]:
    """Return the distinct values of a column, ascending, and for each row which of them it is."""
    first, inverse = distinct_rows(column)
    return column[first], inverse


def evenly_spread(counts: Column, n: int) -> tuple[Positions, Column]:
    """Choose n of those that stand behind some rows, evenly spread and the same ones every time.

    Parameters
    ----------
    counts : ndarray of float64, shape (m,)
        How many stand behind each row.
    n : int
        No more than they are in all.

    Returns
    -------
    rows : ndarray of intp, shape (j,)
        The rows of those chosen, ascending.
    counts : ndarray of float64, shape (j,)
        How many of them stand behind each.

    Examples
    --------
    >>> import numpy as np
    >>> rows, counts = evenly_spread(np.array([1.0, 5.0, 2.0]), 4)
    >>> rows.tolist(), counts.tolist()
    ([1, 2], [3.0, 1.0])
    """
    last_of_row = np.cumsum(counts)
    chosen = np.searchsorted(last_of_row, (np.arange(n) + 0.5) * last_of_row[-1] / n, side="right")
    rows, of_each = np.unique(chosen, return_counts=True)
    return rows, of_each.astype(np.float64)


def _packed(columns: tuple[Column, ...]) -> tuple[NDArray[np.int64] | None, int]:
    """Return one integer a row, in the order of the rows, and what they all are below; None if there is none."""
    spans = [int(column.max(initial=0.0)) + 1 for column in columns]
    span = 1
    for one in spans:
        span *= one
    whole = span < MOST_PACKED and all(bool((np.rint(column) == column).all()) for column in columns)
    if not whole:
        return None, span
    keys = columns[0].astype(np.int64)
    for column, one in zip(columns[1:], spans[1:], strict=True):
        keys *= one
        keys += column.astype(np.int64)
    return keys, span


def _unpacked(keys: NDArray[np.int64], columns: tuple[Column, ...]) -> tuple[Column, ...]:
    rows: list[Column] = []
    for column in columns[:0:-1]:
        keys, values = np.divmod(keys, int(column.max(initial=0.0)) + 1)
        rows.append(values.astype(np.float64))
    return (keys.astype(np.float64), *reversed(rows))


def _starts(*in_order: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which of some sorted rows differ from the one before."""
    starts = np.zeros(len(in_order[0]), dtype=np.bool_)
    starts[:1] = True
    for column in in_order:
        starts[1:] |= column[1:] != column[:-1]
    return starts
