"""Deleting many rows in short transactions, and so that a file keeps no copy of what stood in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, select, tuple_

from store.customer_keys import among
from store.engine import Database
from store.ingest.checkpoints import Checkpoints
from store.ingest.pace import SECONDS_ALONE, SECONDS_AMONG_OTHERS, Pace
from store.tables import Base, OrderLine

__all__ = ["Deletions", "deleting"]


class Deletions:
    """Deletes on a connection of its own, which `deleting` opens and closes.

    Parameters
    ----------
    database : Database
    connection : Connection
        Of `Database.bulk`.

    Attributes
    ----------
    connection : Connection
        For what else has to be written; outside of transactions.
    """

    def __init__(self, database: Database, connection: Connection) -> None:
        self.connection = connection
        self._database = database
        self._pace = Pace(SECONDS_ALONE if database.is_sqlite else SECONDS_AMONG_OTHERS)
        self._checkpoints = Checkpoints(connection)

    @contextmanager
    def transaction(self, n_rows: int = 1) -> Iterator[Connection]:
        """Run one transaction, which is to touch about so many rows."""
        with self._pace.of(n_rows) as holds, self._database.transaction(self.connection):
            holds()
            yield self.connection
        self._checkpoints.make()

    def events(self, ids: Sequence[int]) -> tuple[int, int]:
        """Delete events and their lines; return how many of each were there.

        An event that is there has all its lines: they go before it, however many they are.
        """
        events = lines = start = 0
        while start < len(ids):
            some = ids[start : start + self._pace.rows]
            start += len(some)
            lines += self.matching(OrderLine, OrderLine.event_id.in_(some))
            with self.transaction(len(some)) as connection:
                # Lines that came since are few.
                lines += _count(connection, f"DELETE FROM order_line WHERE event_id {among(some)}")
                _count(connection, f"DELETE FROM replaced_head WHERE event_id {among(some)}")
                events += _count(connection, f"DELETE FROM event WHERE id {among(some)}")
        return events, lines

    def matching(self, table: type[Base], condition: ColumnElement[bool]) -> int:
        """Delete the rows that meet a condition, which an index must serve; return how many there were."""
        key = _key(table)
        total = 0
        while True:
            n_rows = self._pace.rows
            some = select(*key).where(condition).limit(n_rows)
            with self.transaction(n_rows) as connection:
                deleted = connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount
            total += deleted
            if deleted < n_rows:
                return total

    def rows(self, table: type[Base], keys: Sequence[tuple[Any, ...]]) -> int:
        """Delete the rows with these primary keys; return how many were there."""
        key = _key(table)
        total = start = 0
        while start < len(keys):
            some = keys[start : start + self._pace.rows]
            start += len(some)
            with self.transaction(len(some)) as connection:
                total += connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount
        return total


@contextmanager
def deleting(database: Database) -> Iterator[Deletions]:
    """Open a connection for deletions: on SQLite what they leave behind is overwritten with zeros."""
    with database.bulk() as connection:
        try:
            if database.is_sqlite:
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA secure_delete = ON")
            yield Deletions(database, connection)
        finally:
            # It makes no checkpoints by itself any more, so that nobody else should get it.
            connection.invalidate()


def _key(table: type[Base]) -> list[Any]:
    mapped = table.__table__
    if not isinstance(mapped, Table):
        raise TypeError(f"expected a table, got {table.__name__}")
    return list(mapped.primary_key)


def _count(connection: Connection, statement: str) -> int:
    return connection.exec_driver_sql(statement).rowcount
