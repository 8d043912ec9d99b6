"""Columns straight out of a database: the same values on both engines, whatever shares an integer."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy.exc import DBAPIError

from store.bulk_read import Column, Kind, read_blocks, read_columns
from store.engine import Database

_ROWS = 1_201  # three blocks
_SOURCE = (
    f"FROM (WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < {_ROWS - 1}) SELECT i FROM r) r"
)
_I = "CAST(i AS bigint)"


def test_whole_numbers_that_share_an_integer_come_out_as_they_are(database: Database) -> None:
    columns = {
        "a": Column(_I, bits=11),
        "high": Column(f"1099511627775 - {_I}", bits=40),
        "none": Column("0", bits=0),
        "full": Column(f"9223372036854775807 - {_I}", bits=63),  # fits no other
        "b": Column(f"{_I} % 3", bits=2),
        "alone": Column(f"-9223372036854775807 + {_I}"),
    }
    with database.read() as session:
        found = read_columns(session, columns, _SOURCE, "i % 7")
    order = np.argsort(found["a"])
    i = np.arange(_ROWS)
    assert set(found) == set(columns)
    np.testing.assert_array_equal(found["a"][order], i)
    np.testing.assert_array_equal(found["high"][order], 2**40 - 1 - i)
    np.testing.assert_array_equal(found["none"], 0)
    np.testing.assert_array_equal(found["full"][order], 2**63 - 1 - i)
    np.testing.assert_array_equal(found["b"][order], i % 3)
    np.testing.assert_array_equal(found["alone"][order], i - (2**63 - 1))
    assert {values.dtype for values in found.values()} == {np.dtype(np.int64)}


def test_numbers_keep_every_bit_null_becomes_nan_and_digests_order_as_their_bytes(database: Database) -> None:
    number = "CASE i WHEN 0 THEN NULL WHEN 1 THEN 0.1 WHEN 2 THEN -1e300 ELSE CAST(i AS double precision) / 3 END"
    literal = "X'{}'" if database.is_sqlite else "'\\x{}'::bytea"
    small, large = (literal.format(digits) for digits in ("00" * 15 + "01", "ff" * 8 + "00" * 8))
    columns = {
        "i": Column("i", bits=11),
        "number": Column(number, Kind.NUMBER),
        "digest": Column(f"CASE WHEN i < 600 THEN {small} ELSE {large} END", Kind.DIGEST),
    }
    with database.read() as session:
        found = read_columns(session, columns, _SOURCE, "i")
    order = np.argsort(found["i"])
    i = np.arange(_ROWS)
    np.testing.assert_array_equal(found["number"][order], [np.nan, 0.1, -1e300, *(i[3:] / 3)])
    expected = np.where(
        (i < 600)[:, None], np.array([0, 1], dtype=np.uint64), np.array([2**64 - 1, 0], dtype=np.uint64)
    )
    np.testing.assert_array_equal(found["digest"][order], expected)


def test_no_rows_are_empty_columns(database: Database) -> None:
    columns = {
        "i": Column("i", bits=3),
        "n": Column("CAST(i AS double precision)", Kind.NUMBER),
        "d": Column("identity", Kind.DIGEST),
    }
    with database.read() as session:
        found = read_columns(session, columns, "FROM (SELECT id AS i, identity FROM event) e", "i")
        assert list(read_blocks(session, "SELECT id FROM event WHERE id = {}", [1])) == []
    assert {name: values.shape for name, values in found.items()} == {"i": (0,), "n": (0,), "d": (0, 2)}


def test_rows_come_in_blocks_with_values_in_their_places(database: Database) -> None:
    with database.read() as session:
        blocks = list(read_blocks(session, "SELECT i, {} " + _SOURCE + " WHERE i >= {}", ["50%", 1]))
    rows = [row for block in blocks for row in block]
    assert len(blocks) > 1
    assert sorted(rows) == [(i, "50%") for i in range(1, _ROWS)]


def test_errors_of_the_driver_come_as_those_of_sqlalchemy_without_the_statement(database: Database) -> None:
    with database.read() as session, pytest.raises(DBAPIError, match="nowhere") as raised:
        list(read_blocks(session, "SELECT 'c000' FROM nowhere"))
    assert "c000" not in str(raised.value).splitlines()[0]
    with database.read() as session, pytest.raises(DBAPIError, match="nowhere"):
        read_columns(session, {"i": Column("i")}, "FROM nowhere", "i")
