"""Stored rows of events and lines, as the columns that netting takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, RawEvents
from features.ragged import recode
from store.customer_keys import CustomerKeys, among
from store.tables import EventType

__all__ = ["ORDER_COMPLETED", "REFUND_EVENTS", "read_raw", "read_raw_and_identities"]

ORDER_COMPLETED = "Order Completed"
REFUND_EVENTS = ("Order Cancelled", "Order Refunded")

# So few that their objects are freed again before Python's collector looks for garbage among them.
_ROWS_A_BLOCK = 500
_IDS_A_STATEMENT = 5_000

_NO_ID = 0  # ids begin at 1

_Convert = Callable[[Sequence[Any]], NDArray[Any]]
_integers: _Convert = partial(np.array, dtype=np.int64)
_numbers: _Convert = partial(np.array, dtype=np.float64)  # NULL becomes NaN
_booleans: _Convert = partial(np.array, dtype=np.bool_)
_objects: _Convert = partial(np.array, dtype=np.object_)

# Of each column its expression, and what makes an array of some rows' values.
_COLUMNS: Mapping[str, tuple[str, _Convert]] = {
    "customer_key": ("e.customer_key", _integers),
    "occurred_at": ("coalesce(l.occurred_at, e.occurred_at)", _integers),
    "event_type_id": ("e.event_type_id", _integers),
    "group": ("e.id", _integers),
    "order_key": (f"coalesce(e.order_key, {NO_ORDER})", _integers),
    "product": (f"coalesce(l.product_key, {NO_PRODUCT})", _integers),
    "quantity": ("l.quantity", _numbers),
    "value": ("CASE WHEN l.event_id IS NULL THEN e.value ELSE l.value END", _numbers),
    "is_line": ("l.event_id IS NOT NULL", _booleans),
    "category_id": (f"coalesce(l.category_id, {_NO_ID})", _integers),
    "discount": ("l.discount", _numbers),
    "channel_id": (f"coalesce(e.channel_id, {_NO_ID})", _integers),
}
_IDENTITY = "coalesce(l.identity, e.identity)"


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
    properties = _TextCodes()
    columns = dict(_COLUMNS)
    if properties_of:
        ids = session.scalars(select(EventType.id).where(EventType.name.in_(sorted(properties_of))))
        columns["properties"] = (f"CASE WHEN e.event_type_id {among(ids)} THEN e.properties END", properties)
    return _raw_events(session, customers, _read(session, which, columns), properties.texts)


def read_raw_and_identities(session: Session, customers: CustomerKeys, which: str) -> tuple[RawEvents, list[bytes]]:
    """Read the rows of some customers, and the identity of each: of the line, or of the event where it has no lines."""
    columns = _read(session, which, {**_COLUMNS, "identity": (_IDENTITY, _objects)})
    return _raw_events(session, customers, columns, ()), [bytes(identity) for identity in columns["identity"]]


class _TextCodes:
    """Turns texts into codes, in the order in which they are first met; -1 for NULL."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {None: -1}

    def __call__(self, values: Sequence[str | None]) -> NDArray[np.int32]:
        # The first key is None, so that the number of keys before a new one is one more than its code.
        codes = self._codes
        return np.array([codes.setdefault(value, len(codes) - 1) for value in values], dtype=np.int32)

    @property
    def texts(self) -> tuple[str, ...]:
        """Those met so far, by code."""
        return tuple(met for met in self._codes if met is not None)


def _read(session: Session, which: str, columns: Mapping[str, tuple[str, _Convert]]) -> dict[str, NDArray[Any]]:
    """Read rows by customer, time and identity: an order that does not depend on how they were stored."""
    expressions = ", ".join(expression for expression, _ in columns.values())
    statement = (
        f"SELECT {expressions} FROM event e LEFT JOIN order_line l ON l.event_id = e.id "
        f"WHERE e.customer_key {which} ORDER BY 1, 2, {_IDENTITY}"
    )
    converters = [convert for _, convert in columns.values()]
    blocks = [
        [convert(values) for convert, values in zip(converters, zip(*rows, strict=True), strict=True)]
        for rows in session.connection().exec_driver_sql(statement).partitions(_ROWS_A_BLOCK)
    ] or [[convert(()) for convert in converters]]
    return {name: np.concatenate(parts) for name, parts in zip(columns, zip(*blocks, strict=True), strict=True)}


def _raw_events(
    session: Session, customers: CustomerKeys, columns: dict[str, NDArray[Any]], property_texts: tuple[str, ...]
) -> RawEvents:
    event_types, event_type = _names(session, "SELECT id, name FROM event_type")
    channels, channel = _names(session, "SELECT id, name FROM channel")
    # Only those needed: a business may have thousands, and a customer a few.
    used = np.unique(columns["category_id"]).tolist()
    parts = [used[start : start + _IDS_A_STATEMENT] for start in range(0, len(used), _IDS_A_STATEMENT)]
    categories, category = _names(session, *(f"SELECT id, levels FROM category WHERE id {among(ids)}" for ids in parts))
    ascending = tuple(sorted(property_texts))
    actions = np.array([_action(name) for name in event_types], dtype=np.int8)
    of_type = event_type[columns["event_type_id"]]
    return RawEvents(
        customer_ids=customers.customer_ids,
        customer=customers.positions(columns["customer_key"]),
        occurred_at=columns["occurred_at"],
        action=actions[of_type],
        group=columns["group"],
        order_key=columns["order_key"],
        product=columns["product"],
        quantity=columns["quantity"],
        value=columns["value"],
        event_type=of_type.astype(np.int16),
        event_types=event_types,
        is_line=columns["is_line"],
        category=category[columns["category_id"]],
        categories=categories,
        discount=columns["discount"],
        channel=channel[columns["channel_id"]].astype(np.int16),
        channels=channels,
        # Empty where none were read, which says that none are known.
        properties=recode(columns.get("properties", np.empty(0, dtype=np.int32)), property_texts, ascending),
        property_texts=ascending,
    )


def _names(session: Session, *statements: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Read ids and names; return the names, ascending, and the position of each by its id, -1 for what is no id."""
    rows = [row for statement in statements for row in session.connection().exec_driver_sql(statement)]
    names = tuple(sorted(name for _, name in rows))
    position = {name: i for i, name in enumerate(names)}
    by_id = np.full(max((key for key, _ in rows), default=_NO_ID) + 1, -1, dtype=np.int64)
    for key, name in rows:
        by_id[key] = position[name]
    return names, by_id


def _action(event_type: str) -> int:
    if event_type == ORDER_COMPLETED:
        return ROW_ORDER
    return ROW_REFUND if event_type in REFUND_EVENTS else ROW_OTHER
