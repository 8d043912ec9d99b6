"""Rows of events in short, and hypothesis strategies that make them: what tests of features are fed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, ROW_UPDATE, RawEvents, net

__all__ = [
    "CATEGORIES",
    "CHANNELS",
    "EPOCH",
    "EVENT_TYPES",
    "PROPERTY",
    "TIMEZONES",
    "Row",
    "as_rows_of_time",
    "at",
    "bought",
    "did",
    "histories",
    "microseconds",
    "raw_events",
    "refunded",
    "snapshot_days",
    "to_log",
    "updated",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVENT_TYPES = (
    *("Order Cancelled", "Order Completed", "Order Refunded", "Order Updated"),
    *("Product Viewed", "Session Started", "product_viewed"),
)
CATEGORIES = (
    '{"department": "Food", "aisle": "Cake"}',
    '{"department": "Food", "aisle": "Tea"}',
    '{"department": "Garden"}',
)
CHANNELS = ("store", "web")
TIMEZONES = ("America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin", "UTC")

# How every property is tested: the same examples each time; no deadline, since the first call may compile.
PROPERTY = settings(max_examples=100, deadline=None, derandomize=True)

# Histories begin here: with the lengths drawn they cross the clock changes of two years in every zone above.
_FIRST_DAY = date(2022, 9, 1)
_LONGEST_HISTORY = 800


_NAMES = {
    "order": "Order Completed",
    "update": "Order Updated",
    "refund": "Order Refunded",
    "other": "Product Viewed",
}
_Action = Literal["order", "update", "refund", "other"]
_ACTIONS: dict[_Action, int] = {"order": ROW_ORDER, "update": ROW_UPDATE, "refund": ROW_REFUND, "other": ROW_OTHER}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `RawEvents` in words; `order` is the order's number, made or named.

    An order, update or refund is told as a line if it has a number or anything that only lines have. Rows that update
    one order at one instant are one update if they have the same message.
    """

    at: datetime
    action: _Action
    order: str | None = None
    product: int | None = None
    quantity: float | None = None
    value: float | None = None
    customer: str = "c"
    event: str = ""  # name; by default that of the action
    category: str | None = None
    discount: float | None = None
    channel: str | None = None
    properties: str | None = None
    message: int = 0

    @property
    def name(self) -> str:
        """Name of the event."""
        return self.event or _NAMES[self.action]

    @property
    def is_line(self) -> bool:
        """Whether it is told as a line."""
        of_lines = (self.order, self.product, self.quantity, self.category, self.discount)
        return self.action != "other" and any(fact is not None for fact in of_lines)


def bought(
    at: datetime,
    value: float | None = None,
    *,
    order: str | None = None,
    product: int | None = None,
    quantity: float | None = None,
    customer: str = "c",
    category: str | None = None,
    discount: float | None = None,
    channel: str | None = None,
) -> Row:
    """Return a line of an order; lines of one customer with one order number are one order."""
    return Row(
        at,
        "order",
        order,
        product,
        quantity,
        value,
        customer,
        category=category,
        discount=discount,
        channel=channel,
    )


def updated(
    at: datetime,
    value: float | None = None,
    *,
    order: str | None = None,
    product: int | None = None,
    quantity: float | None = None,
    customer: str = "c",
    category: str | None = None,
    message: int = 0,
) -> Row:
    """Return a line of what an order is from an instant on."""
    return Row(at, "update", order, product, quantity, value, customer, category=category, message=message)


def refunded(
    at: datetime,
    value: float | None = None,
    *,
    order: str | None = None,
    product: int | None = None,
    quantity: float | None = None,
    customer: str = "c",
) -> Row:
    """Return a line of a refund, or a cancellation; `order` is what it names."""
    return Row(at, "refund", order, product, quantity, value, customer)


def did(
    at: datetime,
    value: float | None = None,
    customer: str = "c",
    *,
    event: str = "Product Viewed",
    channel: str | None = None,
    properties: str | None = None,
) -> Row:
    """Return something that is neither order nor update nor refund."""
    return Row(at, "other", value=value, customer=customer, event=event, channel=channel, properties=properties)


def at(days: float) -> datetime:
    """Return the instant so many days after the first of January 2024, midnight in UTC."""
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=days)


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def as_rows_of_time(rows: Sequence[Row]) -> list[int]:
    """Positions of the rows by customer, then time, ties as they stand: the order in which the store reads them."""
    return sorted(range(len(rows)), key=lambda i: (rows[i].customer, rows[i].at))


def raw_events(rows: Sequence[Row], customer_ids: Sequence[str] = ()) -> RawEvents:
    """Turn rows into columns, in the order given; `customer_ids` adds customers without rows."""
    ids = tuple(sorted({row.customer for row in rows} | set(customer_ids)))
    numbers = sorted({row.order for row in rows if row.order is not None})
    key = {number: 1 + i for i, number in enumerate(numbers)}
    groups: dict[object, int] = {}
    categories = tuple(sorted({row.category for row in rows if row.category is not None and row.is_line}))
    texts = tuple(sorted({row.properties for row in rows if row.properties is not None}))
    return RawEvents(
        customer_ids=ids,
        customer=np.array([ids.index(row.customer) for row in rows], dtype=np.int64),
        occurred_at=np.array([microseconds(row.at) for row in rows], dtype=np.int64),
        action=np.array([_ACTIONS[row.action] for row in rows], dtype=np.int8),
        group=np.array([groups.setdefault(_group(i, row), 7 * len(groups)) for i, row in enumerate(rows)], np.int64),
        order_key=np.array([NO_ORDER if row.order is None else key[row.order] for row in rows], dtype=np.int64),
        product=np.array([NO_PRODUCT if row.product is None else row.product for row in rows], dtype=np.int64),
        quantity=np.array([np.nan if row.quantity is None else row.quantity for row in rows], dtype=np.float64),
        value=np.array([np.nan if row.value is None else row.value for row in rows], dtype=np.float64),
        event_type=np.array([EVENT_TYPES.index(row.name) for row in rows], dtype=np.int16),
        event_types=EVENT_TYPES,
        is_line=np.array([row.is_line for row in rows], dtype=np.bool_),
        category=np.array([_code(categories, row.category) for row in rows], dtype=np.int64),
        categories=categories,
        discount=np.array([np.nan if row.discount is None else row.discount for row in rows], dtype=np.float64),
        channel=np.array([_code(CHANNELS, row.channel) for row in rows], dtype=np.int16),
        channels=CHANNELS,
        properties=np.array([_code(texts, row.properties) for row in rows], dtype=np.int32),
        property_texts=texts,
    )


def _code(names: Sequence[str], name: str | None) -> int:
    return -1 if name is None else names.index(name)


def _group(position: int, row: Row) -> object:
    if row.action == "update" and row.order is not None:
        return row.customer, row.order, row.at, row.message
    return (row.customer, row.order) if row.action == "order" and row.order is not None else position


def to_log(rows: Sequence[Row], timezone: str = "UTC", customer_ids: Sequence[str] = ()) -> EventLog:
    """Net rows into a log."""
    ordered = [rows[i] for i in as_rows_of_time(rows)]
    return net(raw_events(ordered, customer_ids), LocalCalendar(timezone))[0]


# Prices in multiples of four cents, so that no share of one is half a cent, where rounding would decide; whole pieces
# mostly, as shops have them; a few free, a few without quantity, a few by weight.
_values = st.sampled_from((0.0, 0.04, 3.0, 5.0, 9.96, 10.0, 25.52, 1200.0)) | st.none()
_quantities = st.sampled_from((0.0, 0.5, 1.0, 2.0, 3.0, 12.0)) | st.none()
_products = st.integers(1, 3) | st.none()
_orders = st.sampled_from(("A", "B", "C", "D")) | st.none()
_discounts = st.sampled_from((0.0, 0.5, 2.25)) | st.none()
_properties = st.sampled_from((None, '{"plan": "basic"}', '{"plan": "plus"}'))


@st.composite
def _rows(draw: st.DrawFn, longest_days: int, actions: Sequence[_Action]) -> Row:
    # Few hours a day, so that events of one instant and of one local day are common.
    start = datetime(_FIRST_DAY.year, _FIRST_DAY.month, _FIRST_DAY.day, tzinfo=UTC)
    at = start + timedelta(days=draw(st.integers(0, longest_days)), hours=draw(st.sampled_from((0, 4, 12, 23))))
    customer = draw(st.sampled_from(("ada", "bob", "Łucja")))
    action = draw(st.sampled_from(actions))
    channel = draw(st.sampled_from((None, *CHANNELS)))
    if action == "other":
        event = draw(st.sampled_from(EVENT_TYPES[4:]))
        return did(at, draw(_values), customer, event=event, channel=channel, properties=draw(_properties))
    row = Row(
        at,
        action,
        draw(_orders),
        draw(_products),
        draw(_quantities),
        draw(_values),
        customer,
        channel=channel,
    )
    if action == "refund":
        return row
    if action == "update":
        row = replace(row, message=draw(st.sampled_from((0, 0, 1))))
    return replace(row, category=draw(st.sampled_from((None, *CATEGORIES))), discount=draw(_discounts))


def histories(
    max_rows: int = 40, longest_days: int = _LONGEST_HISTORY, *, updates: bool = False
) -> st.SearchStrategy[list[Row]]:
    """Histories of up to three customers, in no order: orders of several lines, refunds of all sorts, other events.

    With updates, also of orders that are not known yet, at the instant of other rows, and such that change nothing.
    """
    actions: list[_Action] = ["order", "order", "order", "refund", "other"]
    if updates:
        actions += ["update", "update"]
    return st.lists(_rows(longest_days, actions), max_size=max_rows)


def snapshot_days() -> st.SearchStrategy[int]:
    """Local days since 1970-01-01 from within the time of `histories`, and a little before and after."""
    first = (_FIRST_DAY - EPOCH.date()).days
    return st.integers(first - 2, first + _LONGEST_HISTORY + 400)
