"""Turns at writing a SQLite file, for those who can't wait for ever."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import OperationalError

from store.engine import Database
from store.exceptions import DatabaseBusyError
from store.tables import Source
from store.turns import Turns

SHORT = 0.15


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "regulars.db"


def take(turns: Turns, seconds: float) -> float:
    """Have a turn; return how long it took to come."""
    begun = time.monotonic()
    with turns.next_within(seconds):
        return time.monotonic() - begun


def waiting_threads() -> int:
    return sum(thread.name == "waits to write" for thread in threading.enumerate())


def until(condition: object, seconds: float = 10.0) -> bool:
    """Wait until something holds."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(condition())


def test_a_turn_that_is_free_comes_at_once(file: Path) -> None:
    turns = Turns(file)
    for _ in range(3):
        assert take(turns, 5.0) < 1.0
    assert waiting_threads() == 0


def test_a_turn_that_does_not_come_in_time_is_given_up_and_the_next_one_has_its_place(file: Path) -> None:
    turns = Turns(file)
    with Turns(file).next():
        for _ in range(5):
            begun = time.monotonic()
            with pytest.raises(DatabaseBusyError, match="Somebody else has been writing"):
                take(turns, SHORT)
            assert time.monotonic() - begun < 20 * SHORT
        assert waiting_threads() == 1
    assert until(lambda: waiting_threads() == 0)
    assert take(turns, 5.0) < 5.0


def test_a_turn_that_was_given_up_goes_on_to_the_next(file: Path) -> None:
    turns, others = Turns(file), Turns(file)
    with others.next(), pytest.raises(DatabaseBusyError, match="Try again"):
        take(turns, SHORT)
    assert take(others, 10.0) < 10.0


def test_whoever_waits_has_the_turn_once_it_is_free_and_nobody_else_then(file: Path) -> None:
    turns, others = Turns(file), Turns(file)
    order: list[str] = []
    begun = threading.Event()

    def wait() -> None:
        begun.set()
        with turns.next_within(10.0):
            order.append("waited")
            time.sleep(SHORT)

    with others.next():
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert begun.wait(10)
        assert until(lambda: waiting_threads() == 1)
        time.sleep(0.05)
        order.append("before")
    with others.next():
        order.append("after")
    waiter.join(10)
    assert order == ["before", "waited", "after"]


def test_beside_writers_that_come_back_at_once_it_comes_in_its_order(file: Path) -> None:
    stop = threading.Event()

    def write_greedily() -> None:
        turns = Turns(file)
        while not stop.is_set():
            with turns.next():
                time.sleep(0.01)

    greedy = [threading.Thread(target=write_greedily) for _ in range(4)]
    for thread in greedy:
        thread.start()
    try:
        took = [take(Turns(file), 5.0) for _ in range(20)]
    finally:
        stop.set()
        for thread in greedy:
            thread.join(10)
    # Four who are before it, a hundredth of a second each.
    assert sorted(took)[10] < 0.2
    assert max(took) < 1.0


@pytest.fixture
def locked(database: Database) -> Iterator[Database]:
    """A database that somebody else has locked, without taking turns."""
    if database.is_sqlite:
        with closing(sqlite3.connect(str(database.engine.url.database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield database
            other.execute("ROLLBACK")
        return
    with database.engine.connect() as other_connection:
        other_connection.execute(text("LOCK TABLE source IN ACCESS EXCLUSIVE MODE"))
        yield database


def test_a_database_that_is_locked_from_outside_is_waited_for_no_longer_than_that(locked: Database) -> None:
    with locked.bulk() as connection:
        begun = time.monotonic()
        with (
            pytest.raises(OperationalError, match=r"(?i)lock"),
            locked.transaction(connection, within=SHORT),
        ):
            connection.execute(insert(Source), [{"name": "shop"}])
        assert time.monotonic() - begun < 20 * SHORT


def test_other_transactions_of_the_connection_wait_as_long_as_before(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL forgets it with the transaction")
    with database.bulk() as connection:
        with database.transaction(connection, within=SHORT):
            connection.execute(insert(Source), [{"name": "shop"}])
        with database.transaction(connection):
            assert connection.scalar(text("PRAGMA busy_timeout")) == 4_000
