"""Bulk loading: every kind of value arrives as it is, on both engines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from store.bulk_load import load
from store.engine import Database
from store.ingest.proven_keys import OtherWriters, keys_proven_by_writer
from store.ingest.staging import NewRows, StagingTable

NAMES = ("file_hash", "line", "source_id", "file", "column", "value", "code", "reason", "received_at")


def some_columns(n: int) -> list[Any]:
    """Return rejected rows, with missing texts, as columns."""
    texts = [f"row {row}" for row in range(n)]
    return [
        [bytes([row % 256]) * 32 for row in range(n)],
        np.arange(n),
        [1] * n,
        texts,
        texts,
        [None if row % 3 else "" for row in range(n)],
        texts,
        texts,
        np.arange(n) * 2**40,
    ]


def with_source(database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO source (id, name) VALUES (1, 'file')"))


@pytest.mark.parametrize("n", [1, 7, 8, 63, 64, 200])
def test_as_many_rows_arrive_as_are_given(database: Database, n: int) -> None:
    with_source(database)
    columns = some_columns(n)
    with database.bulk() as connection, database.transaction(connection):
        load(connection, "rejected_row", NAMES, columns)
    with database.read() as session:
        found = session.execute(
            text(
                'SELECT file_hash, line, source_id, file, "column", value, code, reason, received_at FROM rejected_row'
            )
        ).all()
    expected = list(zip(*(list(one) for one in columns), strict=True))
    assert sorted((bytes(row[0]), *row[1:]) for row in found) == sorted(expected)


def test_missing_numbers_are_null_and_truths_are_truths(database: Database) -> None:
    staged = StagingTable("event", ("has_message_id", "value", "order_key", "order_id"), name="staged_for_test")
    with database.bulk() as connection:
        with database.transaction(connection):
            staged.create(connection)
        with database.transaction(connection):
            staged.fill(connection, [np.array([True, False]), np.array([math.nan, 1.5]), [None, 7], ["a", None]])
            found = staged.run(connection, "SELECT has_message_id, value, order_key, order_id FROM staged_for_test")
    assert sorted(found, key=repr, reverse=True) in (
        [(True, None, None, "a"), (False, 1.5, 7, None)],
        [(1, None, None, "a"), (0, 1.5, 7, None)],
    )


def test_only_rows_that_are_not_there_are_added_and_returned(database: Database) -> None:
    sources = NewRows("source", ("name",), key=("name",), returning=("name",))
    with database.bulk() as connection:
        with database.transaction(connection):
            sources.prepare(connection)
        with database.transaction(connection):
            assert sorted(sources.add(connection, [["b", "a"]])) == [("a",), ("b",)]
            assert sources.add(connection, [["c", "a", "b"]]) == [("c",)]
            assert sources.add(connection, [[]]) == []


def test_a_connection_that_did_not_check_keys_is_not_used_again(database: Database) -> None:
    with database.bulk() as connection, keys_proven_by_writer(connection):
        pass
    if database.is_sqlite:
        with database.bulk() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_what_others_have_written_is_noticed_and_own_writes_are_not(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL checks every key itself")
    with database.bulk() as connection:
        others = OtherWriters(connection)
        noticed = []
        for someone_else in (False, True, False):
            if someone_else:
                with_source(database)
            with database.transaction(connection):
                noticed.append(others.have_written())
                connection.exec_driver_sql("INSERT INTO product (product_id) SELECT hex(randomblob(8))")
    assert noticed == [False, True, False]
