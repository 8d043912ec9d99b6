"""Identity: 16 bytes that are the same whenever the same fact comes again.

With a message id, a row is (source, message id, place within the message). Without one it is what it says (source,
event, customer, instant as reported, order, product, quantity, value) and its place among the equals in its file. No
other column enters. The head of an order is (event, customer, order id), so that its lines find it whichever way they
come; without an order id the head is as its one line.

An order may be updated several times, and each update has lines of its own: its head is that of its message too, or
without a message id that of the instant as reported.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np
from numpy.typing import NDArray

from store.event_rows import ORDER_UPDATED
from store.ingest.canonical import CanonicalRows
from store.ingest.ordinals import OrdinalCounter
from store.ingest.texts import Texts, distinct_rows

__all__ = ["RowIdentities", "identify", "message_ordinals", "order_head", "order_key"]


@dataclass(frozen=True, slots=True, eq=False)
class RowIdentities:
    """The identities of some rows.

    Attributes
    ----------
    own : list of 16 bytes, one a row
        Of the event by itself, or of the line.
    heads : list of 16 bytes
        Of the events that rows belong to: heads of their orders, or themselves.
    head : int64, one a row
        Index into `heads`.
    """

    own: list[bytes]
    heads: list[bytes]
    head: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence[RowIdentities]) -> Self:
        """Make one of those of several parts, one after another; a head that several have is one."""
        numbers: dict[bytes, int] = {}
        head = [
            np.array([numbers.setdefault(identity, len(numbers)) for identity in part.heads], dtype=np.int64)[part.head]
            for part in parts
        ]
        return cls([identity for part in parts for identity in part.own], list(numbers), np.concatenate(head))

    def take(self, rows: slice) -> RowIdentities:
        """Return those of some of the rows."""
        return RowIdentities(self.own[rows], self.heads, self.head[rows])

    def by_head(self) -> tuple[NDArray[np.intp], RowIdentities]:
        """Return an order of the rows by the identity of their heads, and the identities in this order.

        Rows of one head stay in their order, and heads are then numbered as they come.
        """
        ascending = sorted(range(len(self.heads)), key=self.heads.__getitem__)
        rank = np.empty(len(ascending), dtype=np.int64)
        rank[ascending] = np.arange(len(ascending))
        head = rank[self.head]
        order = np.argsort(head, kind="stable")
        own = [self.own[row] for row in order.tolist()]
        return order, RowIdentities(own, [self.heads[number] for number in ascending], head[order])


def order_key(order_id: str) -> int:
    """Hash of an order id, as a signed 64-bit integer; what `event.order_key` holds."""
    return int.from_bytes(blake2b(order_id.encode(), digest_size=8).digest(), "big", signed=True)


def order_head(event: str, customer_id: str, order_id: str) -> bytes:
    """Return the identity of an order's head, unless it is an update."""
    return _digest(f"order\0{event}\0{customer_id}\0{order_id}".encode())


def identify(rows: CanonicalRows, source: str, equals: OrdinalCounter) -> RowIdentities:
    """Return the identities of rows.

    Parameters
    ----------
    rows : CanonicalRows
        In the order of the file.
    source : str
        Name of where they come from.
    equals : OrdinalCounter
        What the rows of this file before these have counted.
    """
    orders = _Orders(rows)
    ordinals = rows.message_ordinal.copy()
    by_content = np.flatnonzero(ordinals < 0)
    contents = _contents(rows.take(by_content), source, orders, orders.of_row[by_content])
    ordinals[by_content] = equals.count(_keys(contents))
    own = contents
    if len(by_content) < len(rows):
        own = _messages(source, rows.message_id)
        for row, content in zip(by_content.tolist(), contents, strict=True):
            own[row] = content
    for row in np.flatnonzero(ordinals > 0).tolist():
        own[row] = _digest(own[row] + int(ordinals[row]).to_bytes(8, "big"))
    return RowIdentities(own, *orders.heads(own, _tellings(rows.take(orders.updates), source)))


def message_ordinals(source: str, message_ids: Texts, messages: OrdinalCounter) -> NDArray[np.int64]:
    """Return the place of each row among those of its message, -1 for rows without one.

    Every row that bears the message id counts, also one that will be rejected: repaired, it must not shift the others.
    """
    ordinals = np.full(len(message_ids), -1, dtype=np.int64)
    bearing = message_ids.given
    ordinals[bearing] = messages.count(_keys(_messages(source, message_ids.take(bearing))))
    return ordinals


class _Orders:
    """The orders of some rows.

    Attributes
    ----------
    texts : three lists of str
        Event, customer, and order id or "".
    of_row : int64, one a row
        Index into these.
    updates : intp
        The rows that update an order.
    """

    def __init__(self, rows: CanonicalRows) -> None:
        columns = [rows.event, rows.customer_id, rows.order_id]
        self.of_row, first = distinct_rows(columns)
        self.texts = [[text or "" for text in column.take(first).tolist()] for column in columns]
        self._alone = np.flatnonzero(~rows.order_id.given)
        self.updates = np.flatnonzero(rows.order_id.given & rows.event.where(ORDER_UPDATED.__eq__))

    def heads(self, own: list[bytes], tellings: list[bytes]) -> tuple[list[bytes], NDArray[np.int64]]:
        """Return identities of heads, and the index of each row's head among them.

        Parameters
        ----------
        own : list of 16 bytes, one a row
        tellings : list of bytes, one an update
            By `_tellings`.
        """
        # Without an order id a row is an event by itself, or an order of one line: its head is as itself, and that
        # which its group would have is left empty.
        heads = [
            order_head(event, customer, order) if order else b""
            for event, customer, order in zip(*self.texts, strict=True)
        ]
        of_row = self.of_row.copy()
        of_row[self._alone] = len(heads) + np.arange(len(self._alone))
        heads += [own[row] for row in self._alone.tolist()]
        # The head that all updates of an order would have goes unused: each has one of its own.
        numbers: dict[bytes, int] = {}
        for row, telling in zip(self.updates.tolist(), tellings, strict=True):
            head = _digest(heads[of_row[row]] + telling)
            of_row[row] = numbers.setdefault(head, len(heads) + len(numbers))
        return heads + list(numbers), of_row


def _contents(rows: CanonicalRows, source: str, orders: _Orders, order: NDArray[np.int64]) -> list[bytes]:
    numbers = np.empty((len(rows), 3), dtype="<i8")
    numbers[:, 0] = rows.reported_at
    numbers[:, 1] = _bits(rows.quantity)
    numbers[:, 2] = _bits(rows.value)
    # What rows share is put together once: all that is left to do for each of a million is to join and to hash.
    beginnings = [
        f"content\0{source}\0{event}\0{customer}\0{order_id}\0".encode()
        for event, customer, order_id in zip(*orders.texts, strict=True)
    ]
    products = [f"{product}\0".encode() for product in (*rows.product.values, "")]
    return [
        blake2b(beginnings[of] + products[product] + number, digest_size=16).digest()
        for of, product, (number,) in zip(
            order.tolist(), rows.product.codes.tolist(), struct.iter_unpack("24s", numbers.tobytes()), strict=True
        )
    ]


def _messages(source: str, message_ids: Texts) -> list[bytes]:
    """Return the identity of each row's message; of no use for rows without one."""
    # No text holds NUL, so that what is joined by it can't be cut in another way.
    distinct = [_digest(f"message\0{source}\0{message_id}".encode()) for message_id in (*message_ids.values, "")]
    return [distinct[code] for code in message_ids.codes.tolist()]


def _tellings(updates: CanonicalRows, source: str) -> list[bytes]:
    """Return what tells the updates of one order apart: their message, or without its id the instant as reported.

    A message that is sent again keeps its id, but its instant may be corrected otherwise, or be that of its receipt.
    """
    messages = _messages(source, updates.message_id)
    return [
        message if ordinal >= 0 else b"at\0" + at.to_bytes(8, "big", signed=True)
        for message, ordinal, at in zip(
            messages, updates.message_ordinal.tolist(), updates.reported_at.tolist(), strict=True
        )
    ]


def _bits(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bits of numbers, the same for every NaN and for both zeros."""
    return np.where(np.isnan(numbers), np.nan, numbers + 0.0).view(np.int64)


def _keys(digests: list[bytes]) -> NDArray[np.uint64]:
    """Return the first 8 bytes of each 16-byte digest."""
    return np.frombuffer(b"".join(digests), dtype="<u8")[::2].copy()


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
