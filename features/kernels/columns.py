"""What the loops are given: columns of entries and of lines, each in order of customer, then time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import EventLog
from features.line_log import STILL_HOLDS, LineLog

__all__ = ["Entries", "Lines", "entries_of", "known_end", "lines_of"]

_NO_INSTANTS = np.empty(0, dtype=np.int64)


class Entries(NamedTuple):
    """Columns of an `EventLog`."""

    offsets: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    day: NDArray[np.int32]
    kind: NDArray[np.int8]
    order: NDArray[np.int32]
    is_purchase: NDArray[np.bool_]
    value: NDArray[np.float64]
    event_type: NDArray[np.int16]
    channel: NDArray[np.int16]


class Lines(NamedTuple):
    """Columns of a `LineLog`; `category` is on the level at which categories are told apart.

    Where no update changed any line, all lines hold from their own instant on, and `ordered_at` and `until` are empty.
    """

    offsets: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    day: NDArray[np.int32]
    order: NDArray[np.int32]
    product: NDArray[np.int32]
    category: NDArray[np.int32]
    quantity: NDArray[np.float64]
    value: NDArray[np.float64]
    discount: NDArray[np.float64]
    ordered_at: NDArray[np.int64]
    until: NDArray[np.int64]


def entries_of(log: EventLog) -> Entries:
    """Return the columns of a log that the loops read."""
    return Entries(
        log.offsets,
        log.occurred_at,
        log.day,
        log.kind,
        log.order,
        log.is_purchase,
        log.value,
        log.event_type,
        log.channel,
    )


def lines_of(lines: LineLog) -> tuple[Lines, tuple[str, ...]]:
    """Return the columns of lines that the loops read, with categories on the coarsest level, and their names."""
    category, names = lines.level(None)
    is_updated = bool((lines.until != STILL_HOLDS).any() or (lines.ordered_at != lines.occurred_at).any())
    columns = Lines(
        lines.offsets,
        lines.occurred_at,
        lines.day,
        lines.order,
        lines.product,
        category,
        lines.quantity,
        lines.value,
        lines.discount,
        lines.ordered_at if is_updated else _NO_INSTANTS,
        lines.until if is_updated else _NO_INSTANTS,
    )
    return columns, names


@njit(cache=True, nogil=True)
def known_end(offsets: NDArray[np.int64], occurred_at: NDArray[np.int64], customer: int, as_of: int) -> int:
    """Return the end of those rows of a customer that are before an instant."""
    begin = offsets[customer]
    return int(begin + np.searchsorted(occurred_at[begin : offsets[customer + 1]], as_of))
