"""Transactions of a bulk load are as long as others can wait, and what they leave is copied between them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import text

from store.engine import Database
from store.ingest.checkpoints import Checkpoints
from store.ingest.pace import FEWEST_ROWS, MOST_ROWS, SECONDS_ALONE, Pace
from tests.store.ingest.conftest import EVENTS, Ingest, events


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def run(cost: Callable[[int], float], transactions: int, waiting: float = 0.0) -> list[float]:
    """Return how long transactions take, at a cost of so many rows, after waiting for the lock."""
    clock = Clock()
    pace = Pace(SECONDS_ALONE, clock)
    took = []
    for _ in range(transactions):
        with pace.of(pace.rows) as holds:
            clock.seconds += waiting
            holds()
            took.append(cost(pace.rows))
            clock.seconds += took[-1]
    return took


@pytest.mark.parametrize("microseconds_a_row", [12, 20, 35])
@pytest.mark.parametrize("waiting", [0.0, 3.0])
def test_transactions_come_to_take_the_time_that_they_should(microseconds_a_row: int, waiting: float) -> None:
    took = run(lambda rows: 0.002 + microseconds_a_row * 1e-6 * rows, 30, waiting)
    assert took[-1] == pytest.approx(SECONDS_ALONE, rel=0.05)
    assert max(took) < 1.1 * SECONDS_ALONE


@pytest.mark.parametrize(("seconds_a_row", "rows"), [(1e-9, MOST_ROWS), (0.0, MOST_ROWS), (1.0, FEWEST_ROWS)])
def test_there_is_a_least_and_a_largest_transaction(seconds_a_row: float, rows: int) -> None:
    pace = Pace(SECONDS_ALONE, clock := Clock())
    for _ in range(5):
        with pace.of(pace.rows) as holds:
            holds()
            clock.seconds += seconds_a_row * pace.rows
    assert pace.rows == rows


def test_a_disk_that_hesitates_once_is_soon_forgotten() -> None:
    hesitations = iter([0.0] * 20 + [0.1] + [0.0] * 20)
    took = run(lambda rows: 20e-6 * rows + next(hesitations), 41)
    assert max(took[21:]) < 1.1 * SECONDS_ALONE
    assert took[-1] == pytest.approx(SECONDS_ALONE, rel=0.05)


def test_what_a_bulk_load_commits_is_copied_between_its_transactions(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL makes its checkpoints in a process of its own")
    with database.bulk() as connection:
        checkpoints = Checkpoints(connection)
        checkpoints.make()
        with database.transaction(connection):
            # More pages than after which SQLite would copy them by itself.
            connection.execute(text("INSERT INTO source (name) VALUES (hex(zeroblob(3000000)))"))
        assert copied_sources(database) == 0
        checkpoints.make()
        assert copied_sources(database) == 1
        connection.invalidate()


def copied_sources(database: Database) -> int:
    """Count the sources in the database without its log."""
    with closing(sqlite3.connect(f"file:{database.engine.url.database}?immutable=1", uri=True)) as copied:
        (n,) = copied.execute("SELECT count(*) FROM source").fetchone()
    return int(n)


def test_connections_after_a_bulk_load_copy_by_themselves_again(ingest: Ingest, database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL makes its checkpoints in a process of its own")
    ingest(events("anna,2024-01-05,1"), EVENTS)
    with database.read() as session:
        assert session.scalar(text("PRAGMA wal_autocheckpoint")) == 1_000
