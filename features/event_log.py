"""The one in-memory shape of what customers did: columns of entries, sorted by customer and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.calendar import LocalCalendar

__all__ = ["ADJUSTMENT", "ORDER", "OTHER", "UNMATCHED_REFUND", "EventLog"]

# Kinds of entries.
ORDER = 0  # a completed order, at its earliest line; value is what it was worth at that instant
ADJUSTMENT = 1  # a later change of an order: a late line, or a refund; value is the difference
UNMATCHED_REFUND = 2  # a refund that found no line; lowers value only
OTHER = 3  # anything else a customer did

_ENTRY_COLUMNS = ("occurred_at", "day", "kind", "order", "is_purchase", "value", "event_type")


@dataclass(frozen=True, slots=True, eq=False)
class EventLog:
    """Events of some customers, after refunds have found their orders.

    Each array has one element an entry, in order of customer, then time, unless said otherwise. What an order is worth
    at an instant is its own entry's value plus the adjustments up to then; whether it is a purchase then is what the
    last of these says in `is_purchase`. So one log serves every snapshot.

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
        Index into `event_types`.
    event_types : tuple of str
        Names of events, ascending.
    calendar : LocalCalendar
        The time zone that cut the days.
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

    @property
    def n_customers(self) -> int:
        """Number of customers, those without events included."""
        return len(self.customer_ids)

    def last_purchase_day(self) -> int | None:
        """Local day of the last order in the log, or None without orders."""
        days = self.day[self.kind == ORDER]
        return int(days.max()) if days.size else None

    def before(self, as_of: int) -> EventLog:
        """Return the log as it was known at an instant: entries before it, of all customers."""
        known = self.occurred_at < as_of
        kept: NDArray[np.int64] = np.concatenate(([0], np.cumsum(known, dtype=np.int64)))
        return replace(
            self,
            offsets=kept[self.offsets],
            **{name: getattr(self, name)[known] for name in _ENTRY_COLUMNS},
        )

    @classmethod
    def concatenate(cls, logs: Sequence[EventLog], calendar: LocalCalendar) -> EventLog:
        """Join the logs of different customers into one, ascending by customer again."""
        event_types = tuple(sorted({name for log in logs for name in log.event_types}))
        lengths = [0, *(length for log in logs for length in np.diff(log.offsets))]
        joined = cls(
            customer_ids=tuple(customer_id for log in logs for customer_id in log.customer_ids),
            offsets=np.cumsum(lengths, dtype=np.int64),
            occurred_at=_join([log.occurred_at for log in logs], np.int64),
            day=_join([log.day for log in logs], np.int32),
            kind=_join([log.kind for log in logs], np.int8),
            order=_join([log.order for log in logs], np.int32),
            is_purchase=_join([log.is_purchase for log in logs], np.bool_),
            value=_join([log.value for log in logs], np.float64),
            event_type=_join([_recoded(log, event_types) for log in logs], np.int16),
            event_types=event_types,
            calendar=calendar,
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
        lengths = np.diff(self.offsets)[positions]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        entries = np.repeat(self.offsets[positions] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return EventLog(
            customer_ids=tuple(self.customer_ids[position] for position in positions),
            offsets=offsets,
            occurred_at=self.occurred_at[entries],
            day=self.day[entries],
            kind=self.kind[entries],
            order=self.order[entries],
            is_purchase=self.is_purchase[entries],
            value=self.value[entries],
            event_type=self.event_type[entries],
            event_types=self.event_types,
            calendar=self.calendar,
        )


def _join(columns: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(columns) if columns else np.empty(0, dtype=dtype)


def _recoded(log: EventLog, event_types: tuple[str, ...]) -> NDArray[np.int16]:
    codes = np.array([event_types.index(name) for name in log.event_types], dtype=np.int16)
    return codes[log.event_type] if codes.size else log.event_type
