"""What is stored of customers besides scores: their attributes, and, of one, its events in sum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from features.attributes import AttributeColumn, Attributes, as_date, as_text
from store.customer_keys import CustomerKeys, among
from store.tables import CustomerAttribute, Event
from store.tables.base import from_microseconds

__all__ = ["Attribute", "CustomerFacts", "read_attributes", "read_facts"]


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


def read_attributes(session: Session, customers: CustomerKeys, which: str | None = None) -> Attributes:
    """Read all versions of all attributes of some customers, by index.

    An attribute that came as different kinds from different files is a category.

    Parameters
    ----------
    session : Session
    customers : CustomerKeys
    which : str, optional
        Condition that their keys and no others meet, from `among` or `between`; without it `among` is used.
    """
    condition = among(customers.keys) if which is None else which
    rows = session.execute(
        text(
            "SELECT name, customer_key, learnt_at, kind, number, text FROM customer_attribute "
            f"WHERE customer_key {condition}"
        )
    ).all()
    if not rows:
        return Attributes.empty(len(customers.keys))
    name_of_row, *columns = zip(*rows, strict=True)
    keys, learnt_at = (np.array(column, dtype=np.int64) for column in columns[:2])
    kinds, texts = np.array(columns[2], dtype=np.object_), np.array(columns[4], dtype=np.object_)
    numbers = np.array(columns[3], dtype=np.float64)

    names = sorted(set(name_of_row))
    code = {name: i for i, name in enumerate(names)}
    names_coded = np.array([code[name] for name in name_of_row], dtype=np.int64)
    position = customers.positions(keys)
    in_order = np.lexsort((learnt_at, position, names_coded))
    ends = np.cumsum(np.bincount(names_coded, minlength=len(names)))
    everybody = np.arange(len(customers.keys) + 1)
    return Attributes(
        {
            name: _column(
                np.searchsorted(position[mine], everybody), learnt_at[mine], kinds[mine], numbers[mine], texts[mine]
            )
            for name, mine in zip(names, np.split(in_order, ends[:-1]), strict=True)
        },
        len(customers.keys),
    )


def _column(
    offsets: NDArray[np.int64],
    learnt_at: NDArray[np.int64],
    kinds: NDArray[np.object_],
    numbers: NDArray[np.float64],
    texts: NDArray[np.object_],
) -> AttributeColumn:
    of_kinds = set(kinds.tolist())
    if of_kinds == {"number"}:
        return AttributeColumn("number", offsets, learnt_at, numbers)
    if of_kinds == {"date"}:
        days = {date: as_date(date) for date in set(texts.tolist())}
        values = np.array([days[date] for date in texts.tolist()], dtype=np.float64)
        return AttributeColumn("date", offsets, learnt_at, values)
    is_number = kinds == "number"
    written = texts.copy()
    written[is_number] = [as_text(number) for number in numbers[is_number].tolist()]
    categories, codes = np.unique(written, return_inverse=True)
    return AttributeColumn("category", offsets, learnt_at, codes.astype(np.float64), tuple(categories.tolist()))
