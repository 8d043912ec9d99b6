"""Identity: 16 bytes that are the same whenever the same fact comes again.

With a message id, a row is (source, message id, place within the message). Without one it is what it says (source,
event, customer, instant as reported, order, product, quantity, value) and its place among the equals in its file. No
other column enters. The head of an order is (event, customer, order id), so that its lines find it whichever way they
come; without an order id the head is as its one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from store.ingest.canonical import CanonicalRows
from store.ingest.ordinals import OrdinalCounter

__all__ = ["RowIdentities", "identify", "message_ordinals", "order_key"]


@dataclass(frozen=True, slots=True, eq=False)
class RowIdentities:
    """The identities of some rows.

    Attributes
    ----------
    own : list of 16 bytes, one a row
        Of the event by itself, or of the line.
    head : list of 16 bytes, one a row
        Of the event that the row belongs to: the head of its order, or itself.
    """

    own: list[bytes]
    head: list[bytes]

    def take(self, rows: slice) -> RowIdentities:
        """Return those of some of the rows."""
        return RowIdentities(self.own[rows], self.head[rows])


def order_key(order_id: str) -> int:
    """Hash of an order id, as a signed 64-bit integer; what `event.order_key` holds."""
    return int.from_bytes(blake2b(order_id.encode(), digest_size=8).digest(), "big", signed=True)


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
    own: list[bytes] = [b""] * len(rows)
    ordinals = rows.message_ordinal.copy()
    by_message = ordinals >= 0
    for row in np.flatnonzero(by_message).tolist():
        own[row] = _message(source, rows.message_id[row])

    by_content = np.flatnonzero(~by_message)
    contents = _contents(rows.take(by_content), source)
    ordinals[by_content] = equals.count(_keys(contents))
    for row, digest in zip(by_content.tolist(), contents, strict=True):
        own[row] = digest

    for row in np.flatnonzero(ordinals > 0).tolist():
        own[row] = blake2b(own[row] + int(ordinals[row]).to_bytes(8, "big"), digest_size=16).digest()
    return RowIdentities(own, _heads(rows, own))


def message_ordinals(source: str, message_ids: NDArray[np.object_], messages: OrdinalCounter) -> NDArray[np.int64]:
    """Return the place of each row among those of its message, -1 for rows without one.

    Every row that bears the message id counts, also one that will be rejected: repaired, it must not shift the others.
    """
    ordinals = np.full(len(message_ids), -1, dtype=np.int64)
    bearing = np.flatnonzero(message_ids != None)  # noqa: E711 - element by element
    ordinals[bearing] = messages.count(_keys([_message(source, message_ids[row]) for row in bearing.tolist()]))
    return ordinals


def _message(source: str, message_id: str) -> bytes:
    # No text holds NUL, so that what is joined by it can't be cut in another way.
    return blake2b(f"message\0{source}\0{message_id}".encode(), digest_size=16).digest()


def _contents(rows: CanonicalRows, source: str) -> list[bytes]:
    numbers = np.empty((len(rows), 3), dtype="<i8")
    numbers[:, 0] = rows.reported_at
    numbers[:, 1] = _bits(rows.quantity)
    numbers[:, 2] = _bits(rows.value)
    packed = numbers.tobytes()
    texts = zip(
        rows.event.tolist(), rows.customer_id.tolist(), rows.order_id.tolist(), rows.product.tolist(), strict=True
    )
    return [
        blake2b(
            f"content\0{source}\0{event}\0{customer_id}\0{order_id or ''}\0{product or ''}\0".encode()
            + packed[24 * row : 24 * row + 24],
            digest_size=16,
        ).digest()
        for row, (event, customer_id, order_id, product) in enumerate(texts)
    ]


def _bits(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bits of numbers, the same for every NaN and for both zeros."""
    return np.where(np.isnan(numbers), np.nan, numbers + 0.0).view(np.int64)


def _keys(digests: list[bytes]) -> NDArray[np.uint64]:
    """Return the first 8 bytes of each 16-byte digest."""
    return np.frombuffer(b"".join(digests), dtype="<u8")[::2].copy()


def _heads(rows: CanonicalRows, own: list[bytes]) -> list[bytes]:
    known: dict[tuple[str, str, str], bytes] = {}
    heads = list(own)
    orders = zip(rows.event.tolist(), rows.customer_id.tolist(), rows.order_id.tolist(), strict=True)
    for row, order in enumerate(orders):
        if order[2] is not None:
            head = known.get(order)
            if head is None:
                head = blake2b("\0".join(("order", *order)).encode(), digest_size=16).digest()
                known[order] = head
            heads[row] = head
    return heads
