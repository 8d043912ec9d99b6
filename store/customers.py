"""What is stored of customers besides scores: their attributes, and, of one, its events in sum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from features.attributes import AttributeColumn, Attributes, as_date, as_text
from store.bulk_read import read_blocks
from store.customer_keys import CustomerKeys, among
from store.names import TextCodes
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
    statement = (
        "SELECT name, customer_key, learnt_at, kind, number, text FROM customer_attribute "
        f"WHERE customer_key {condition}"
    )
    names, kinds, texts = TextCodes(), TextCodes(), TextCodes()
    blocks = []
    for rows in read_blocks(session, statement):
        name, key, learnt_at, kind, number, text = zip(*rows, strict=True)
        blocks.append(
            (
                np.array(names.of(name), dtype=np.int64),
                np.array(key, dtype=np.int64),
                np.array(learnt_at, dtype=np.int64),
                np.array(kinds.of(kind), dtype=np.int64),
                np.array(number, dtype=np.float64),  # NULL becomes NaN
                np.array(texts.of(text), dtype=np.int64),
            )
        )
    if not blocks:
        return Attributes.empty(len(customers.keys))
    name_of_row, keys, learnt, kind_of_row, numbers, text_of_row = (
        np.concatenate(parts) for parts in zip(*blocks, strict=True)
    )
    position = customers.positions(keys)
    in_order = np.lexsort((learnt, position, name_of_row))
    ends = np.cumsum(np.bincount(name_of_row, minlength=len(names.texts)))
    everybody = np.arange(len(customers.keys) + 1)
    versions = {
        name: _Versions(
            np.searchsorted(position[mine], everybody),
            learnt[mine],
            {kinds.texts[code] for code in np.unique(kind_of_row[mine]).tolist()},
            numbers[mine],
            text_of_row[mine],
        )
        for name, mine in zip(names.texts, np.split(in_order, ends[:-1]), strict=True)
    }
    return Attributes({name: _column(versions[name], texts) for name in sorted(versions)}, len(customers.keys))


class _Versions(NamedTuple):
    """All versions of one attribute, by customer and time.

    Attributes
    ----------
    offsets : int64
        Those of customer i are `offsets[i]:offsets[i + 1]`.
    learnt_at : int64
    kinds : set of str
        Those that occur.
    numbers : float64
        NaN of other kinds.
    texts : int64
        Codes; -1 of numbers.
    """

    offsets: NDArray[np.int64]
    learnt_at: NDArray[np.int64]
    kinds: set[str]
    numbers: NDArray[np.float64]
    texts: NDArray[np.int64]


def _column(versions: _Versions, texts: TextCodes) -> AttributeColumn:
    offsets, learnt_at, kinds, numbers, codes = versions
    if kinds == {"number"}:
        return AttributeColumn("number", offsets, learnt_at, numbers)
    is_number = codes < 0
    if is_number.any():
        codes[is_number] = texts.of(map(as_text, numbers[is_number].tolist()))
    used, written = np.unique(codes, return_inverse=True)
    by_code = texts.texts
    met = [by_code[code] for code in used.tolist()]
    if kinds == {"date"}:
        return AttributeColumn("date", offsets, learnt_at, np.array(list(map(as_date, met)), dtype=np.float64)[written])
    categories = sorted(met)
    ranks = {category: i for i, category in enumerate(categories)}
    values = np.array([ranks[category] for category in met], dtype=np.float64)[written]
    return AttributeColumn("category", offsets, learnt_at, values, tuple(categories))
