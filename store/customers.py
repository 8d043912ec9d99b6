"""What is stored of one customer besides scores: attributes as last learnt, and events in sum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.tables import CustomerAttribute, Event
from store.tables.base import from_microseconds

__all__ = ["Attribute", "CustomerFacts", "read_facts"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute, as last learnt; `learnt_at` is None for what was always known."""

    name: str
    value: float | str
    learnt_at: datetime | None


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """Attributes ascending by name; number and span of the events stored."""

    attributes: tuple[Attribute, ...]
    events: int
    first_event_at: datetime | None
    last_event_at: datetime | None


def read_facts(session: Session, customer_key: int) -> CustomerFacts:
    """Read what is stored of one customer, by index."""
    learnt = session.scalars(
        select(CustomerAttribute)
        .where(CustomerAttribute.customer_key == customer_key)
        .order_by(CustomerAttribute.name, CustomerAttribute.learnt_at)
    )
    latest = {row.name: row for row in learnt}
    events, first, last = session.execute(
        select(func.count(), func.min(Event.occurred_at), func.max(Event.occurred_at)).where(
            Event.customer_key == customer_key
        )
    ).one()
    return CustomerFacts(tuple(_attribute(row) for row in latest.values()), events, first, last)


def _attribute(row: CustomerAttribute) -> Attribute:
    value = row.number if row.kind == "number" else row.text
    learnt_at = from_microseconds(row.learnt_at) if row.learnt_at else None
    return Attribute(row.name, "" if value is None else value, learnt_at)
