"""Reading events: of one customer, of a few, of all in chunks, as `EventLog`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, RawEvents, net
from store.engine import Database
from store.exceptions import UnknownCustomerError
from store.tables import Customer, EventType

__all__ = [
    "ORDER_COMPLETED",
    "REFUND_EVENTS",
    "CustomerKeys",
    "find_customer",
    "find_customers",
    "read_chunks",
    "read_events",
    "read_log",
    "unmatched_refunds",
]

ORDER_COMPLETED = "Order Completed"
REFUND_EVENTS = ("Order Cancelled", "Order Refunded")

_CUSTOMERS_A_CHUNK = 20_000
_KEYS_A_STATEMENT = 500

# Characters that no stored text has and that drivers refuse: NUL, and halves of a pair.
_NEVER_STORED = re.compile(r"[\0\ud800-\udfff]")

_COLUMNS = """
SELECT e.customer_key, coalesce(l.occurred_at, e.occurred_at), e.event_type_id, e.id, e.order_key, l.product_key,
       l.quantity, CASE WHEN l.event_id IS NULL THEN e.value ELSE l.value END, coalesce(l.identity, e.identity)
FROM event e LEFT JOIN order_line l ON l.event_id = e.id
"""


class CustomerKeys(NamedTuple):
    """All customers, ascending by `customer_id` in code-point order."""

    customer_ids: tuple[str, ...]
    keys: NDArray[np.int64]


def find_customers(session: Session, customer_ids: Sequence[str]) -> CustomerKeys:
    """Read the keys of these customers, ascending by id; ids that nobody has are left out."""
    possible = [customer_id for customer_id in customer_ids if not _NEVER_STORED.search(customer_id)]
    rows: set[tuple[str, int]] = set()
    for start in range(0, len(possible), _KEYS_A_STATEMENT):
        wanted = possible[start : start + _KEYS_A_STATEMENT]
        found = session.execute(select(Customer.customer_id, Customer.id).where(Customer.customer_id.in_(wanted)))
        rows.update((row[0], row[1]) for row in found)
    return _customer_keys(sorted(rows))


def find_customer(session: Session, customer_id: str) -> CustomerKeys:
    """Read the key of one customer; raises `UnknownCustomerError`."""
    customers = find_customers(session, [customer_id])
    if not customers.customer_ids:
        raise UnknownCustomerError(f"No customer has the id {customer_id!r}.")
    return customers


def read_events(session: Session, customers: CustomerKeys, calendar: LocalCalendar) -> EventLog:
    """Read the events of up to a few thousand customers, each by the index on customer and time."""
    return _net(session, customers, _among(customers.keys), calendar)


def read_chunks(
    database: Database, calendar: LocalCalendar, customers_a_chunk: int = _CUSTOMERS_A_CHUNK
) -> Iterator[tuple[CustomerKeys, EventLog, float]]:
    """Read all customers and their events, some customers at a time, so that memory is bounded.

    Each chunk is one short read transaction.

    Yields
    ------
    customers : CustomerKeys
        Neighbours by key, ascending by id within the chunk.
    log : EventLog
        Theirs.
    done : float
        Share of all customers read so far, up to 1.
    """
    with database.read() as session:
        highest = session.scalar(select(func.max(Customer.id))) or 0
    for low in range(0, highest, customers_a_chunk):
        high = low + customers_a_chunk
        of_chunk = select(Customer.customer_id, Customer.id).where(Customer.id.between(low + 1, high))
        with database.read() as session:
            customers = _customer_keys(session.execute(of_chunk.order_by(Customer.customer_id)))
            if not customers.customer_ids:
                continue
            log = _net(session, customers, f"e.customer_key BETWEEN {low + 1} AND {high}", calendar)
        yield customers, log, min(high / highest, 1.0)


def read_log(
    database: Database, calendar: LocalCalendar, progress: Callable[[float], None] = lambda _: None
) -> EventLog:
    """Read all customers and their events at once, for training; `progress` is told the share done."""
    logs = []
    for _, log, done in read_chunks(database, calendar):
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
    rows = _rows(session, _among(some))
    # The time zone decides days, not which line a refund finds.
    _, unmatched = net(_raw(session, customers, rows), LocalCalendar("UTC"))
    return {bytes(rows[position][8]) for position in np.flatnonzero(unmatched).tolist()}


def _among(keys: NDArray[np.int64]) -> str:
    # Keys are our own integers; as literals one statement serves both engines without a temporary table.
    return f"e.customer_key IN ({', '.join(str(key) for key in keys) or 'NULL'})"


def _customer_keys(rows: Iterable[Any]) -> CustomerKeys:
    found = list(rows)
    return CustomerKeys(tuple(row[0] for row in found), np.array([row[1] for row in found], dtype=np.int64))


def _rows(session: Session, where: str) -> Sequence[Any]:
    """Read rows of `_COLUMNS` by customer, time and identity: an order that does not depend on how they were stored."""
    return session.execute(text(f"{_COLUMNS} WHERE {where} ORDER BY 1, 2, 9")).all()


def _net(session: Session, customers: CustomerKeys, where: str, calendar: LocalCalendar) -> EventLog:
    return net(_raw(session, customers, _rows(session, where)), calendar)[0]


def _raw(session: Session, customers: CustomerKeys, rows: Sequence[Any]) -> RawEvents:
    """Turn rows of `_COLUMNS` into columns."""
    names = dict(session.execute(select(EventType.id, EventType.name)).all())
    event_types = tuple(sorted(names.values()))
    code = {key: event_types.index(name) for key, name in names.items()}
    action = {key: _action(name) for key, name in names.items()}
    keys, occurred_at, types, group, order_key, product, quantity, value, _ = (
        zip(*rows, strict=True) if rows else [()] * 9
    )
    by_key = np.argsort(customers.keys)
    position = by_key[np.searchsorted(customers.keys[by_key], np.array(keys, dtype=np.int64))]
    return RawEvents(
        customer_ids=customers.customer_ids,
        customer=position.astype(np.int64),
        occurred_at=np.array(occurred_at, dtype=np.int64),
        action=np.array([action[key] for key in types], dtype=np.int8),
        group=np.array(group, dtype=np.int64),
        order_key=np.array([NO_ORDER if key is None else key for key in order_key], dtype=np.int64),
        product=np.array([NO_PRODUCT if key is None else key for key in product], dtype=np.int64),
        quantity=np.array(quantity, dtype=np.float64),
        value=np.array(value, dtype=np.float64),
        event_type=np.array([code[key] for key in types], dtype=np.int16),
        event_types=event_types,
    )


def _action(event_type: str) -> int:
    if event_type == ORDER_COMPLETED:
        return ROW_ORDER
    return ROW_REFUND if event_type in REFUND_EVENTS else ROW_OTHER
