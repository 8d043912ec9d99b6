"""Canonical rows: what every way in hands to identity and writing, whatever it came as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from store.ingest.texts import Texts

__all__ = ["CanonicalRows"]


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalRows:
    """Rows that can be stored, column by column; each column has one element a row.

    Attributes
    ----------
    line : int64
        Where the row stands in its file or request.
    event : Texts
        Name of the event; a refund is `Order Refunded`, whatever it came as.
    customer_id : Texts
    occurred_at : int64
        Microseconds since 1970-01-01 UTC, never after `received_at`.
    reported_at : int64
        The same as the sender said it, which may be ahead of our clock.
    order_id : Texts
        As given.
    named_order : Texts
        The order that this row belongs to or, on a refund, names.
    product, category : Texts
        A category is a JSON object.
    channel, properties : Texts
        With ascending values. Properties are a JSON object.
    quantity, value, discount : float64
        NaN if unknown; in the currency of the row. On a refund, what it takes back, as positive numbers.
    rate : float64
        Value of one unit of the row's currency in that of the business.
    message_id : Texts
    message_ordinal : int64
        Place of the row among those of its message, from 0; -1 without a message id.
    """

    line: NDArray[np.int64]
    event: Texts
    customer_id: Texts
    occurred_at: NDArray[np.int64]
    reported_at: NDArray[np.int64]
    order_id: Texts
    named_order: Texts
    product: Texts
    category: Texts
    channel: Texts
    properties: Texts
    quantity: NDArray[np.float64]
    value: NDArray[np.float64]
    discount: NDArray[np.float64]
    rate: NDArray[np.float64]
    message_id: Texts
    message_ordinal: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence[CanonicalRows]) -> Self:
        """Make one of several, one after another."""
        columns: list[Any] = [[getattr(part, field.name) for part in parts] for field in fields(cls)]
        whole: list[Any] = [
            Texts.joined(some) if isinstance(some[0], Texts) else np.concatenate(some) for some in columns
        ]
        joined = cls(*whole)
        return replace(joined, channel=joined.channel.ascending(), properties=joined.properties.ascending())

    def __len__(self) -> int:
        return len(self.line)

    def take(self, rows: slice | NDArray[Any]) -> Self:
        """Return some of the rows."""
        columns: list[Any] = [getattr(self, field.name) for field in fields(self)]
        taken: list[Any] = [column.take(rows) if isinstance(column, Texts) else column[rows] for column in columns]
        return type(self)(*taken)
