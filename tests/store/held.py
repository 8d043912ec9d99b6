"""A database that holds all kinds of things of some customers, for tests of erasure, export, retention and backup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, inspect, text, update

from store.engine import Database
from store.memberships import record_published
from store.outbox import SEGMENT_LEFT, Audience, Change
from store.tables import (
    Campaign,
    CampaignAssignment,
    Category,
    Channel,
    Contact,
    Customer,
    CustomerAttribute,
    Event,
    EventType,
    OrderLine,
    Product,
    RejectedRow,
    ReplacedAttribute,
    ReplacedHead,
    RescoreRequest,
    Source,
    SourceActivity,
    ToldScore,
)
from store.tables.base import to_microseconds
from tests.store.builders import NOW, Scored, add_customers, add_endpoint, publish_run

__all__ = ["ANNA", "ANONYMOUS", "BERT", "FIRST", "add_events", "fill", "places_of_text", "raw_hits", "rows_of"]

ANNA, BERT, ANONYMOUS = "anna-7f3c9e21@example.org", "bert-55aa01cd@example.org", "anon-9b1d77e0"
FIRST = NOW - timedelta(days=400)


def fill(database: Database) -> dict[str, int]:
    """Store two customers, one with an anonymous id merged into it; return the keys by id."""
    keys = add_customers(database, [ANNA, BERT, ANONYMOUS])
    with database.write() as session:
        session.execute(update(Customer).where(Customer.id == keys[ANONYMOUS]).values(merged_into=keys[ANNA]))
        session.execute(insert(Source), [{"id": 1, "name": "shop"}])
        session.execute(insert(EventType), [{"id": 1, "name": "Order Completed"}, {"id": 2, "name": "Order Refunded"}])
        session.execute(insert(Product), [{"id": 1, "product_id": "p-1"}])
        session.execute(insert(Category), [{"id": 1, "levels": '{"department": "toys"}'}])
        session.execute(insert(Channel), [{"id": 1, "name": "web"}])
        session.execute(
            insert(SourceActivity),
            [
                {
                    "source_id": 1,
                    "hour": to_microseconds(at) // 3_600_000_000,
                    "stored": 1,
                    "already_there": 0,
                    "rejected": 0,
                    "last_received_at": at,
                    "last_occurred_at": at,
                }
                for at in (FIRST, NOW)
            ],
        )
    for name in (ANNA, BERT):
        add_events(database, keys[name], [FIRST, NOW - timedelta(days=3)])
        _learn(database, keys[name], name)
    _reject(database)
    _contact(database, keys)
    add_endpoint(database)
    publish_run(database, {keys[ANNA]: Scored("at_risk", 3.0, 4.0, 0.75), keys[BERT]: Scored("steady", clv=4.0)})
    record_published(database, now=lambda: NOW)
    publish_run(
        database,
        {
            keys[ANNA]: Scored("at_risk high_value", 3.5, 4.0, 0.5, {"upsell": 0.25}),
            keys[BERT]: Scored("steady", clv=4.0),
        },
        as_of=NOW + timedelta(days=1),
    )
    record_published(database, now=lambda: NOW)
    _tell_more(database, keys[ANONYMOUS])
    with database.write() as session:
        session.add(ToldScore(customer_key=keys[ANNA], endpoint_id=1, churn_probability=0.625))
    return keys


def _tell_more(database: Database, key: int) -> None:
    """Let a customer wait to be scored again, and tell something of it."""
    with database.write() as session:
        session.add(RescoreRequest(customer_key=key, requested_at=NOW, times=1))
        connection = session.connection()
        told = Change(SEGMENT_LEFT, key, {"customer_id": ANONYMOUS, "segment": "steady"})
        Audience.of(connection).write(connection, [told], now=NOW)


def add_events(
    database: Database,
    key: int,
    instants: Sequence[datetime],
    *,
    orders: Sequence[int] | None = None,
    event_type: int = 1,
) -> None:
    """Store orders of one customer, each with one line."""
    with database.write() as session:
        last = session.scalar(text("SELECT coalesce(max(id), 0) FROM event")) or 0
        ids = range(last + 1, last + 1 + len(instants))
        numbers = list(ids) if orders is None else list(orders)
        common = {"customer_key": key, "event_type_id": event_type, "received_at": NOW, "source_id": 1, "channel_id": 1}
        session.execute(
            insert(Event),
            [
                {
                    **common,
                    "id": event_id,
                    "occurred_at": at,
                    "reported_at": None,
                    "has_message_id": False,
                    "identity": b"head" + event_id.to_bytes(12, "big"),
                    "order_id": f"o{order}",
                    "order_key": order,
                    "value": None,
                    "properties": '{"coupon": "Ärger", "deep": 1.5}',
                }
                for event_id, at, order in zip(ids, instants, numbers, strict=True)
            ],
        )
        session.execute(
            insert(OrderLine),
            [
                {
                    "event_id": event_id,
                    "identity": event_id.to_bytes(16, "big"),
                    "occurred_at": at,
                    "product_key": 1,
                    "category_id": 1,
                    "quantity": 2.0,
                    "value": 0.1,
                    "discount": None,
                }
                for event_id, at in zip(ids, instants, strict=True)
            ],
        )
        session.execute(
            insert(ReplacedHead),
            [{"event_id": ids[0], "replaced_by": 2, "channel_id": 1, "properties": '{"coupon": "Ohr"}'}],
        )


def places_of_text(database: Database, what: str) -> list[str]:
    """Return the columns in which any text holds a text."""
    found = []
    with database.read() as session:
        connection = session.connection()
        for table in inspect(connection).get_table_names():
            for column in inspect(connection).get_columns(table):
                held = f'CAST("{column["name"]}" AS TEXT)'
                condition = f"instr({held}, :what) > 0" if database.is_sqlite else f"strpos({held}, :what) > 0"
                if str(column["type"]) not in ("BLOB", "BYTEA") and session.scalar(
                    text(f"SELECT count(*) FROM {table} WHERE {condition}"), {"what": what}
                ):
                    found.append(f"{table}.{column['name']}")
    return found


def rows_of(database: Database, key: int) -> dict[str, int]:
    """Return how many rows refer to a customer, by table that has any."""
    found = {}
    with database.read() as session:
        for table in (
            "event",
            "customer_attribute",
            "replaced_attribute",
            "score",
            "segment_listing",
            "segment_membership",
            "campaign_assignment",
            "contact",
            "told_score",
        ):
            found[table] = session.scalar(text(f"SELECT count(*) FROM {table} WHERE customer_key = {key}")) or 0
        found["customer"] = session.scalar(text(f"SELECT count(*) FROM customer WHERE id = {key}")) or 0
        for table in ("order_line", "replaced_head"):
            rows = f"SELECT count(*) FROM {table} JOIN event ON id = event_id WHERE customer_key = {key}"
            found[table] = session.scalar(text(rows)) or 0
    return {table: n for table, n in found.items() if n}


def raw_hits(folder: Path, what: bytes) -> list[str]:
    """Return the files in a folder that hold some bytes; only while nobody has the database open."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and what in path.read_bytes())


def _learn(database: Database, key: int, name: str) -> None:
    versions = [
        ("email", 0, "category", None, name),
        ("city", to_microseconds(FIRST), "category", None, "Łódź"),
        ("city", to_microseconds(NOW), "category", None, "Gent"),
        ("age", to_microseconds(FIRST), "number", 40.0, None),
        ("age", to_microseconds(FIRST + timedelta(days=5)), "number", 41.0, None),
    ]
    with database.write() as session:
        session.execute(
            insert(CustomerAttribute),
            [
                {"customer_key": key, "name": what, "learnt_at": at, "kind": kind, "number": number, "text": told}
                for what, at, kind, number, told in versions
            ],
        )
        before = {"sequence_number": 1, "replaced_by": 2, "kind": "category", "number": None, "text": f"near {name}"}
        session.execute(
            insert(ReplacedAttribute),
            [{"customer_key": key, "name": "city", "learnt_at": to_microseconds(FIRST), **before}],
        )


def _contact(database: Database, keys: Mapping[str, int]) -> None:
    """Assign both to a campaign and contact both, under their old id and their own."""
    with database.write() as session:
        session.add(
            Campaign(
                name="spring",
                segment="at_risk",
                outcome_days=90,
                held_out_arm="held_out",
                held_out_share=0.1,
                assigned_at=FIRST,
                created_at=FIRST,
                is_assigned=True,
            )
        )
        session.flush()
        session.execute(
            insert(CampaignAssignment),
            [
                {"campaign_id": 1, "customer_key": keys[name], "arm": arm, "assigned_at": at}
                for name, arm, at in ((ANNA, "contacted", FIRST), (BERT, "held_out", NOW))
            ],
        )
        session.execute(
            insert(Contact),
            [
                {
                    "identity": bytes([number]) * 16,
                    "customer_key": keys[name],
                    "campaign_id": campaign,
                    "contacted_at": at,
                    "received_at": NOW,
                    "channel": "phone",
                    "cost": 2.5,
                    "message_id": f"call {name}",
                }
                for number, (name, campaign, at) in enumerate(((ANNA, 1, FIRST), (ANNA, None, NOW), (BERT, None, NOW)))
            ],
        )


def _reject(database: Database) -> None:
    refused = [
        ("value", "12,50", f"expected a number for {ANNA}, got 12,50", FIRST),
        ("customer", ANONYMOUS, "the id is not taken here", NOW),
        ("customer", BERT, "the id is not taken here", NOW),
        ("value", "x", "expected a number, got x", NOW),
        ("value", f"of {BERT}.", "expected a number", NOW),
    ]
    with database.write() as session:
        session.execute(
            insert(RejectedRow),
            [
                {
                    "file_hash": bytes([line]) * 32,
                    "line": line,
                    "source_id": 1,
                    "file": "orders.csv",
                    "column": column,
                    "value": value,
                    "code": "bad",
                    "reason": reason,
                    "received_at": at,
                }
                for line, (column, value, reason, at) in enumerate(refused, start=1)
            ],
        )
