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

__all__ = ["Attribute", "AttributeVersions", "CustomerFacts", "read_attributes", "read_facts", "read_versions"]


_VERSION = "name, customer_key, learnt_at, sequence_number, kind, number, text"


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


@dataclass(frozen=True, slots=True, eq=False)
class AttributeVersions:
    """All versions of all attributes of some customers, one element each, by name, customer and time.

    Attributes
    ----------
    n_customers : int
    names : tuple of str
    name : int64
        Which of `names`.
    customer : int64
        Position among the customers.
    learnt_at : int64
        Microseconds since 1970-01-01 UTC.
    sequence_number : int64
        Of the transaction that wrote it.
    kinds : tuple of str
    kind : int64
        Which of `kinds`.
    number : float64
        NaN of other kinds.
    texts : TextCodes
    text : int64
        Which of `texts`, -1 of numbers.
    """

    n_customers: int
    names: tuple[str, ...]
    name: NDArray[np.int64]
    customer: NDArray[np.int64]
    learnt_at: NDArray[np.int64]
    sequence_number: NDArray[np.int64]
    kinds: tuple[str, ...]
    kind: NDArray[np.int64]
    number: NDArray[np.float64]
    texts: TextCodes
    text: NDArray[np.int64]

    def attributes(self) -> Attributes:
        """Return them as features are built from; one that came as different kinds is a category."""
        ends = np.cumsum(np.bincount(self.name, minlength=len(self.names)))
        everybody = np.arange(self.n_customers + 1)
        versions = {
            name: _Versions(
                np.searchsorted(self.customer[mine], everybody),
                self.learnt_at[mine],
                {self.kinds[code] for code in np.unique(self.kind[mine]).tolist()},
                self.number[mine],
                self.text[mine],
            )
            for name, mine in zip(self.names, map(slice, np.append(0, ends[:-1]), ends), strict=True)
        }
        columns = {name: _column(versions[name], self.texts) for name in sorted(versions)}
        return Attributes(columns, self.n_customers) if columns else Attributes.empty(self.n_customers)


def read_attributes(session: Session, customers: CustomerKeys, which: str | None = None) -> Attributes:
    """Read all attributes of some customers, as `read_versions` does, for features to be built from."""
    return read_versions(session, customers, which).attributes()


def read_versions(
    session: Session, customers: CustomerKeys, which: str | None = None, *, upto: int | None = None
) -> AttributeVersions:
    """Read all versions of all attributes of some customers, by index.

    Parameters
    ----------
    session : Session
    customers : CustomerKeys
    which : str, optional
        Condition that their keys and no others meet, from `among` or `between`; without it `among` is used.
    upto : int, optional
        Only what was written up to this sequence number, as it was then.
    """
    condition = among(customers.keys) if which is None else which
    statement = f"SELECT {_VERSION} FROM customer_attribute WHERE customer_key {condition}"
    if upto is not None:
        seen = f"customer_key {condition} AND sequence_number <= {upto}"
        statement = (
            f"SELECT {_VERSION} FROM customer_attribute WHERE {seen} "
            f"UNION ALL SELECT {_VERSION} FROM replaced_attribute WHERE {seen} AND replaced_by > {upto}"
        )
    names, kinds, texts = TextCodes(), TextCodes(), TextCodes()
    blocks = [(np.empty(0, dtype=np.int64),) * 5 + (np.empty(0), np.empty(0, dtype=np.int64))]
    for rows in read_blocks(session, statement):
        name, key, learnt_at, sequence_number, kind, number, text = zip(*rows, strict=True)
        blocks.append(
            (
                np.array(names.of(name), dtype=np.int64),
                np.array(key, dtype=np.int64),
                np.array(learnt_at, dtype=np.int64),
                np.array(sequence_number, dtype=np.int64),
                np.array(kinds.of(kind), dtype=np.int64),
                np.array(number, dtype=np.float64),  # NULL becomes NaN
                np.array(texts.of(text), dtype=np.int64),
            )
        )
    name_of_row, keys, learnt, numbered, kind_of_row, numbers, text_of_row = (
        np.concatenate(parts) for parts in zip(*blocks, strict=True)
    )
    position = customers.positions(keys)
    in_order = np.lexsort((learnt, position, name_of_row))
    return AttributeVersions(
        n_customers=len(customers.keys),
        names=names.texts,
        name=name_of_row[in_order],
        customer=position[in_order],
        learnt_at=learnt[in_order],
        sequence_number=numbered[in_order],
        kinds=kinds.texts,
        kind=kind_of_row[in_order],
        number=numbers[in_order],
        texts=texts,
        text=text_of_row[in_order],
    )


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
