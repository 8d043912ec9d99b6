"""Reading events: of one customer, of a few, of all in chunks, as `EventLog`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import net
from store.customer_keys import (
    CustomerKeys,
    among,
    customers_between,
    find_customer,
    find_customers,
    highest_key,
)
from store.customers import read_attributes
from store.engine import Database
from store.event_rows import ORDER_COMPLETED, REFUND_EVENTS, read_raw, read_raw_and_identities

__all__ = [
    "ORDER_COMPLETED",
    "REFUND_EVENTS",
    "CustomerKeys",
    "find_customer",
    "find_customers",
    "key_ranges",
    "read_chunks",
    "read_events",
    "read_log",
    "read_range",
    "unmatched_refunds",
]

_CUSTOMERS_A_CHUNK = 20_000


def read_events(
    session: Session, customers: CustomerKeys, calendar: LocalCalendar, properties_of: Collection[str] = ()
) -> EventLog:
    """Read what up to a few thousand customers did and what was learnt of them, each by index.

    Parameters
    ----------
    session : Session
    customers : CustomerKeys
    calendar : LocalCalendar
    properties_of : collection of str
        Names of the events whose properties are read too.
    """
    return _read(session, customers, among(customers.keys), calendar, properties_of)


def read_chunks(
    database: Database,
    calendar: LocalCalendar,
    customers_a_chunk: int = _CUSTOMERS_A_CHUNK,
    properties_of: Collection[str] = (),
) -> Iterator[tuple[CustomerKeys, EventLog, float]]:
    """Read all customers and what is known of them, some customers at a time, so that memory is bounded.

    Each chunk is one short read transaction.

    Parameters
    ----------
    database : Database
    calendar : LocalCalendar
    customers_a_chunk : int
    properties_of : collection of str
        Names of events whose properties are read.

    Yields
    ------
    customers : CustomerKeys
        Neighbours by key, ascending by id within the chunk.
    log : EventLog
        Theirs.
    done : float
        Share of all customers read so far, up to 1.
    """
    for low, high, done in key_ranges(database, customers_a_chunk):
        customers, log = read_range(database, low, high, calendar, properties_of)
        if customers.customer_ids:
            yield customers, log, done


def key_ranges(database: Database, customers_a_chunk: int = _CUSTOMERS_A_CHUNK) -> list[tuple[int, int, float]]:
    """Return (lowest key, highest key, share done by then) of the chunks that hold all customers."""
    with database.read() as session:
        last = highest_key(session)
    lows = range(1, last + 1, customers_a_chunk)
    return [(low, low + customers_a_chunk - 1, min((low + customers_a_chunk - 1) / last, 1.0)) for low in lows]


def read_range(
    database: Database, low: int, high: int, calendar: LocalCalendar, properties_of: Collection[str] = ()
) -> tuple[CustomerKeys, EventLog]:
    """Read the customers of a range of keys, and what is known of them, in one short read transaction."""
    with database.read() as session:
        customers, which = customers_between(session, low, high)
        return customers, _read(session, customers, which, calendar, properties_of)


def read_log(
    database: Database,
    calendar: LocalCalendar,
    progress: Callable[[float], None] = lambda _: None,
    properties_of: Collection[str] = (),
) -> EventLog:
    """Read all customers and what is known of them at once, for training.

    Parameters
    ----------
    database : Database
    calendar : LocalCalendar
    progress : callable
        Told the share done.
    properties_of : collection of str
        Names of events whose properties are read.
    """
    logs = []
    for _, log, done in read_chunks(database, calendar, properties_of=properties_of):
        logs.append(log)
        progress(done)
    return EventLog.concatenate(logs, calendar)


def unmatched_refunds(session: Session, keys: Sequence[int]) -> set[bytes]:
    """Identities of the refund rows of these customers that found no line to take back, wholly or in part.

    Parameters
    ----------
    keys : sequence of int
        Internal keys of customers.

    Returns
    -------
    set of bytes
        The identity of the line, or of the event where it has no lines.
    """
    some = np.array(sorted(keys), dtype=np.int64)
    customers = CustomerKeys(tuple(str(key) for key in some), some)
    raw, identities = read_raw_and_identities(session, customers, among(some))
    # The time zone decides days, not which line a refund finds.
    _, unmatched = net(raw, LocalCalendar("UTC"))
    return {identities[position] for position in np.flatnonzero(unmatched).tolist()}


def _read(
    session: Session,
    customers: CustomerKeys,
    which: str,
    calendar: LocalCalendar,
    properties_of: Collection[str] = (),
) -> EventLog:
    log, _ = net(read_raw(session, customers, which, properties_of), calendar)
    return replace(log, attributes=read_attributes(session, customers, which))
