"""The one in-memory shape of what customers did: columns of entries, sorted by customer and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.attributes import Attributes
from features.calendar import LocalCalendar
from features.line_log import LineLog
from features.ragged import join_columns, join_offsets, keep_rows, recode, take_rows

__all__ = ["ADJUSTMENT", "NO_CHANNEL", "NO_PROPERTIES", "ORDER", "OTHER", "UNMATCHED_REFUND", "EventLog"]

# Kinds of entries.
ORDER = 0  # a completed order, at its earliest line; value is what it was worth at that instant
ADJUSTMENT = 1  # a later change of an order: a late line, an update, or a refund; value is the difference
UNMATCHED_REFUND = 2  # a refund that found no line; lowers value only
OTHER = 3  # anything else a customer did

NO_CHANNEL = -1
NO_PROPERTIES = -1

_COLUMNS = {
    "occurred_at": np.int64,
    "day": np.int32,
    "kind": np.int8,
    "order": np.int32,
    "is_purchase": np.bool_,
    "value": np.float64,
    "event_type": np.int16,
    "channel": np.int16,
    "properties": np.int32,
}


@dataclass(frozen=True, slots=True, eq=False)
class EventLog:
    """Events of some customers, after updates and refunds have found their orders.

    Each array has one element an entry, in order of customer, then time, unless said otherwise. What an order is worth
    at an instant is its own entry's value plus the adjustments up to then; whether it is a purchase then is what the
    last of these says in `is_purchase`. So one log serves every snapshot. What is left out of the constructor is not
    known of anybody: no channels, no properties, no lines, no attributes.

    Attributes
    ----------
    customer_ids : tuple of str, length n_customers
        Ascending by code point.
    offsets : int64, length n_customers + 1
        Entries of customer i are `offsets[i]:offsets[i + 1]`.
    occurred_at : int64
        Microseconds since 1970-01-01 UTC.
    day : int32
        Local day of the business since 1970-01-01.
    kind : int8
        `ORDER`, `ADJUSTMENT`, `UNMATCHED_REFUND` or `OTHER`.
    order : int32
        Position, within the customer's entries, of the order that is meant; -1 for none.
    is_purchase : bool
        Whether the order is a purchase after this entry (false once it is wholly refunded).
    value : float64
        In the currency of the business.
    event_type : int16
        Index into `event_types`; of an adjustment that is no refund, the name of its order.
    event_types : tuple of str
        Names of events, ascending.
    calendar : LocalCalendar
        The time zone that cut the days.
    channel : int16
        Index into `channels`, through which the customer came; -1 for none.
    channels : tuple of str
        Names of channels, ascending.
    properties : int32
        Index into `property_texts`; -1 for none, or where they were not read.
    property_texts : tuple of str
        JSON objects of what else was said of an event, ascending.
    lines : LineLog
        What was in the orders, as ordered and updated, of the same customers.
    attributes : Attributes
        What was learnt of the same customers.
    """

    customer_ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    day: NDArray[np.int32]
    kind: NDArray[np.int8]
    order: NDArray[np.int32]
    is_purchase: NDArray[np.bool_]
    value: NDArray[np.float64]
    event_type: NDArray[np.int16]
    event_types: tuple[str, ...]
    calendar: LocalCalendar
    channel: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, dtype=np.int16))
    channels: tuple[str, ...] = ()
    properties: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    property_texts: tuple[str, ...] = ()
    lines: LineLog = field(default_factory=lambda: LineLog.empty(0))
    attributes: Attributes = field(default_factory=lambda: Attributes.empty(0))

    def __post_init__(self) -> None:
        n_entries = len(self.kind)
        for name, code in (("channel", NO_CHANNEL), ("properties", NO_PROPERTIES)):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(n_entries, code, dtype=_COLUMNS[name]))
        if not self.lines.n_customers:
            object.__setattr__(self, "lines", LineLog.empty(self.n_customers))
        if not self.attributes.n_customers:
            object.__setattr__(self, "attributes", Attributes.empty(self.n_customers))

    @property
    def n_customers(self) -> int:
        """Number of customers, those without events included."""
        return len(self.customer_ids)

    def last_purchase_day(self) -> int | None:
        """Local day of the last order in the log, or None without orders."""
        days = self.day[self.kind == ORDER]
        return int(days.max()) if days.size else None

    def before(self, as_of: int) -> EventLog:
        """Return the log as it was known at an instant: what happened or was learnt before it, of all customers."""
        known = self.occurred_at < as_of
        return replace(
            self,
            offsets=keep_rows(self.offsets, known),
            **{name: getattr(self, name)[known] for name in _COLUMNS},
            lines=self.lines.before(as_of),
            attributes=self.attributes.before(as_of),
        )

    @classmethod
    def concatenate(cls, logs: Sequence[EventLog], calendar: LocalCalendar) -> EventLog:
        """Join the logs of different customers into one, ascending by customer again."""
        columns: dict[str, Any] = {
            name: join_columns([getattr(log, name) for log in logs], dtype) for name, dtype in _COLUMNS.items()
        }
        for codes, names in (("event_type", "event_types"), ("channel", "channels"), ("properties", "property_texts")):
            joint = tuple(sorted({name for log in logs for name in getattr(log, names)}))
            recoded = [recode(getattr(log, codes), getattr(log, names), joint) for log in logs]
            columns |= {names: joint, codes: join_columns(recoded, _COLUMNS[codes])}
        joined = cls(
            customer_ids=tuple(customer_id for log in logs for customer_id in log.customer_ids),
            offsets=join_offsets([log.offsets for log in logs]),
            **columns,
            calendar=calendar,
            lines=LineLog.concatenate([log.lines for log in logs]),
            attributes=Attributes.concatenate([log.attributes for log in logs]),
        )
        return joined.take(sorted(range(joined.n_customers), key=joined.customer_ids.__getitem__))

    def take(self, customers: Sequence[int] | NDArray[np.int64]) -> EventLog:
        """Return the log of the customers at these positions, in this order.

        Parameters
        ----------
        customers : int array
            Positions in `customer_ids`, such that the ids ascend.
        """
        positions = np.asarray(customers, dtype=np.int64)
        offsets, entries = take_rows(self.offsets, positions)
        return replace(
            self,
            customer_ids=tuple(self.customer_ids[position] for position in positions),
            offsets=offsets,
            **{name: getattr(self, name)[entries] for name in _COLUMNS},
            lines=self.lines.take(positions),
            attributes=self.attributes.take(positions),
        )
