"""Bulk loading of what may be there already: only what is new, or into a temporary table for statements to join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table
from sqlalchemy.schema import CreateTable

from store.bulk_load import Values, insertions, load, quoted
from store.tables import Base

__all__ = ["NewRows", "StagingTable"]


class StagingTable:
    """A temporary table with some of the columns of a real one.

    Parameters
    ----------
    like : str
        Name of the real table; the temporary one is `incoming_` and this.
    columns : tuple of str
        The columns, in the order in which they are given.
    name : str, optional
        Another name for it.
    """

    def __init__(self, like: str, columns: tuple[str, ...], name: str | None = None) -> None:
        real = Base.metadata.tables[like]
        self.name = name or f"incoming_{like}"
        self.columns = quoted(columns)
        self._column_names = columns
        self._table = Table(
            self.name,
            MetaData(),
            *(Column(column, _plain(real.c[column].type)) for column in columns),
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DELETE ROWS",
        )

    def create(self, connection: Connection) -> None:
        """Create it for this connection, or empty it where it is left from before."""
        connection.execute(CreateTable(self._table, if_not_exists=True))
        connection.exec_driver_sql(f"DELETE FROM {self.name}")

    def fill(self, connection: Connection, columns: Sequence[Values]) -> None:
        """Make these its only rows, inside the transaction of `connection`."""
        connection.exec_driver_sql(f"DELETE FROM {self.name}")
        load(connection, self.name, self._column_names, columns)

    def run(self, connection: Connection, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement that reads from it, and return what that returns.

        On the driver itself: for a row a microsecond long the engine's own result would cost more than the database.
        """
        driver: Any = connection.connection.driver_connection
        rows: list[tuple[Any, ...]] = driver.execute(statement).fetchall()
        return rows


class NewRows:
    """Adds to a table the rows that it does not have.

    Parameters
    ----------
    table : str
    columns : tuple of str
        The columns, in the order in which they are given.
    key : tuple of str
        The columns that are unique together; a row whose key is there changes nothing.
    returning : tuple of str
        The columns to return of each row that is added.
    """

    def __init__(
        self, table: str, columns: tuple[str, ...], *, key: tuple[str, ...], returning: tuple[str, ...]
    ) -> None:
        self._table = table
        self._columns = columns
        self._unless_there = f" ON CONFLICT ({quoted(key)}) DO NOTHING"
        self._returning = f" RETURNING {quoted(returning)}"
        self._has_id = "id" in Base.metadata.tables[table].c
        self._last_id = f"SELECT coalesce(max(id), 0) FROM {table}"
        self._added_after = f"SELECT {quoted(returning)} FROM {table} WHERE id > ? ORDER BY id"
        self._incoming = StagingTable(table, columns)
        # Sorted, so that processes that store the same rows wait for each other in one order and never in a circle.
        self._insert = (
            f"INSERT INTO {table} ({self._incoming.columns}) SELECT {self._incoming.columns} "
            f"FROM {self._incoming.name} ORDER BY {quoted(key)}{self._unless_there}{self._returning}"
        )

    def prepare(self, connection: Connection) -> None:
        """Make what it needs on this connection."""
        if connection.dialect.name != "sqlite":
            self._incoming.create(connection)

    def add(self, connection: Connection, columns: Sequence[Values]) -> list[tuple[Any, ...]]:
        """Add rows inside the transaction of `connection`, and return what is asked for of those that were new."""
        if connection.dialect.name != "sqlite":
            self._incoming.fill(connection, columns)
            return self._incoming.run(connection, self._insert)
        # One writer at a time, so that what is not there needs no table of its own to be found out.
        driver: Any = connection.connection.driver_connection
        added: list[tuple[Any, ...]] = []
        if self._has_id:
            # Ids ascend, so that what is new need not be returned statement by statement.
            (last,) = driver.execute(self._last_id).fetchone()
            for statement, groups in insertions(self._table, self._columns, columns):
                driver.executemany(statement + self._unless_there, groups)
            added = driver.execute(self._added_after, (last,)).fetchall()
        else:
            for statement, groups in insertions(self._table, self._columns, columns):
                for values in groups:
                    added += driver.execute(statement + self._unless_there + self._returning, values).fetchall()
        return added


def _plain(column_type: Any) -> Any:
    return LargeBinary() if isinstance(column_type, LargeBinary) else column_type
