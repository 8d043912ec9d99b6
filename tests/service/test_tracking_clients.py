"""The clients that people have, as they come from PyPI, against a running server: each event delivered, stored once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from service.clock import utc_now
from store.api_keys import SEND_EVENTS, create_key, create_source
from store.engine import Database
from tests.service.live import live
from tests.service.shop import settings_for

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import posthog
    import rudderstack.analytics.client as rudder
    import segment.analytics.client as segment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDER = {
    "order_id": "o1",
    "revenue": 30.0,
    "products": [
        {"product_id": "p1", "price": 10.0, "quantity": 2, "category": "tea"},
        {"product_id": "p2", "price": 10.0, "quantity": 1},
    ],
}

Send = Callable[[str, str], None]


def send_by_segment(root: str, key: str) -> None:
    client = segment.Client(key, host=root, gzip=True, sync_mode=False, on_error=_raise)
    _send(client, lambda *given: client.track(*given), client.identify)
    client.alias("anonymous", "ada")
    client.group("ada", "g1", {"plan": "pro"})
    client.page("ada", "Docs", "API", {"path": "/api"})
    client.shutdown()


def send_by_rudderstack(root: str, key: str) -> None:
    client = rudder.Client(key, host=root, gzip=True, on_error=_raise)
    _send(client, lambda *given: client.track(*given), client.identify)
    client.alias("anonymous", "ada")
    client.group("ada", "g1", {"plan": "pro"})
    client.page("ada", "Docs", "API", {"path": "/api"})
    client.shutdown()


def send_by_posthog(root: str, key: str) -> None:
    client = posthog.Posthog(key, host=root, gzip=True, on_error=_raise)
    client.capture("Product Viewed", distinct_id="anonymous", properties={"colour": "red"})
    client.capture("Order Completed", distinct_id="ada", properties=ORDER)
    client.set(distinct_id="ada", properties={"city": "Berlin", "age": 36})
    client.alias("anonymous", "ada")
    client.set(distinct_id="ada", properties={"account.plan": "pro"})
    client.capture("$pageview", distinct_id="ada", properties={"path": "/api"})
    client.shutdown()


@pytest.mark.parametrize("send", [send_by_segment, send_by_rudderstack, send_by_posthog])
def test_what_a_client_sends_is_stored(send: Send, served: SimpleNamespace) -> None:
    send(served.root, served.key)
    assert _events(served.database) == [
        ("Order Completed", "ada", 2),
        ("Page Viewed", "ada", 0),
        ("Product Viewed", "ada", 0),
    ]
    assert _attributes(served.database) == {"account.plan": "pro", "age": 36.0, "city": "Berlin"}


@pytest.fixture
def served(database: Database, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A server over an empty database on each engine in turn, with a key for a source."""
    with database.write() as session:
        create_source(session, "shop")
        key, _ = create_key(session, SEND_EVENTS, source="shop", now=NOW)
    url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    settings = settings_for(url, tmp_path / "bundles").model_copy(update={"secret_file": tmp_path / "secret.key"})
    # Clients send by the clock of this machine.
    with live(settings, now=utc_now) as root:
        yield SimpleNamespace(root=root, key=key, database=database)


def _send(_client: Any, track: Callable[..., Any], identify: Callable[..., Any]) -> None:
    track("anonymous", "Product Viewed", {"colour": "red"})
    track("ada", "Order Completed", ORDER)
    identify("ada", {"city": "Berlin", "age": 36})


def _raise(error: Exception, *_: object) -> None:
    raise error


def _events(database: Database) -> list[tuple[str, str, int]]:
    statement = text(
        "SELECT t.name, c.customer_id, (SELECT count(*) FROM order_line l WHERE l.event_id = e.id) "
        "FROM event e JOIN event_type t ON t.id = e.event_type_id JOIN customer c ON c.id = e.customer_key ORDER BY 1"
    )
    with database.read() as session:
        return [tuple(row) for row in session.execute(statement)]


def _attributes(database: Database) -> dict[str, Any]:
    statement = text("SELECT name, kind, number, text FROM customer_attribute WHERE name <> 'account.id'")
    with database.read() as session:
        return {name: number if kind == "number" else told for name, kind, number, told in session.execute(statement)}
