"""A shop that several clients send to, each in the name of a source that is called as it is."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from store.api_keys import SEND_EVENTS, create_key, create_source
from store.engine import Database
from store.settings import Settings
from tests.clients.senders import Call
from tests.service.shop import settings_for

__all__ = ["empty_shop", "make_keys", "settings_in", "stored_numbers", "views"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def settings_in(folder: Path, url: str) -> Settings:
    """Return the settings of a shop that keeps all that is its own in a folder."""
    return settings_for(url, folder / "bundles", secret_file=folder / "secret.key")


def empty_shop(template: Path, folder: Path) -> Settings:
    """Make an empty database in a folder; returns the settings that serve it."""
    shutil.copy(template, folder / "regulars.db")
    return settings_in(folder, f"sqlite:///{folder / 'regulars.db'}")


def make_keys(database: Database, clients: Iterable[str]) -> Mapping[str, str]:
    """Make a source for each client, and return their keys by client."""
    keys = {}
    with database.write() as session:
        for client in clients:
            create_source(session, client)
            keys[client], _ = create_key(session, SEND_EVENTS, source=client, now=NOW)
    return keys


def views(client: str, n: int) -> list[Call]:
    """Return views of products, numbered from 0 by their value, of ten customers of the client's own."""
    return [
        Call(
            "track",
            {"userId": f"{client} {number % 10}", "event": "Product Viewed", "properties": {"value": number}},
        )
        for number in range(n)
    ]


def stored_numbers(url: str) -> dict[str, list[int]]:
    """Return the numbers of the views that are stored, in ascending order, by client."""
    statement = text("SELECT s.name, e.value FROM event e JOIN source s ON s.id = e.source_id ORDER BY e.value")
    found: dict[str, list[int]] = defaultdict(list)
    with closing(Database(url)) as database, database.read() as session:
        for client, number in session.execute(statement):
            found[client].append(int(number))
    return found
