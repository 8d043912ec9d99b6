"""The head of an order: what it takes from its lines, and how lines of another source are compared with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, bindparam, text

from store.ingest.ordinals import OrdinalCounter

__all__ = ["HeadDetails", "LineContent", "OrderComparison", "StoredHead", "merge"]

_ORDERS_A_STATEMENT = 500

_STORED_LINES = text(
    "SELECT l.event_id, "
    # A line of a sender whose clock ran ahead is kept at received_at; it is compared as it was reported.
    "CASE WHEN l.occurred_at = e.received_at THEN coalesce(e.reported_at, l.occurred_at) ELSE l.occurred_at END, "
    "p.product_id, l.quantity, l.value "
    "FROM order_line l JOIN event e ON e.id = l.event_id LEFT JOIN product p ON p.id = l.product_key "
    "WHERE l.event_id IN :event_ids"
).bindparams(bindparam("event_ids", expanding=True))


class HeadDetails(NamedTuple):
    """What an order has from its earliest line.

    Where several lines are the earliest, each detail is the least text or number that one of them has, so that the
    order in which lines come decides nothing.
    """

    occurred_at: int
    reported_at: int | None
    properties: str | None
    channel: str | None


class StoredHead(NamedTuple):
    """The head of an order as the database has it."""

    event_id: int
    source_id: int
    has_message_id: bool
    details: HeadDetails


class LineContent(NamedTuple):
    """What makes two lines of one order equal, wherever they come from."""

    event_id: int
    reported_at: int
    product: str | None
    quantity: float | None
    value: float | None


def merge(one: HeadDetails, other: HeadDetails) -> HeadDetails:
    """Return the details of an order that has the lines of both; in any order and grouping the same."""
    if one == other:
        return one
    if one.occurred_at != other.occurred_at:
        return min(one, other, key=lambda details: details.occurred_at)
    return HeadDetails(one.occurred_at, *(_least(*pair) for pair in zip(one[1:], other[1:], strict=True)))


class OrderComparison:
    """Compares the lines of one file with orders that were told otherwise: by another source, or with message ids.

    The n-th of equal lines in the file is already there if the order has at least n such lines. So it does not matter
    how the lines are spread over chunks.
    """

    def __init__(self) -> None:
        self._equals = OrdinalCounter()

    def already_there(self, connection: Connection, lines: Sequence[LineContent]) -> list[bool]:
        """Say of each line, in the order of the file, whether its order has it already."""
        stored = Counter(self._stored_lines(connection, sorted({line.event_id for line in lines})))
        keys = np.array([_key(line) for line in lines], dtype=np.uint64)
        ordinals = self._equals.count(keys).tolist()
        return [stored[line] > ordinal for line, ordinal in zip(lines, ordinals, strict=True)]

    @staticmethod
    def _stored_lines(connection: Connection, event_ids: list[int]) -> Iterable[LineContent]:
        for start in range(0, len(event_ids), _ORDERS_A_STATEMENT):
            some = event_ids[start : start + _ORDERS_A_STATEMENT]
            for row in connection.execute(_STORED_LINES, {"event_ids": some}):
                yield LineContent(*row)


def _key(line: LineContent) -> int:
    return int.from_bytes(blake2b(repr(tuple(line)).encode(), digest_size=8).digest(), "big")


def _least(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
