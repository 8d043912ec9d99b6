"""Bulk loading: straight into a table, only what is new into a table, or into a temporary one for statements to join.

Rows are given as columns. PostgreSQL takes them by COPY. SQLite takes them by INSERT statements of many rows, in types
that its driver binds without a search for adapters, which costs more than the rest of the insertion: it searches for
None, bytes and bool, but not for NaN (which SQLite stores as NULL), bytearray and int.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table
from sqlalchemy.schema import CreateTable

from store.tables import Base

__all__ = ["NewRows", "StagingTable", "Values", "load"]

# The values of one column: an array, in which NaN stands for NULL, or a sequence, in which None does.
Values = NDArray[Any] | Sequence[Any]

# What SQLite does once a statement costs as much as a row. Few sizes, so that each is compiled once.
_ROWS_A_STATEMENT = (64, 8, 1)


def load(connection: Connection, table: str, names: Sequence[str], columns: Sequence[Values]) -> None:
    """Add rows to a table, inside the transaction of `connection`."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        for statement, values in _insertions(table, names, columns):
            driver.executemany(statement, values)
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({_quoted(names)}) FROM STDIN") as copy:
        for row in zip(*map(_for_postgresql, columns), strict=True):
            copy.write_row(row)


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
        self.columns = _quoted(columns)
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
        self._end = f" ON CONFLICT ({_quoted(key)}) DO NOTHING RETURNING {_quoted(returning)}"
        self._incoming = StagingTable(table, columns)
        # Sorted, so that processes that store the same rows wait for each other in one order and never in a circle.
        self._insert = (
            f"INSERT INTO {table} ({self._incoming.columns}) SELECT {self._incoming.columns} "
            f"FROM {self._incoming.name} ORDER BY {_quoted(key)}{self._end}"
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
        for statement, groups in _insertions(self._table, self._columns, columns):
            for values in groups:
                added += driver.execute(statement + self._end, values).fetchall()
        return added


def _insertions(
    table: str, names: Sequence[str], columns: Sequence[Values]
) -> Iterator[tuple[str, Iterator[list[Any]]]]:
    """Yield INSERT statements for SQLite, each with the values of its runs."""
    width = len(names)
    values: list[Any] = [None] * (width * len(columns[0]))
    for place, column in enumerate(columns):
        values[place::width] = _for_sqlite(column)
    row = f"({', '.join('?' * width)})"
    start = 0
    for n_rows in _ROWS_A_STATEMENT:
        step = n_rows * width
        end = len(values) - (len(values) - start) % step
        statement = f"INSERT INTO {table} ({_quoted(names)}) VALUES {', '.join([row] * n_rows)}"
        yield statement, (values[first : first + step] for first in range(start, end, step))
        start = end


def _for_sqlite(column: Values) -> Sequence[Any]:
    if isinstance(column, np.ndarray):
        values: list[Any] = (column.astype(np.int64) if column.dtype == np.bool_ else column).tolist()
        return values
    if column and isinstance(column[0], bytes):
        return list(map(bytearray, column))
    return [math.nan if value is None else value for value in column] if None in column else column


def _for_postgresql(column: Values) -> Sequence[Any]:
    if not isinstance(column, np.ndarray):
        return column
    values: list[Any] = column.tolist()
    return [None if value != value else value for value in values] if column.dtype.kind == "f" else values


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _plain(column_type: Any) -> Any:
    return LargeBinary() if isinstance(column_type, LargeBinary) else column_type
