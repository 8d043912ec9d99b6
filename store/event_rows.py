"""Stored rows of events and lines, as the columns that netting takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, ROW_UPDATE, RawEvents
from features.ragged import recode
from store.bulk_read import Column, Kind, read_blocks, read_columns
from store.customer_keys import CustomerKeys, among
from store.event_order import in_order
from store.names import NO_ID, StoredNames, TextCodes, read_categories, read_names

__all__ = [
    "ORDER_COMPLETED",
    "ORDER_UPDATED",
    "REFUND_EVENTS",
    "NumberedRows",
    "read_numbered",
    "read_raw",
    "read_raw_and_identities",
]

ORDER_COMPLETED = "Order Completed"
ORDER_UPDATED = "Order Updated"
REFUND_EVENTS = ("Order Cancelled", "Order Refunded")

_EVENTS_A_STATEMENT = 5_000

_Columns = dict[str, NDArray[Any]]


def read_raw(session: Session, customers: CustomerKeys, which: str, properties_of: Collection[str] = ()) -> RawEvents:
    """Read the rows of some customers.

    Parameters
    ----------
    session : Session
    customers : CustomerKeys
    which : str
        Condition that their keys and no others meet, from `among` or `between`.
    properties_of : collection of str
        Names of events whose properties are read too.
    """
    names = read_names(session)
    rows = _Rows.read(session, customers, which, names)
    properties, texts = _read_properties(session, which, rows.events["event"], names, properties_of)
    return _raw_events(session, customers, rows, names, properties, texts.texts)


def read_raw_and_identities(session: Session, customers: CustomerKeys, which: str) -> tuple[RawEvents, list[bytes]]:
    """Read the rows of some customers, and the identity of each: of the line, or of the event where it has no lines."""
    names = read_names(session)
    rows = _Rows.read(session, customers, which, names)
    joined = rows.either("identity").astype(">u8").tobytes()
    return (
        _raw_events(session, customers, rows, names, _no_properties(rows.events["event"]), ()),
        [joined[start : start + 16] for start in range(0, len(joined), 16)],
    )


@dataclass(frozen=True, slots=True, eq=False)
class NumberedRows:
    """Rows, one element each, and the transactions that wrote them.

    Attributes
    ----------
    customer : int64
        Position among the customers.
    occurred_at : int64
        Microseconds since 1970-01-01 UTC.
    identity : uint64, shape (n, 2)
        Of the line, or of the event where it has no lines.
    sequence_number : int64
    """

    customer: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    identity: NDArray[np.uint64]
    sequence_number: NDArray[np.int64]


def read_numbered(
    session: Session,
    customers: CustomerKeys,
    which: str,
    properties_of: Collection[str] = (),
    *,
    upto: int | None = None,
) -> tuple[RawEvents, NumberedRows]:
    """Read the rows of some customers with their sequence numbers.

    Parameters
    ----------
    session, customers, which, properties_of
        As for `read_raw`.
    upto : int, optional
        Only what was written up to this sequence number, as it was then.
    """
    names = read_names(session)
    rows = _Rows.read(session, customers, which, names, numbered=True, upto=upto)
    events = rows.events
    properties, texts = _read_properties(session, which, events["event"], names, properties_of)
    if upto is not None:
        for position, told in _replaced_heads(session, events, upto):
            events["channel"][position] = told.channel
            if names.event_types.names[names.event_types.by_id[events["event_type"][position]]] in properties_of:
                properties[position] = -1 if told.properties is None else texts.of([told.properties])[0]
    numbered = NumberedRows(
        rows.customer, rows.either("occurred_at"), rows.either("identity"), rows.either("sequence_number")
    )
    return _raw_events(session, customers, rows, names, properties, texts.texts), numbered


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows in their order: of an event its lines, or the event alone where it has none.

    Attributes
    ----------
    events, lines : dict of str to array
        Columns as stored.
    customer : int64, one element a row
        Position among the customers.
    event : int64, one element a row
        Position in `events`.
    line : int64, one element a row
        Position in `lines`, -1 where the row is an event.
    """

    events: _Columns
    lines: _Columns
    customer: NDArray[np.int64]
    event: NDArray[np.int64]
    line: NDArray[np.int64]

    @classmethod
    def read(
        cls,
        session: Session,
        customers: CustomerKeys,
        which: str,
        names: StoredNames,
        *,
        numbered: bool = False,
        upto: int | None = None,
    ) -> _Rows:
        """Read the rows of some customers and bring them into their order."""
        bits = {**names.bits, "customer": int(max(customers.keys, default=0)).bit_length()}
        events, lines = (read(session, which, bits, numbered=numbered) for read in (_read_events, _read_lines))
        if upto is not None:
            events = _only(events, events["sequence_number"] <= upto)
            is_seen = (lines["sequence_number"] <= upto) & np.isin(lines["event"], events["event"])
            lines = _only(lines, is_seen)
        event, line = _join(events["event"], lines["event"])
        customer = customers.positions(events["customer_key"])[event]
        unordered = cls(events, lines, customer, event, line)
        order = in_order(customer, unordered.either("occurred_at"), unordered.either("identity"))
        return cls(events, lines, customer[order], event[order], line[order])

    def of_line(self, name: str, otherwise: float) -> NDArray[Any]:
        """Return a column of the lines, and something else for rows that are none."""
        return np.append(self.lines[name], np.array([otherwise], dtype=self.lines[name].dtype))[self.line]

    def either(self, name: str) -> NDArray[Any]:
        """Return a column that both have: of the line, or of the event where it has no lines."""
        values = self.events[name][self.event]
        is_line = self.line >= 0
        values[is_line] = self.lines[name][self.line[is_line]]
        return values


def _only(columns: _Columns, kept: NDArray[np.bool_]) -> _Columns:
    return {name: column[kept] for name, column in columns.items()}


def _read_events(session: Session, which: str, bits: dict[str, int], *, numbered: bool) -> _Columns:
    columns = {
        "customer_key": Column("e.customer_key", bits=bits["customer"]),
        "event": Column("e.id", bits=bits["event"]),
        "event_type": Column("e.event_type_id", bits=bits["event_type"]),
        "channel": Column(f"coalesce(e.channel_id, {NO_ID})", bits=bits["channel"]),
        "occurred_at": Column("e.occurred_at"),
        "order_key": Column(f"coalesce(e.order_key, {NO_ORDER})"),
        "value": Column("e.value", Kind.NUMBER),
        "identity": Column("e.identity", Kind.DIGEST),
    }
    if numbered:
        columns["sequence_number"] = Column("e.sequence_number")
    return read_columns(session, columns, f"FROM event e WHERE e.customer_key {which}", "e.customer_key")


def _read_lines(session: Session, which: str, bits: dict[str, int], *, numbered: bool) -> _Columns:
    columns = {
        "event": Column("l.event_id", bits=bits["event"]),
        "product": Column(f"coalesce(l.product_key, {NO_ID})", bits=bits["product"]),
        "category": Column(f"coalesce(l.category_id, {NO_ID})", bits=bits["category"]),
        "occurred_at": Column("l.occurred_at"),
        "quantity": Column("l.quantity", Kind.NUMBER),
        "value": Column("l.value", Kind.NUMBER),
        "discount": Column("l.discount", Kind.NUMBER),
        "identity": Column("l.identity", Kind.DIGEST),
    }
    if numbered:
        columns["sequence_number"] = Column("coalesce(l.sequence_number, e.sequence_number)")
    source = f"FROM event e JOIN order_line l ON l.event_id = e.id WHERE e.customer_key {which}"
    return read_columns(session, columns, source, "e.customer_key")


def _join(events: NDArray[np.int64], event_of_line: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return position of the event, and of the line or -1, of each row.

    Parameters
    ----------
    events : int64
        Ids of events, no two the same.
    event_of_line : int64
        Of each line the id of its event, which is among these.
    """
    by_id = np.argsort(events)
    position = by_id[np.searchsorted(events, event_of_line, sorter=by_id)]
    n_lines = np.bincount(position, minlength=len(events))
    event = np.repeat(np.arange(len(events)), np.maximum(n_lines, 1))
    line = np.full(len(event), -1, dtype=np.int64)
    line[(n_lines > 0)[event]] = np.argsort(position, kind="stable")
    return event, line


def _read_properties(
    session: Session, which: str, events: NDArray[np.int64], names: StoredNames, properties_of: Collection[str]
) -> tuple[NDArray[np.int32], TextCodes]:
    """Return the code of each event's properties, -1 without any, and their texts."""
    codes, texts = _no_properties(events), TextCodes()
    positions = [i for i, name in enumerate(names.event_types.names) if name in properties_of]
    if positions and len(events):
        ids = np.flatnonzero(np.isin(names.event_types.by_id, positions))
        condition = f"customer_key {which} AND event_type_id {among(ids)} AND properties IS NOT NULL"
        by_id = np.argsort(events)
        for rows in read_blocks(session, f"SELECT id, properties FROM event WHERE {condition}"):
            found, met = zip(*rows, strict=True)
            position = by_id[np.minimum(np.searchsorted(events, found, sorter=by_id), len(events) - 1)]
            # Where only some are wanted, others are found too.
            is_wanted = events[position] == found
            codes[position[is_wanted]] = np.array(texts.of(met), dtype=np.int32)[is_wanted]
    return codes, texts


class _Head(NamedTuple):
    """What an order's head said once."""

    channel: int
    properties: str | None


def _replaced_heads(session: Session, events: _Columns, upto: int) -> Iterator[tuple[int, _Head]]:
    """Yield the position of each event that said something else up to a sequence number, and what."""
    by_id = np.argsort(events["event"])
    then: dict[int, _Head] = {}
    for start in range(0, len(by_id), _EVENTS_A_STATEMENT):
        ids = events["event"][by_id[start : start + _EVENTS_A_STATEMENT]]
        # Of several the first one counts, which is the last to be read.
        statement = (
            "SELECT event_id, channel_id, properties FROM replaced_head "
            f"WHERE event_id {among(ids)} AND replaced_by > {upto} ORDER BY event_id, replaced_by DESC"
        )
        for rows in read_blocks(session, statement):
            for event_id, channel, properties in rows:
                then[event_id] = _Head(NO_ID if channel is None else channel, properties)
    for event_id, head in then.items():
        yield int(by_id[np.searchsorted(events["event"], event_id, sorter=by_id)]), head


def _no_properties(events: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.full(len(events), -1, dtype=np.int32)


def _raw_events(
    session: Session,
    customers: CustomerKeys,
    rows: _Rows,
    names: StoredNames,
    properties: NDArray[np.int32],
    property_texts: tuple[str, ...],
) -> RawEvents:
    events, lines = rows.events, rows.lines
    event_types, channels = names.event_types, names.channels
    categories = read_categories(session, lines["category"])
    ascending = tuple(sorted(property_texts))
    actions = np.array([_action(name) for name in event_types.names], dtype=np.int8)
    of_type = event_types.by_id[events["event_type"]][rows.event]
    product = rows.of_line("product", NO_ID)
    return RawEvents(
        customer_ids=customers.customer_ids,
        customer=rows.customer,
        occurred_at=rows.either("occurred_at"),
        action=actions[of_type],
        group=rows.event,
        order_key=events["order_key"][rows.event],
        product=np.where(product == NO_ID, NO_PRODUCT, product),
        quantity=rows.of_line("quantity", np.nan),
        value=rows.either("value"),
        event_type=of_type.astype(np.int16),
        event_types=event_types.names,
        is_line=rows.line >= 0,
        category=categories.by_id[rows.of_line("category", NO_ID)],
        categories=categories.names,
        discount=rows.of_line("discount", np.nan),
        channel=channels.by_id[events["channel"]][rows.event].astype(np.int16),
        channels=channels.names,
        properties=recode(properties, property_texts, ascending)[rows.event],
        property_texts=ascending,
    )


def _action(event_type: str) -> int:
    if event_type == ORDER_COMPLETED:
        return ROW_ORDER
    if event_type == ORDER_UPDATED:
        return ROW_UPDATE
    return ROW_REFUND if event_type in REFUND_EVENTS else ROW_OTHER
