"""Keys that are remembered: how often the database is asked, and from when on it is not believed any more."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy.orm import Session

from service import known_keys
from service.known_keys import SECONDS_REMEMBERED, KnownKeys
from store.api_keys import KeyInUse, create_key, find_key, revoke_key
from store.engine import Database
from tests.service.shop import NOW
from tests.service.test_rate_limit import Clock

# That keys are found on either engine the store sees to.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets that the database was asked for."""
    secrets: list[str] = []

    def counting(session: Session, secret: str) -> KeyInUse | None:
        secrets.append(secret)
        return find_key(session, secret)

    monkeypatch.setattr(known_keys, "find_key", counting)
    return secrets


def _make(database: Database, scope: str = "scores:read") -> tuple[str, int]:
    with database.write() as session:
        secret, key = create_key(session, scope, source=None, now=NOW)
    return secret, key.id


def _revoke(database: Database, key_id: int) -> None:
    with database.write() as session:
        revoke_key(session, key_id, now=NOW)


def test_the_database_is_asked_for_a_secret_once_in_some_seconds(database: Database, asked: list[str]) -> None:
    secret, key_id = _make(database)
    clock = Clock()
    keys = KnownKeys(database, clock=clock)
    for tried, found in ((secret, KeyInUse(key_id, "scores:read", None, None)), ("rg_none", None)):
        asked.clear()
        for _ in range(3):
            assert asyncio.run(keys.find(tried)) == found
        assert asked == [tried]
        clock.seconds += SECONDS_REMEMBERED
        assert asyncio.run(keys.find(tried)) == found
        assert asked == [tried, tried]


def test_a_revoked_key_is_refused_within_seconds(database: Database) -> None:
    secret, key_id = _make(database)
    clock = Clock()
    keys = KnownKeys(database, clock=clock)
    assert asyncio.run(keys.find(secret)) is not None
    _revoke(database, key_id)
    assert asyncio.run(keys.find(secret)) is not None
    clock.seconds += SECONDS_REMEMBERED
    assert asyncio.run(keys.find(secret)) is None
    assert not keys.has_found(secret)


def test_a_secret_that_becomes_a_key_is_taken_within_seconds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    keys = KnownKeys(database, clock=clock)
    assert asyncio.run(keys.find("rg_later")) is None
    monkeypatch.setattr("store.api_keys.secrets.token_urlsafe", lambda _bytes: "later")
    _make(database)
    clock.seconds += SECONDS_REMEMBERED
    assert asyncio.run(keys.find("rg_later")) is not None
    assert keys.has_found("rg_later")


def test_no_more_unknown_secrets_are_remembered_than_told_and_no_key_is_forgotten_for_them(
    database: Database, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_keys, "_MOST_UNKNOWN", 3)
    secret, _ = _make(database)
    keys = KnownKeys(database, clock=Clock())

    async def find(*tried: str) -> None:
        for one in tried:
            await keys.find(one)

    asyncio.run(find(secret, "a", "b", "c", "d"))
    asked.clear()
    asyncio.run(find(secret, "b", "c", "d"))
    assert asked == []
    asyncio.run(find("a"))
    assert asked == ["a"]


def test_whether_there_is_any_key_is_asked_until_there_is_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    keys = KnownKeys(database, clock=clock)
    assert not asyncio.run(keys.is_any())
    _make(database)
    assert not asyncio.run(keys.is_any())
    clock.seconds += SECONDS_REMEMBERED
    assert asyncio.run(keys.is_any())
    monkeypatch.setattr(known_keys, "any_key", lambda _session: pytest.fail("the database was asked again"))
    clock.seconds += 3_600
    assert asyncio.run(keys.is_any())


def test_while_the_database_is_asked_the_event_loop_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    def slow(_session: Session, _secret: str) -> None:
        assert answer.wait(30), "the event loop stood still"

    monkeypatch.setattr(known_keys, "find_key", slow)
    keys = KnownKeys(database, clock=Clock())

    async def find() -> None:
        finding = asyncio.create_task(keys.find("rg_slow"))
        await asyncio.sleep(0.01)
        answer.set()
        assert await finding is None

    asyncio.run(find())
