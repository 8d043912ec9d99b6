"""Rows straight into a table, given as columns.

PostgreSQL takes them by COPY. SQLite takes them by INSERT statements of many rows, in types that its driver binds
without a search for adapters, which costs more than the rest of the insertion: it searches for None, bytes and bool,
but not for NaN (which SQLite stores as NULL), bytearray and int.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

__all__ = ["Values", "insertions", "load", "quoted"]

# The values of one column: an array, in which NaN stands for NULL, or a sequence, in which None does.
Values = NDArray[Any] | Sequence[Any]

# What SQLite does once a statement costs as much as a row. Few sizes, so that each is compiled once.
_ROWS_A_STATEMENT = (64, 8, 1)


def load(connection: Connection, table: str, names: Sequence[str], columns: Sequence[Values]) -> None:
    """Add rows to a table, inside the transaction of `connection`."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        for statement, values in insertions(table, names, columns):
            driver.executemany(statement, values)
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({quoted(names)}) FROM STDIN") as copy:
        for row in zip(*map(_for_postgresql, columns), strict=True):
            copy.write_row(row)


def insertions(
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
        statement = f"INSERT INTO {table} ({quoted(names)}) VALUES {', '.join([row] * n_rows)}"
        yield statement, (values[first : first + step] for first in range(start, end, step))
        start = end


def _for_sqlite(column: Values) -> Sequence[Any]:
    if isinstance(column, np.ndarray):
        values: list[Any] = (column.astype(np.int64) if column.dtype == np.bool_ else column).tolist()
        return values
    if column and isinstance(column[0], bytes):
        return list(map(bytearray, column))
    if column and isinstance(column[0], bool):
        return list(map(int, column))
    return [math.nan if value is None else value for value in column] if None in column else column


def _for_postgresql(column: Values) -> Sequence[Any]:
    if not isinstance(column, np.ndarray):
        return column
    values: list[Any] = column.tolist()
    return [None if value != value else value for value in values] if column.dtype.kind == "f" else values


def quoted(columns: Sequence[str]) -> str:
    """Return names as SQL lists them."""
    return ", ".join(f'"{name}"' for name in columns)
