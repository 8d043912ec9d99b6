"""The head of an order: what it takes from its lines, and how lines that tell it again are compared with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection

from store.customer_keys import among
from store.ingest.ordinals import OrdinalCounter

__all__ = ["HeadDetails", "LineContent", "OrderComparison", "StoredHead", "merge", "stored_identities", "stored_lines"]

_ORDERS_A_STATEMENT = 500

_STORED_LINES = (
    "SELECT l.event_id, "
    # A line of a sender whose clock ran ahead is kept at received_at; it is compared as it was reported.
    "CASE WHEN l.occurred_at = e.received_at THEN coalesce(e.reported_at, l.occurred_at) ELSE l.occurred_at END, "
    "p.product_id, l.quantity, l.value "
    "FROM order_line l JOIN event e ON e.id = l.event_id LEFT JOIN product p ON p.id = l.product_key "
    "WHERE l.event_id"
)
_STORED_IDENTITIES = "SELECT event_id, identity FROM order_line WHERE event_id"


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
    """What makes two lines of one order equal, wherever they come from.

    Attributes
    ----------
    event_id : int
    reported_at : int or None
        None where the instant is of no matter: who tells of an order again, a page or a shop, does so at another.
    product, quantity, value
    """

    event_id: int
    reported_at: int | None
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
    """Compares the lines of one file or call with what their orders have.

    The n-th of equal lines in the file is already there if the order has at least n such lines. So it does not matter
    how the lines are spread over chunks.
    """

    def __init__(self) -> None:
        self._equals = OrdinalCounter()

    def already_there(self, connection: Connection, lines: Sequence[LineContent], *, are_otherwise: bool) -> list[bool]:
        """Say of each line, in the order of the file, whether its order has it already.

        `are_otherwise` says whether the lines come otherwise than those of their orders did: they are counted apart.
        """
        stored: Counter[LineContent] = Counter()
        for line in stored_lines(connection, {line.event_id for line in lines}):
            stored.update((line, line._replace(reported_at=None)))
        keys = np.array([_key(line, are_otherwise=are_otherwise) for line in lines], dtype=np.uint64)
        ordinals = self._equals.count(keys).tolist()
        return [stored[line] > ordinal for line, ordinal in zip(lines, ordinals, strict=True)]


def stored_lines(connection: Connection, event_ids: Iterable[int]) -> Iterator[LineContent]:
    """Yield what the lines of some orders say, each with the instant at which it was reported."""
    for row in _of_orders(connection, _STORED_LINES, event_ids):
        yield LineContent._make(row)


def stored_identities(connection: Connection, event_ids: Iterable[int]) -> set[tuple[int, bytes]]:
    """Return the lines of some orders, each as event and identity."""
    return {(event_id, bytes(own)) for event_id, own in _of_orders(connection, _STORED_IDENTITIES, event_ids)}


def _of_orders(connection: Connection, beginning: str, event_ids: Iterable[int]) -> Iterator[tuple[Any, ...]]:
    driver: Any = connection.connection.driver_connection
    ids = sorted(set(event_ids))
    for start in range(0, len(ids), _ORDERS_A_STATEMENT):
        yield from driver.execute(f"{beginning} {among(ids[start : start + _ORDERS_A_STATEMENT])}").fetchall()


def _key(line: LineContent, *, are_otherwise: bool) -> int:
    return int.from_bytes(blake2b(repr((are_otherwise, *line)).encode(), digest_size=8).digest(), "big")


def _least(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
