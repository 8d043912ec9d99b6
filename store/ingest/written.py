"""What became of rows that were written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["OrderConflict", "Written"]


@dataclass(frozen=True, slots=True)
class OrderConflict:
    """A line of an order that another source has told otherwise.

    Attributes
    ----------
    line : int
        Where the row stands in its file or request.
    order_id : str
    reason : str
        Names the source that has the order.
    """

    line: int
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What became of some rows; stored, already there, conflicts and erased add up to them.

    Attributes
    ----------
    stored, already_there : int
    new : int64
        Where each of those stored stands in its file or request.
    conflicts : list of OrderConflict
        Rows that were not stored.
    erased : list of int
        Where the rows of erased customers stand, which were not stored either.
    customer_keys : set of int
        Customers of those stored.
    refunds : list of (int, bytes)
        Customer key and identity of each refund among those stored.
    occurred_at : int or None
        The latest of those stored or there already; microseconds since 1970-01-01 UTC.
    """

    stored: int
    already_there: int
    new: NDArray[np.int64]
    conflicts: list[OrderConflict]
    erased: list[int]
    customer_keys: set[int]
    refunds: list[tuple[int, bytes]]
    occurred_at: int | None
