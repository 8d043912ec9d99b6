"""What a file brings need not come to the disk before its end, and then has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection, text

from store.engine import Database
from store.ingest.activity import Activity
from store.ingest.late_flush import flushed_at_end
from store.tables import Source
from tests.store.ingest.conftest import EVENTS, Ingest, events


def waits_for_disk(connection: Connection) -> Any:
    """Whether commits of a connection do."""
    if connection.dialect.name == "sqlite":
        return connection.scalar(text("PRAGMA synchronous")) == 2
    return connection.scalar(text("SHOW synchronous_commit")) == "on"


@pytest.fixture
def source_id(database: Database) -> int:
    with database.write() as session:
        session.add(source := Source(name="shop"))
    return source.id


def test_commits_in_the_body_do_not_wait_and_the_last_does(
    database: Database, source_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []

    def watched(connection: Connection, activities: Any) -> None:
        waited.append(waits_for_disk(connection))
        connection.execute(text("UPDATE source SET name = name"))

    monkeypatch.setattr("store.ingest.late_flush.record", watched)
    with database.bulk() as connection:
        with flushed_at_end(database, connection, Activity(source_id, 0)), database.transaction(connection):
            assert not waits_for_disk(connection)
        assert waited == [True]


def test_what_was_written_is_flushed_when_it_ends(database: Database, source_id: int) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite does not say how far its log has come to the disk")
    flushed = text("SELECT pg_current_wal_flush_lsn() >= :lsn")
    with database.bulk() as connection, database.bulk() as other:
        with flushed_at_end(database, connection, Activity(source_id, 0)):
            for _ in range(50):
                with database.transaction(connection):
                    connection.execute(text("UPDATE source SET name = name"))
                    written = connection.scalar(text("SELECT pg_current_wal_insert_lsn()"))
        assert other.scalar(flushed, {"lsn": written})


@pytest.mark.parametrize("fails", [False, True])
def test_who_writes_next_waits_for_the_disk(database: Database, source_id: int, *, fails: bool) -> None:
    with database.bulk() as connection:
        try:
            with flushed_at_end(database, connection, Activity(source_id, 0)):
                if fails:
                    raise InterruptedError
        except InterruptedError:
            assert fails
    with database.write() as session:
        assert waits_for_disk(session.connection())


def test_a_file_leaves_nothing_in_the_log(ingest: Ingest, database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL makes its checkpoints in a process of its own")
    with database.bulk() as reader:  # the last connection to be closed would empty the log
        reader.execute(text("SELECT 1"))
        reader.rollback()
        ingest(events("anna,2024-01-05,1"), EVENTS)
        file = f"file:{database.engine.url.database}?immutable=1"
        with closing(sqlite3.connect(file, uri=True)) as without_log:
            assert without_log.execute("SELECT count(*) FROM event").fetchone() == (1,)
