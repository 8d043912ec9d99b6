"""However much is stored, and whatever PostgreSQL knows of it, ingestion finds what it asks for by index."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from store.engine import Database
from tests.store.ingest.conftest import Ingest, lines

_CUSTOMERS = 3_000
_TABLES = ("customer", "event", "order_line", "product")
_READ = text(
    "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname = ANY(:tables) AND n_tup_ins >= :inserted"
)


def file(first: int) -> str:
    """Return lines of customers, orders and products that no other file has."""
    numbers = range(first, first + _CUSTOMERS)
    return lines(*(f"c{number},2024-01-05,o{number},p{number},1,2" for number in numbers))


def rows_read_in_passing(database: Database, inserted: int) -> dict[str, int]:
    """Return how many rows have been read from tables as a whole, once the server has counted that many insertions."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with database.read() as session:
            counted = session.execute(_READ, {"tables": list(_TABLES), "inserted": inserted}).all()
        if len(counted) == len(_TABLES):
            return {row.relname: row.seq_tup_read for row in counted}
        time.sleep(0.05)
    raise TimeoutError("the server has not counted what was inserted")


def test_no_table_is_read_as_a_whole(database: Database, ingest: Ingest) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite goes by index in any case")
    ingest(file(0))
    before = rows_read_in_passing(database, _CUSTOMERS)
    ingest(file(0), name="again.csv")
    ingest(file(_CUSTOMERS), name="more.csv")
    after = rows_read_in_passing(database, 2 * _CUSTOMERS)
    assert after == before
