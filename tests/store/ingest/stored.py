"""What a database holds, by content: without the keys that depend on the order in which things came."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from store.engine import Database

__all__ = ["stored_attributes", "stored_events", "stored_lines", "stored_rejections"]

_EVENTS = """
SELECT c.customer_id, t.name, e.occurred_at, e.reported_at, s.name, CAST(e.has_message_id AS INTEGER), e.identity,
       e.order_id, e.order_key, e.value, ch.name, e.properties
FROM event e JOIN customer c ON c.id = e.customer_key JOIN event_type t ON t.id = e.event_type_id
JOIN source s ON s.id = e.source_id LEFT JOIN channel ch ON ch.id = e.channel_id
ORDER BY c.customer_id, t.name, e.occurred_at, e.identity
"""
_LINES = """
SELECT e.identity, l.identity, l.occurred_at, p.product_id, g.levels, l.quantity, l.value, l.discount
FROM order_line l JOIN event e ON e.id = l.event_id LEFT JOIN product p ON p.id = l.product_key
LEFT JOIN category g ON g.id = l.category_id
ORDER BY e.identity, l.identity
"""
_REJECTIONS = 'SELECT line, "column", value, code, reason FROM rejected_row ORDER BY file_hash, line'
_ATTRIBUTES = """
SELECT c.customer_id, a.name, a.learnt_at, a.kind, a.number, a.text
FROM customer_attribute a JOIN customer c ON c.id = a.customer_key
ORDER BY c.customer_id, a.name, a.learnt_at
"""


def stored_events(database: Database) -> list[tuple[Any, ...]]:
    """All events: customer, name, occurred_at, reported_at, source, has_message_id, identity, order id and key, …"""
    return _rows(database, _EVENTS)


def stored_lines(database: Database) -> list[tuple[Any, ...]]:
    """All lines: identity of the event, own identity, occurred_at, product, category, quantity, value, discount."""
    return _rows(database, _LINES)


def stored_rejections(database: Database) -> list[tuple[Any, ...]]:
    """All rejected rows: line, column, value, code, reason."""
    return _rows(database, _REJECTIONS)


def stored_attributes(database: Database) -> list[tuple[Any, ...]]:
    """All attributes: customer, name, learnt_at, kind, number, text."""
    return _rows(database, _ATTRIBUTES)


def _rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.read() as session:
        return [tuple(row) for row in session.execute(text(query))]
