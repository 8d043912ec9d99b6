"""The rows of one transaction and the events that they belong to, as the statements that store them need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.event_rows import ORDER_COMPLETED, ORDER_UPDATED, REFUND_EVENTS
from store.ingest.canonical import CanonicalRows
from store.ingest.identity import RowIdentities, order_key
from store.ingest.orders import HeadDetails, StoredHead
from store.ingest.texts import Texts

__all__ = ["Batch", "EventDetails", "KnownEvents", "Rows", "optional"]

Rows = NDArray[np.intp]

_ORDER_EVENTS = frozenset({ORDER_COMPLETED, ORDER_UPDATED, *REFUND_EVENTS})
_NONE = np.iinfo(np.int64).max


class Batch:
    """The rows of one transaction, and their events: orders' heads, or rows by themselves.

    Parameters
    ----------
    rows : CanonicalRows
    identities : RowIdentities

    Attributes
    ----------
    rows : CanonicalRows
        Those given, but of rows with the same identity only the first: a request may hold a row twice.
    own : list of bytes, one a row
    has_message_id, is_line, is_refund : bool, one a row
    event : int64, one a row
        Index of the row's event.
    heads : list of bytes, one an event
        Its identity.
    first : int64, one an event
        The first of its rows.
    """

    def __init__(self, rows: CanonicalRows, identities: RowIdentities) -> None:
        if len(set(identities.own)) < len(rows):
            rows, identities = _each_once(rows, identities)
        self.rows = rows
        self.own = identities.own
        self.has_message_id = rows.message_ordinal >= 0
        self.is_line = rows.order_id.given | rows.product.given | ~np.isnan(rows.quantity)
        self.is_refund = rows.event.where(REFUND_EVENTS.__contains__)
        numbers, self.first, self.event = np.unique(identities.head, return_index=True, return_inverse=True)
        self.heads = [identities.heads[number] for number in numbers.tolist()]

    def details(self) -> EventDetails:
        """Return what each event has from those of its rows that came as its first did, with a message id or without.

        The same as merging the details of these rows one by one.
        """
        rows, event = self.rows, self.event
        counts = self.has_message_id == self.has_message_id[self.first][event]
        occurred_at = self._least(rows.occurred_at, counts)
        earliest = counts & (rows.occurred_at == occurred_at[event])
        reported_at = self._least(rows.reported_at, earliest & (rows.reported_at != rows.occurred_at))
        return EventDetails(
            occurred_at,
            optional(reported_at, reported_at == _NONE),
            self._least_text(rows.properties, earliest),
            self._least_text(rows.channel, earliest),
        )

    def row_details(self, row: int) -> HeadDetails:
        """Return what an event would have from this row alone."""
        rows = self.rows
        occurred_at, reported_at = int(rows.occurred_at[row]), int(rows.reported_at[row])
        properties, channel = rows.properties.codes[row], rows.channel.codes[row]
        return HeadDetails(
            occurred_at,
            None if reported_at == occurred_at else reported_at,
            None if properties < 0 else rows.properties.values[properties],
            None if channel < 0 else rows.channel.values[channel],
        )

    def order_keys(self) -> list[int | None]:
        """Return, for each event, the hash of the order that it is or names."""
        firsts = self.rows.named_order.take(self.first).tolist()
        concerns_order = self.rows.event.where(_ORDER_EVENTS.__contains__)[self.first].tolist()
        return [
            order_key(named) if named is not None and concerns else None
            for named, concerns in zip(firsts, concerns_order, strict=True)
        ]

    def _least_text(self, texts: Texts, rows: NDArray[np.bool_]) -> Texts:
        # Their values ascend, so that the least code is the least text.
        codes = self._least(texts.codes, rows & texts.given)
        return Texts(np.where(codes == _NONE, -1, codes).astype(np.int32), texts.values)

    def _least(self, numbers: NDArray[np.integer], rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the least number that each event has in some of the rows."""
        least = np.full(len(self.first), _NONE)
        np.minimum.at(least, self.event[rows], numbers[rows])
        return least


class EventDetails(NamedTuple):
    """`HeadDetails` of some events, column by column."""

    occurred_at: NDArray[np.int64]
    reported_at: list[int | None]
    properties: Texts
    channel: Texts


@dataclass(frozen=True, slots=True, eq=False)
class KnownEvents:
    """What the database has of the events of a batch, once those that are new have been stored.

    Attributes
    ----------
    event_id : int64, one an event
        0 for what is neither new nor an order.
    is_new : bool, one an event
    source_id : int64, one an event
        Key of the source that told it.
    has_message_id : bool, one an event
    stored : dict of int to StoredHead
        The orders that were there before, by event.
    """

    event_id: NDArray[np.int64]
    is_new: NDArray[np.bool_]
    source_id: NDArray[np.int64]
    has_message_id: NDArray[np.bool_]
    stored: dict[int, StoredHead]

    @classmethod
    def of(
        cls, batch: Batch, new: Mapping[bytes, int], stored_heads: Mapping[bytes, StoredHead], source_id: int
    ) -> KnownEvents:
        """Bring together the ids of new events, and the heads that were there, each by its identity."""
        event_id = np.array([new.get(head, 0) for head in batch.heads], dtype=np.int64)
        is_new = event_id > 0
        sources = np.full(len(event_id), source_id, dtype=np.int64)
        has_message_id = batch.has_message_id[batch.first]
        stored: dict[int, StoredHead] = {}
        for event in np.flatnonzero(~is_new).tolist():
            head = stored_heads.get(batch.heads[event])
            if head is not None:
                stored[event] = head
                event_id[event], sources[event], has_message_id[event] = head[:3]
        return cls(event_id, is_new, sources, has_message_id, stored)


def optional(numbers: NDArray[Any], missing: NDArray[np.bool_]) -> list[Any]:
    """Return numbers as a list, None for those that are missing."""
    found = numbers.astype(np.object_)
    found[missing] = None
    return list(found)


def _each_once(rows: CanonicalRows, identities: RowIdentities) -> tuple[CanonicalRows, RowIdentities]:
    firsts: dict[bytes, int] = {}
    for row, own in enumerate(identities.own):
        firsts.setdefault(own, row)
    kept = np.array(list(firsts.values()), dtype=np.int64)
    return rows.take(kept), RowIdentities(list(firsts), identities.heads, identities.head[kept])
