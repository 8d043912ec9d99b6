"""Canonical rows: what every way in hands to identity and writing, whatever it came as."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["CanonicalRows"]


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalRows:
    """Rows that can be stored, column by column; each array has one element a row.

    Attributes
    ----------
    line : int64
        Where the row stands in its file or request.
    event : object (str)
        Name of the event; a refund is `Order Refunded`, whatever it came as.
    customer_id : object (str)
    occurred_at : int64
        Microseconds since 1970-01-01 UTC, never after `received_at`.
    reported_at : int64
        The same as the sender said it, which may be ahead of our clock.
    order_id : object (str or None)
        As given.
    named_order : object (str or None)
        The order that this row belongs to or, on a refund, names.
    product, category, channel, properties : object (str or None)
        `category` and `properties` are JSON objects.
    quantity, value, discount : float64
        NaN if unknown; in the currency of the row. On a refund, what it takes back, as positive numbers.
    rate : float64
        Value of one unit of the row's currency in that of the business.
    message_id : object (str or None)
    message_ordinal : int64
        Place of the row among those of its message, from 0; -1 without a message id.
    """

    line: NDArray[np.int64]
    event: NDArray[np.object_]
    customer_id: NDArray[np.object_]
    occurred_at: NDArray[np.int64]
    reported_at: NDArray[np.int64]
    order_id: NDArray[np.object_]
    named_order: NDArray[np.object_]
    product: NDArray[np.object_]
    category: NDArray[np.object_]
    channel: NDArray[np.object_]
    properties: NDArray[np.object_]
    quantity: NDArray[np.float64]
    value: NDArray[np.float64]
    discount: NDArray[np.float64]
    rate: NDArray[np.float64]
    message_id: NDArray[np.object_]
    message_ordinal: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.line)

    def take(self, rows: slice | NDArray[Any]) -> Self:
        """Return some of the rows."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))
