"""Live requests as clients send them, for tests that write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, text

from store.engine import Database
from store.ingest.calls import read_batch, read_body
from store.ingest.live import LiveRequest, LiveWriter
from store.keyed_hash import KeyedHash
from store.settings import Settings, load_settings
from store.tables import Source
from tests.store.ingest.stored import stored_attributes, stored_events, stored_lines, stored_rejections

__all__ = [
    "AT",
    "KEY",
    "RECEIVED_AT",
    "SECRET",
    "SOURCES",
    "alias",
    "content",
    "identify",
    "live_writer",
    "order",
    "request",
    "root_ids",
    "track",
]

RECEIVED_AT = datetime(2024, 6, 1, 12, tzinfo=UTC)
AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
SECRET = bytes(range(32))
KEY = KeyedHash(SECRET)
# Far from the keys that the database gives by itself.
SOURCES = {"shop": 101, "till": 102}

Call = dict[str, Any]


def track(user: str, event: str = "Product Viewed", *, message: str | None = None, day: int = 0, **said: Any) -> Call:
    """Return a call of an event; `said` are its properties."""
    return _call("track", message, day, userId=user, event=event, properties=said)


def order(user: str, order_id: str, *products: str, message: str | None = None, day: int = 0) -> Call:
    """Return a call of an order, one of each product at 5.00."""
    lines = [{"product_id": product, "quantity": 1, "price": 5} for product in products]
    return track(user, "Order Completed", message=message, day=day, order_id=order_id, products=lines)


def identify(user: str, *, visitor: str | None = None, message: str | None = None, day: int = 0, **traits: Any) -> Call:
    """Return a call that tells who a customer is, and perhaps which visitor."""
    ids = {"userId": user} if visitor is None else {"userId": user, "anonymousId": visitor}
    return _call("identify", message, day, **ids, traits=traits)


def alias(previous: str, user: str, *, day: int = 0) -> Call:
    """Return a call that tells that two ids are one customer."""
    return _call("alias", None, day, previousId=previous, userId=user)


def request(*calls: Call, source: str = "shop", received_at: datetime = RECEIVED_AT) -> LiveRequest:
    """Return a request of some calls."""
    body = json.dumps({"batch": calls}).encode()
    told = read_batch(read_body(body), _settings(), received_at, most_calls=100_000)
    return LiveRequest(SOURCES[source], source, received_at, told, sha256(body).digest(), len(body))


@contextmanager
def live_writer(database: Database) -> Iterator[LiveWriter]:
    """Open a writer, with the sources there."""
    with database.write() as session:
        known = set(session.execute(text("SELECT name FROM source")).scalars())
        new = [{"id": key, "name": name} for name, key in SOURCES.items() if name not in known]
        if new:
            session.execute(insert(Source), new)
    writer = LiveWriter(database, KEY)
    try:
        yield writer
    finally:
        writer.close()


def root_ids(database: Database) -> dict[str, str]:
    """Return the customer for whom each id stands."""
    query = "SELECT c.customer_id, coalesce(t.customer_id, c.customer_id) FROM customer c LEFT JOIN customer t "
    with database.read() as session:
        return dict(session.execute(text(f"{query} ON t.id = c.merged_into")).all())


def content(database: Database) -> tuple[Any, ...]:
    """All that is stored of requests."""
    with database.read() as session:
        activity = session.execute(text("SELECT * FROM source_activity ORDER BY source_id, hour")).all()
    stored: list[Callable[[Database], Any]] = [
        stored_events,
        stored_lines,
        stored_attributes,
        stored_rejections,
        root_ids,
    ]
    return tuple(read(database) for read in stored), [tuple(row) for row in activity]


def _call(kind: str, message: str | None, day: int, **members: Any) -> Call:
    told = {"type": kind, "timestamp": (AT + timedelta(days=day)).isoformat(), **members}
    return told if message is None else {**told, "messageId": message}


@cache
def _settings() -> Settings:
    return load_settings()
