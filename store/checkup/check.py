"""The whole checkup: reads, asks every check, and says what was looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import select

from store.checkup import ids, orders, sending, times
from store.checkup.finding import SEVERITIES, Finding, percent
from store.checkup.sample import (
    CustomerSample,
    EventSample,
    RefundSample,
    RejectedSample,
    Sizes,
    read_customers,
    read_events,
    read_refunds,
    read_rejected,
)
from store.engine import Database
from store.sources import read_hours
from store.tables import Customer

__all__ = ["Checkup", "check"]


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a checkup found, the worst first.

    Attributes
    ----------
    findings : sequence of Finding
    looked_at : sequence of str
        In words: how much was read, and whether that was all.
    checks : sequence of str
        In words: what was asked of it.
    checked_at : datetime
    """

    findings: Sequence[Finding]
    looked_at: Sequence[str]
    checks: Sequence[str]
    checked_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "checked_at": self.checked_at.isoformat(),
            "findings": [finding.to_dict() for finding in self.findings],
            "looked_at": list(self.looked_at),
            "checks": list(self.checks),
        }


_CHECKS = (
    "silent sources",
    "rejected rows",
    "rows that were there already",
    "clocks and time zones",
    "times before 1990 and at one instant",
    "customers with implausibly many events",
    "ids that changed shape, look alike or are e-mail addresses",
    "order values and units",
    "orders without products",
    "refunds without a purchase",
)


def check(
    database: Database,
    *,
    now: datetime,
    sizes: Sizes | None = None,
    progress: Callable[[str, float], None] = lambda _step, _done: None,
) -> Checkup:
    """Say what is wrong with the data.

    Parameters
    ----------
    database : Database
    now : datetime
        By which a source is silent.
    sizes : Sizes, optional
        How much is read at most.
    progress : callable
        Told each step and the share of it that is done.
    """
    sizes = sizes or Sizes()
    with database.read() as session:
        hours, rejected = read_hours(session), read_rejected(session, sizes)
    events = read_events(database, sizes, partial(progress, "Reading events"))
    customers = read_customers(database, sizes, partial(progress, "Reading customers"))
    refunds = read_refunds(database, events, sizes, partial(progress, "Netting refunds"))
    findings = [
        *sending.silent_sources(hours, now),
        *sending.rejected_rows(hours, rejected),
        *sending.duplicates(hours),
        *times.clock_skew(events),
        *times.before_1990(events),
        *times.at_one_instant(events),
        *times.busy_customers(events, partial(_ids_of, database)),
        *ids.changed_shape(customers, events),
        *ids.email_addresses(customers),
        *ids.lookalikes(customers),
        *orders.order_values(events),
        *orders.unlike_units(events),
        *orders.without_products(events),
        *orders.unmatched_refunds(refunds),
    ]
    return Checkup(
        sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)),
        _looked_at(events, customers, refunds, rejected),
        _CHECKS,
        now,
    )


def _ids_of(database: Database, keys: Sequence[int]) -> Mapping[int, str]:
    with database.read() as session:
        rows = session.execute(
            select(Customer.id, Customer.customer_id).where(Customer.id.in_(keys), Customer.erased_at.is_(None))
        )
        return dict(rows.all())


def _looked_at(
    events: EventSample, customers: CustomerSample, refunds: RefundSample, rejected: RejectedSample
) -> list[str]:
    n_sources = len(events.sources)
    return [
        f"{n_sources:,} source{'' if n_sources == 1 else 's'}",
        _part(len(events.event), "events", events.share),
        f"{int(np.count_nonzero(events.is_order)):,} orders among them",
        _part(len(customers.key), "customers", customers.share),
        f"{refunds.rows:,} rows of refunds, of {refunds.customers:,} customers",
        f"{rejected.rows:,} rejected rows",
    ]


def _part(n: int, what: str, share: float) -> str:
    return f"all {n:,} {what}" if share == 1.0 else f"a sample of {n:,} {what}, {percent(share)} of them"
