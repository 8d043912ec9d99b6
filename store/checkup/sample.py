"""What the checkup reads: events and customers in blocks of neighbours by key, all of them or evenly spread ones.

Neighbours came one after another, so that a burst stays whole in its block. Each block is one short read transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.bulk_read import Column, Kind, read_blocks, read_columns
from store.customer_keys import among, between
from store.engine import Database
from store.events import ORDER_COMPLETED, REFUND_EVENTS, unmatched_refunds
from store.tables import Customer, Event, EventType, RejectedRow, Source

__all__ = [
    "CustomerSample",
    "EventSample",
    "RefundSample",
    "RejectedSample",
    "Sizes",
    "read_customers",
    "read_events",
    "read_refunds",
    "read_rejected",
]

Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is read at most, and how much at once."""

    most_events: int = 1_000_000
    most_customers: int = 200_000
    most_refunding: int = 2_000
    most_rejected: int = 200_000
    rows_a_block: int = 20_000
    customers_a_netting: int = 250


@dataclass(frozen=True, slots=True, eq=False)
class EventSample:
    """Some or all events, ascending by key; arrays have one element an event.

    Attributes
    ----------
    sources : tuple of str
        Names.
    source : int64
        Position among `sources`.
    event, customer : int64
        Keys.
    occurred_at, reported_at, received_at : int64
        Microseconds since 1970-01-01 UTC; `reported_at` is the sender's own.
    is_order, is_refund : bool
    value : float64
        Of lines their sum; NaN without any.
    has_products : bool
        Whether a line of it names a product.
    share : float
        How much of all keys was looked at: 1 if all.
    """

    sources: tuple[str, ...]
    source: NDArray[np.int64]
    event: NDArray[np.int64]
    customer: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    reported_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    is_order: NDArray[np.bool_]
    is_refund: NDArray[np.bool_]
    value: NDArray[np.float64]
    has_products: NDArray[np.bool_]
    share: float = 1.0

    def by_source(self, of: NDArray[np.bool_] | None = None) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield each source that has any with the positions of its events, ascending by key; of some events only."""
        for code, name in enumerate(self.sources):
            mine = self.source == code
            positions = np.flatnonzero(mine if of is None else mine & of)
            if len(positions):
                yield name, positions


@dataclass(frozen=True, slots=True, eq=False)
class CustomerSample:
    """Some or all customers, by key.

    Attributes
    ----------
    key : int64
    created_at : int64
        When each was first heard of, in microseconds since 1970-01-01 UTC.
    customer_ids : tuple of str
    share : float
        How much of all keys was looked at: 1 if all.
    """

    key: NDArray[np.int64]
    created_at: NDArray[np.int64]
    customer_ids: tuple[str, ...]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class RefundSample:
    """Customers with refunds that were looked at, rows of their refunds, and how many of these found no purchase."""

    customers: int
    rows: int
    unmatched: int


@dataclass(frozen=True, slots=True)
class RejectedSample:
    """Kept rejected rows: by source and code their number, and one of the reasons; how many were looked at."""

    by_source: dict[str, dict[str, tuple[int, str]]]
    rows: int


def read_events(database: Database, sizes: Sizes, progress: Told) -> EventSample:
    """Read events and what their lines come to."""
    with database.read() as session:
        names = dict(session.execute(select(Source.id, Source.name)).all())
        types = dict(session.execute(select(EventType.name, EventType.id)).all())
    blocks, share = _blocks(database, Event.id, sizes.most_events, sizes.rows_a_block)
    parts = []
    for i, (low, high) in enumerate(blocks, start=1):
        with database.read() as session:
            parts.append(_read_block(session, between(low, high)))
        progress(i / len(blocks))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else _NO_EVENTS
    in_order = np.argsort(columns["event"])
    columns = {name: column[in_order] for name, column in columns.items()}
    sources = tuple(sorted(names.values()))
    position = np.zeros(max(names, default=0) + 1, dtype=np.int64)
    for key, name in names.items():
        position[key] = sources.index(name)
    event_type = columns.pop("event_type")
    columns["source"] = position[columns["source"]]
    return EventSample(
        sources=sources,
        is_order=event_type == types.get(ORDER_COMPLETED, -1),
        is_refund=np.isin(event_type, [types[name] for name in REFUND_EVENTS if name in types]),
        share=share,
        **columns,
    )


def read_customers(database: Database, sizes: Sizes, progress: Told) -> CustomerSample:
    """Read the ids of customers who stand for themselves and are not being erased."""
    blocks, share = _blocks(database, Customer.id, sizes.most_customers, sizes.rows_a_block)
    rows: list[tuple[int, int, str]] = []
    for i, (low, high) in enumerate(blocks, start=1):
        statement = (
            f"SELECT id, created_at, customer_id FROM customer WHERE id {between(low, high)} "
            "AND merged_into IS NULL AND erased_at IS NULL"
        )
        with database.read() as session:
            for found in read_blocks(session, statement):
                rows += found
        progress(i / len(blocks))
    rows.sort()
    key, created_at = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    return CustomerSample(key, created_at, tuple(row[2] for row in rows), share)


def read_refunds(database: Database, events: EventSample, sizes: Sizes, progress: Told) -> RefundSample:
    """Net the events of customers of a sample who have refunds; those with the longest histories are left out."""
    customers, n_events = np.unique(events.customer, return_counts=True)
    few_enough = customers[n_events <= sizes.rows_a_block // 2]
    refunding = np.intersect1d(events.customer[events.is_refund], few_enough)
    chosen = refunding[_spread(len(refunding), sizes.most_refunding)]
    names = ", ".join(f"'{name}'" for name in REFUND_EVENTS)
    rows = unmatched = 0
    for start in range(0, len(chosen), sizes.customers_a_netting):
        some = chosen[start : start + sizes.customers_a_netting]
        statement = (
            "SELECT count(*) FROM event e LEFT JOIN order_line l ON l.event_id = e.id "
            f"WHERE e.customer_key {among(some)} "
            f"AND e.event_type_id IN (SELECT id FROM event_type WHERE name IN ({names}))"
        )
        with database.read() as session:
            rows += next(read_blocks(session, statement))[0][0]
            unmatched += len(unmatched_refunds(session, some.tolist()))
        progress((start + len(some)) / len(chosen))
    return RefundSample(len(chosen), rows, unmatched)


def read_rejected(session: Session, sizes: Sizes) -> RejectedSample:
    """Read why rows were rejected, of as many as are kept or looked at."""
    some = select(RejectedRow.source_id, RejectedRow.code, RejectedRow.reason).limit(sizes.most_rejected).subquery()
    counted = session.execute(
        select(Source.name, some.c.code, func.count(), func.min(some.c.reason))
        .join(Source, Source.id == some.c.source_id)
        .group_by(Source.name, some.c.code)
        .order_by(Source.name, func.count().desc(), some.c.code)
    ).all()
    by_source: dict[str, dict[str, tuple[int, str]]] = {}
    for source, code, rows, reason in counted:
        by_source.setdefault(source, {})[code] = (rows, reason)
    return RejectedSample(by_source, sum(rows for _, _, rows, _ in counted))


_EVENT_COLUMNS = {
    "event": Column("e.id"),
    "customer": Column("e.customer_key"),
    "source": Column("e.source_id"),
    "event_type": Column("e.event_type_id"),
    "occurred_at": Column("e.occurred_at"),
    "reported_at": Column("coalesce(e.reported_at, e.occurred_at)"),
    "received_at": Column("e.received_at"),
    "value": Column("e.value", Kind.NUMBER),
}
_SUM_COLUMNS = {
    "event": Column("l.event_id"),
    "value": Column("l.value", Kind.NUMBER),
    "products": Column("l.products"),
}
_NO_EVENTS: dict[str, NDArray[Any]] = {
    **{name: np.empty(0, dtype=np.int64) for name in _EVENT_COLUMNS if name != "value"},
    "value": np.empty(0),
    "has_products": np.empty(0, dtype=np.bool_),
}


def _read_block(session: Session, which: str) -> dict[str, NDArray[Any]]:
    events = read_columns(session, _EVENT_COLUMNS, f"FROM event e WHERE e.id {which}", "e.source_id")
    # Summed by the engine, since the lines may be many times the events.
    lines = read_columns(
        session,
        _SUM_COLUMNS,
        "FROM (SELECT event_id, sum(value) AS value, count(product_key) AS products FROM order_line "
        f"WHERE event_id {which} GROUP BY event_id) AS l",
        "l.event_id % 8",
    )
    by_id = np.argsort(events["event"])
    of_line = by_id[np.searchsorted(events["event"], lines["event"], sorter=by_id)]
    events["value"][of_line] = lines["value"]
    has_products = np.zeros(len(by_id), dtype=np.bool_)
    has_products[of_line] = lines["products"] > 0
    return {**events, "has_products": has_products}


def _blocks(
    database: Database, key: InstrumentedAttribute[int], most_rows: int, rows_a_block: int
) -> tuple[list[tuple[int, int]], float]:
    """Return the lowest and highest key of each block to read, and the share of all blocks that these are."""
    with database.read() as session:
        low, high = session.scalar(select(func.min(key))), session.scalar(select(func.max(key)))
    if low is None or high is None:
        return [], 1.0
    starts = np.arange(low, high + 1, rows_a_block)
    chosen = starts[_spread(len(starts), max(most_rows // rows_a_block, 2))]
    return [(start, start + rows_a_block - 1) for start in chosen.tolist()], len(chosen) / len(starts)


def _spread(n: int, most: int) -> NDArray[np.int64]:
    """Return all of n positions, or as many as wanted, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
