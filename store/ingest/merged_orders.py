"""Orders of customers for whom several ids stand: told under whichever of them, an order is one.

The identity of an order's head holds the id under which it was told, so that the same order told under another id of
its customer has a head of its own. What comes for such a customer is brought under the head that is there, and a merge
looks for orders that both customers have. An update is an event by itself, however often it is told: it replaces.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from store.customer_keys import among
from store.event_rows import ORDER_UPDATED, REFUND_EVENTS
from store.ingest.batch import Batch
from store.ingest.identity import RowIdentities, order_head
from store.ingest.orders import LineContent, stored_lines
from store.ingest.prepared_rows import PreparedRows

__all__ = ["bring_together", "under_one_head"]

_CUSTOMERS_A_STATEMENT = 500
_MOST_KEYS_NAMED = 500
_ORDERS_OF = text(
    "SELECT e.id, e.source_id, e.has_message_id, t.name, e.order_id FROM event e "
    "JOIN event_type t ON t.id = e.event_type_id WHERE e.customer_key = :key AND e.order_id IS NOT NULL "
    f"AND t.name <> '{ORDER_UPDATED}' ORDER BY e.id"
)
_REMOVE_LINES = text("DELETE FROM order_line WHERE event_id = :id")
_REMOVE_HEADS = text("DELETE FROM replaced_head WHERE event_id = :id")
_REMOVE_EVENT = text("DELETE FROM event WHERE id = :id")

# What the lines of orders say, by order and whether their instants count.
_Contents = dict[tuple[int, bool], Counter[LineContent]]


class _Order(NamedTuple):
    """What is one order, under whichever id its customer was told."""

    customer: int
    event: str
    order_id: str


class _StoredOrder(NamedTuple):
    """The head of an order as it is compared with that of another customer."""

    event_id: int
    source_id: int
    has_message_id: bool
    event: str
    order_id: str

    @property
    def is_refund(self) -> bool:
        """Whether it takes back what an order with this id has."""
        return self.event in REFUND_EVENTS

    @property
    def telling(self) -> tuple[int, bool]:
        """Who told it, and how."""
        return self.source_id, self.has_message_id

    def is_another_refund_than(self, other: _StoredOrder) -> bool:
        """Whether both are refunds of which the messages of one source told, so that they are not the same."""
        return self.is_refund and self.has_message_id and self.telling == other.telling


def under_one_head(
    connection: Connection, prepared: PreparedRows, customers: NDArray[np.int64], has_others: NDArray[np.bool_]
) -> PreparedRows:
    """Return rows with those of one order under one head: that which is there, or that of the customer's own id.

    Parameters
    ----------
    connection : Connection
    prepared : PreparedRows
    customers : int64, one a row of the batch
        Keys.
    has_others : bool, one a row of the batch
        Whether ids were merged into the row's customer.
    """
    orders = _orders(prepared.batch, customers, has_others)
    if not orders:
        return prepared
    there = _heads_there(connection, prepared.order_keys, orders)
    own_ids = _own_ids(connection, {order.customer for order in orders.values()})
    instead: dict[bytes, bytes] = {}
    for event, order in orders.items():
        head, known = prepared.batch.heads[event], there.get(order)
        if known is None:
            # The same for whoever tells of it at the same time, under any id.
            instead[head] = order_head(order.event, own_ids[order.customer], order.order_id)
        elif head not in known:
            instead[head] = min(known)
    if all(head == chosen for head, chosen in instead.items()):
        return prepared
    identities = prepared.identities
    numbers: dict[bytes, int] = {}
    number = np.array([numbers.setdefault(instead.get(head, head), len(numbers)) for head in identities.heads])
    head = number[identities.head]
    # Of one order, whichever ids its rows were told under, the first that was told decides who tells it.
    in_order = np.lexsort((prepared.rows.line, head))
    own = [identities.own[row] for row in in_order.tolist()]
    return PreparedRows.of(prepared.rows.take(in_order), RowIdentities(own, list(numbers), head[in_order]))


def bring_together(connection: Connection, merged: int, into: int) -> list[str]:
    """Remove the orders of one of two customers that the other has too; return the ids of those that differ and stay.

    Of two orders with the same id, one whose lines the other has all is removed. Refunds of one order may be several:
    they are the same only if their lines are of the same instants, and several of one source with message ids stay.
    Orders of one customer that differ, since they did when ids were merged before, are each compared.

    Parameters
    ----------
    connection : Connection
    merged, into : int
        Keys of customers who are held.
    """
    # Most of those who are merged are visitors, who have no orders.
    theirs = _stored_orders(connection, merged)
    ours = _stored_orders(connection, into) if theirs else {}
    both = theirs.keys() & ours.keys()
    if not both:
        return []
    contents = _contents(connection, [stored.event_id for order in both for stored in theirs[order] + ours[order]])
    removed: set[int] = set()
    conflicts = []
    for order in sorted(both):
        for one in theirs[order]:
            others = [other for other in ours[order] if not one.is_another_refund_than(other)]
            smaller = [other.event_id for other in others if _has_all(one, other, contents)]
            if any(_has_all(other, one, contents) for other in others):
                removed.add(one.event_id)
            elif smaller:
                removed.update(smaller)
            elif others:
                conflicts.append(one.order_id)
    for event_id in sorted(removed):
        for statement in (_REMOVE_LINES, _REMOVE_HEADS, _REMOVE_EVENT):
            connection.execute(statement, {"id": event_id})
    return conflicts


def _orders(batch: Batch, customers: NDArray[np.int64], has_others: NDArray[np.bool_]) -> dict[int, _Order]:
    """Return the orders, by event, of customers into whom others were merged."""
    first = batch.first
    events = np.flatnonzero(has_others[first] & batch.rows.order_id.given[first])
    rows = first[events]
    named = zip(
        customers[rows].tolist(), batch.rows.event.take(rows).tolist(), batch.rows.order_id.take(rows).tolist(),
        strict=True,
    )  # fmt: skip
    return {
        event: _Order(customer, str(name), str(order_id))
        for event, (customer, name, order_id) in zip(events.tolist(), named, strict=True)
        if name != ORDER_UPDATED
    }


def _heads_there(
    connection: Connection, order_keys: list[int | None], orders: dict[int, _Order]
) -> dict[_Order, set[bytes]]:
    """Return the heads of orders that are there, under whichever ids."""
    there: dict[_Order, set[bytes]] = {}
    wanted = set(orders.values())
    keys = {key for event in orders if (key := order_keys[event]) is not None}
    # There is no index by order. A customer with very many of them has them looked through in the database.
    named = f"AND (e.order_key IS NULL OR e.order_key {among(keys)})" if len(keys) <= _MOST_KEYS_NAMED else ""
    customers = sorted({order.customer for order in wanted})
    for start in range(0, len(customers), _CUSTOMERS_A_STATEMENT):
        found = connection.exec_driver_sql(
            "SELECT e.customer_key, t.name, e.order_id, e.identity FROM event e "
            "JOIN event_type t ON t.id = e.event_type_id "
            f"WHERE e.customer_key {among(customers[start : start + _CUSTOMERS_A_STATEMENT])} "
            f"AND e.order_id IS NOT NULL {named}"
        )
        for *order, identity in found:
            if (told := _Order(*order)) in wanted:
                there.setdefault(told, set()).add(bytes(identity))
    return there


def _own_ids(connection: Connection, customers: set[int]) -> dict[int, str]:
    keys = sorted(customers)
    return {
        key: customer_id
        for start in range(0, len(keys), _CUSTOMERS_A_STATEMENT)
        for key, customer_id in connection.exec_driver_sql(
            f"SELECT id, customer_id FROM customer WHERE id {among(keys[start : start + _CUSTOMERS_A_STATEMENT])}"
        )
    }


def _stored_orders(connection: Connection, customer: int) -> dict[tuple[str, str], list[_StoredOrder]]:
    """Return the orders of a customer by event and order id."""
    orders: dict[tuple[str, str], list[_StoredOrder]] = {}
    for event_id, source_id, has_message_id, event, order_id in connection.execute(_ORDERS_OF, {"key": customer}):
        order = _StoredOrder(event_id, source_id, bool(has_message_id), event, order_id)
        orders.setdefault((event, order_id), []).append(order)
    return orders


def _contents(connection: Connection, event_ids: list[int]) -> _Contents:
    """Return what the lines of orders say, by order and whether their instants count."""
    contents: dict[tuple[int, bool], Counter[LineContent]] = defaultdict(Counter)
    for line in stored_lines(connection, event_ids):
        alike = line._replace(event_id=0)
        contents[line.event_id, True][alike] += 1
        contents[line.event_id, False][alike._replace(reported_at=None)] += 1
    return contents


def _has_all(one: _StoredOrder, other: _StoredOrder, contents: _Contents) -> bool:
    """Say whether an order has all lines of another."""
    # Without message ids instants count, so that lines are known again when their file comes again.
    by_instant = one.is_refund or (one.telling == other.telling and not one.has_message_id)
    return contents[other.event_id, by_instant] <= contents[one.event_id, by_instant]
