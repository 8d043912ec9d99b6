"""A database that somebody else has locked, or that is away, is a 503 in time; the service goes on by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text

from store.engine import Database
from tests.reliability.killing import assert_stored_once, require_sound
from tests.reliability.senders import Sender, Served, assert_away, served
from tests.reliability.server_process import make_key


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with served(database_url, tmp_path) as shop:
        yield shop


def test_a_locked_database_is_a_503_until_it_is_let_go(shop: Served) -> None:
    unknown = Sender(make_key(shop.database), 1)
    with locked(shop.database), ThreadPoolExecutor() as pool:
        # At once, since each waits as long as it may: one whose key has to be looked up, and one whose key is known.
        answers = pool.map(lambda sender: sender.send(shop.server.port), (unknown, shop.sender))
        assert_away(answer for (answer,) in answers)
    assert unknown.send(shop.server.port)[0].status == 200
    assert_goes_on(shop, unknown)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_lets_nobody_in_is_a_503_until_it_does(shop: Served) -> None:
    with closed(shop.database.engine.url):
        assert_away(shop.send(batches=2))
    assert_goes_on(shop)


def assert_goes_on(shop: Served, *others: Sender) -> None:
    """Fail unless events are stored again, and what was told to be stored is."""
    assert [answer.status for answer in shop.send(batches=5)] == [200] * 5
    require_sound(shop.database)
    assert_stored_once(shop.database, [shop.sender, *others])


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Lock tables as a foreign process may, which takes no turns."""
    if not database.is_sqlite:
        with database.read() as session:
            session.execute(text("LOCK TABLE event, customer, api_key"))
            yield
        return
    with closing(sqlite3.connect(str(database.engine.url.database), isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def closed(url: URL) -> Iterator[None]:
    """End all connections of a PostgreSQL database and let none begin, as a server that is restarted does."""
    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false"))
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(end), {"name": url.database})
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true"))
    engine.dispose()
