"""What each of the clients sends is stored, and all of them tell the same facts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from service.clock import utc_now
from store.engine import Database
from tests.clients.senders import NODE, PYTHON, Call, Sending, require, send_at_once
from tests.clients.shop import make_keys, settings_in
from tests.service.live import live

ORDER = {
    "order_id": "o1",
    "revenue": 30.0,
    "products": [
        {"product_id": "p1", "price": 10.0, "quantity": 2, "category": "tea"},
        {"product_id": "p2", "price": 10.0, "quantity": 1},
    ],
}


def calls_of(client: str) -> list[Call]:
    """A visitor, who looks at something, turns out to be Ada, who buys and is described."""
    visitor, ada = f"visitor of {client}", f"ada of {client}"
    return [
        Call("track", {"anonymousId": visitor, "event": "Product Viewed", "properties": {"colour": "red"}}),
        Call("track", {"userId": ada, "event": "Order Completed", "properties": ORDER}),
        Call("identify", {"userId": ada, "traits": {"city": "Berlin", "age": 36}}),
        Call("alias", {"previousId": visitor, "userId": ada}),
        Call("group", {"userId": ada, "groupId": "g1", "traits": {"plan": "pro"}}),
        Call("page", {"userId": ada, "category": "Docs", "name": "API", "properties": {"path": "/api"}}),
    ]


@pytest.mark.parametrize("clients", [tuple(PYTHON), tuple(NODE)], ids=["python", "node"])
def test_what_clients_send_is_stored(clients: Sequence[str], database: Database, tmp_path: Path) -> None:
    for client in clients:
        require(client)
    keys = make_keys(database, clients)
    url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    # Clients send by the clock of this machine.
    with live(settings_in(tmp_path, url), now=utc_now) as root:
        send_at_once({name: Sending(root, key, calls_of(name), compressed=True) for name, key in keys.items()})
    for name in clients:
        assert _events(database, f"ada of {name}") == [
            ("Order Completed", 2),
            ("Page Viewed", 0),
            ("Product Viewed", 0),
        ]
        assert _attributes(database, f"ada of {name}") == {"account.plan": "pro", "age": 36.0, "city": "Berlin"}


def _events(database: Database, customer: str) -> list[tuple[str, int]]:
    statement = text(
        "SELECT t.name, (SELECT count(*) FROM order_line l WHERE l.event_id = e.id) FROM event e "
        "JOIN event_type t ON t.id = e.event_type_id JOIN customer c ON c.id = e.customer_key "
        "WHERE c.customer_id = :customer ORDER BY 1"
    )
    with database.read() as session:
        return [(name, lines) for name, lines in session.execute(statement, {"customer": customer})]


def _attributes(database: Database, customer: str) -> dict[str, Any]:
    statement = text(
        "SELECT a.name, a.kind, a.number, a.text FROM customer_attribute a "
        "JOIN customer c ON c.id = a.customer_key WHERE c.customer_id = :customer AND a.name <> 'account.id'"
    )
    with database.read() as session:
        found = session.execute(statement, {"customer": customer})
        return {name: number if kind == "number" else told for name, kind, number, told in found}
