"""The rows of one transaction, as the statements that store them need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from store.events import ORDER_COMPLETED, REFUND_EVENTS
from store.ingest.canonical import CanonicalRows
from store.ingest.identity import RowIdentities, order_key
from store.ingest.orders import HeadDetails, merge

__all__ = ["Batch"]

_ORDER_EVENTS = frozenset({ORDER_COMPLETED, "Order Updated", *REFUND_EVENTS})


class Batch:
    """The rows of one transaction as lists, and the events that they belong to.

    Attributes
    ----------
    first_row : dict of bytes to int
        The first row of each event, by the event's identity.
    details : dict of bytes to HeadDetails
        What each event has from its rows, in the order of `first_row`.
    lines : list of int
        Rows that are lines of orders.
    """

    def __init__(self, rows: CanonicalRows, identities: RowIdentities) -> None:
        self.own = identities.own
        self.head = identities.head
        self.line: list[int] = rows.line.tolist()
        self.event: list[str] = rows.event.tolist()
        self.customer_id: list[str] = rows.customer_id.tolist()
        self.occurred_at: list[int] = rows.occurred_at.tolist()
        self.reported_at: list[int] = rows.reported_at.tolist()
        self.order_id: list[str | None] = rows.order_id.tolist()
        self.product: list[str | None] = rows.product.tolist()
        self.category: list[str | None] = rows.category.tolist()
        self.channel: list[str | None] = rows.channel.tolist()
        self.quantity = _optional(rows.quantity)
        self.value = _optional(rows.value * rows.rate)
        self.discount = _optional(rows.discount * rows.rate)
        self.has_message_id: list[bool] = (rows.message_ordinal >= 0).tolist()
        is_line = (rows.order_id != None) | (rows.product != None) | ~np.isnan(rows.quantity)  # noqa: E711
        self.is_line: list[bool] = is_line.tolist()
        self.lines: list[int] = np.flatnonzero(is_line).tolist()
        self._named_order: list[str | None] = rows.named_order.tolist()
        self._properties: list[str | None] = rows.properties.tolist()

        self.first_row: dict[bytes, int] = {}
        self.details: dict[bytes, HeadDetails] = {}
        for row, head in enumerate(self.head):
            first = self.first_row.setdefault(head, row)
            if first == row:
                self.details[head] = self.row_details(row)
            elif self.has_message_id[first] == self.has_message_id[row]:
                self.details[head] = merge(self.details[head], self.row_details(row))

    def row_details(self, row: int) -> HeadDetails:
        """Return what an event would have from this row alone."""
        occurred_at, reported_at = self.occurred_at[row], self.reported_at[row]
        return HeadDetails(
            occurred_at,
            None if reported_at == occurred_at else reported_at,
            self._properties[row],
            self.channel[row],
        )

    def order_key(self, row: int) -> int | None:
        """Return the hash of the order that a row is or names."""
        named = self._named_order[row]
        return order_key(named) if named is not None and self.event[row] in _ORDER_EVENTS else None


def _optional(numbers: NDArray[np.float64]) -> list[float | None]:
    found: list[float | None] = numbers.tolist()
    for row in np.flatnonzero(np.isnan(numbers)).tolist():
        found[row] = None
    return found
