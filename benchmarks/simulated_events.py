"""A log of orders and other events, in memory and in order: what the benchmark of features works on."""

from __future__ import annotations

import numpy as np

from benchmarks.simulated_purchases import AS_OF
from features.calendar import LocalCalendar
from features.event_log import ORDER, OTHER, EventLog
from features.windows import Snapshot

__all__ = ["EVENT_NAMES", "UTC", "event_log", "snapshots"]

UTC = LocalCalendar("UTC")
EVENT_NAMES = ("Email Clicked", "Email Opened", "Order Completed", "Product Viewed", "Session Started")
_SHARES = (0.05, 0.15, 0.25, 0.3, 0.25)
_ORDER = EVENT_NAMES.index("Order Completed")
_DAYS = 1_095
_SECONDS = _DAYS * 86_400


def event_log(customers: int, events_a_customer: int, seed: int = 1) -> EventLog:
    """Draw customers who all have the same number of events on average, some far more than others (geometric)."""
    random = np.random.default_rng(seed)
    n_events = random.geometric(1 / events_a_customer, customers)
    offsets = np.concatenate(([0], np.cumsum(n_events)))
    customer = np.repeat(np.arange(customers), n_events)
    since = random.integers(0, _SECONDS, len(customer))
    # By customer, then time: one number holds both.
    since = np.sort(customer * _SECONDS + since) - customer * _SECONDS
    end = Snapshot.at(AS_OF, UTC).as_of
    occurred_at = end - (_SECONDS - since) * 1_000_000
    event_type = random.choice(len(EVENT_NAMES), size=len(customer), p=_SHARES).astype(np.int16)
    is_order = event_type == _ORDER
    position = np.arange(len(customer)) - np.repeat(offsets[:-1], n_events)
    return EventLog(
        customer_ids=tuple(f"{number:08}" for number in range(customers)),
        offsets=offsets,
        occurred_at=occurred_at,
        day=UTC.days(occurred_at),
        kind=np.where(is_order, ORDER, OTHER).astype(np.int8),
        order=np.where(is_order, position, -1).astype(np.int32),
        is_purchase=is_order,
        value=np.where(is_order, random.integers(100, 9_000, len(customer)) / 100, 0.0),
        event_type=event_type,
        event_types=EVENT_NAMES,
        calendar=UTC,
    )


def snapshots(number: int, days_apart: int) -> list[Snapshot]:
    """Return the last snapshots of the log, oldest first, the newest at its end."""
    newest = Snapshot.at(AS_OF, UTC)
    return [newest.after(-days_apart * back, UTC) for back in reversed(range(number))]
