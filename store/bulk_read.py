"""Many rows straight out of a database as columns; the counterpart of `bulk_load`.

A driver makes an object of every value, which costs more than the engine's own work. PostgreSQL instead joins the bytes
of many rows into one value, which numpy takes as it is. SQLite can't; there every column costs about half of what a row
of one column does, so that small whole numbers are read several to a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import starmap
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

__all__ = ["Column", "Kind", "driver_of", "errors_of", "read_blocks", "read_columns"]

# So few that their objects are freed again before Python's collector looks for garbage among them.
_ROWS_A_BLOCK = 500

_BITS_OF_AN_INTEGER = 63  # without the sign
_MISSING = "-9e999"  # negative infinity, which no stored number is


class Kind(Enum):
    """What the values of a column are."""

    INTEGER = "integer"
    NUMBER = "number"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Column:
    """An expression in SQL and what it gives.

    Attributes
    ----------
    expression : str
    kind : Kind
        An `INTEGER` is never NULL; a `NUMBER` may be, which becomes NaN; a `DIGEST` has 16 bytes.
    bits : int, optional
        Of an integer: if given, all values are from 0 to below 2 to the power of this.
    """

    expression: str
    kind: Kind = Kind.INTEGER
    bits: int | None = None


# How a value of each kind lies in a row's bytes: for `struct`, and for numpy in the byte order that the engine gives.
_IN_STRUCT = {Kind.INTEGER: "q", Kind.NUMBER: "d", Kind.DIGEST: "16s"}
_IN_SQLITE: dict[Kind, Any] = {Kind.INTEGER: "<i8", Kind.NUMBER: "<f8", Kind.DIGEST: (">u8", 2)}
_IN_POSTGRESQL: dict[Kind, Any] = {Kind.INTEGER: ">i8", Kind.NUMBER: ">f8", Kind.DIGEST: (">u8", 2)}
_SENT_BY_POSTGRESQL = {
    Kind.INTEGER: "int8send({})",
    Kind.NUMBER: "float8send(coalesce({}, 'NaN'))",
    Kind.DIGEST: "{}",
}
_NATIVE = {Kind.INTEGER: np.int64, Kind.NUMBER: np.float64, Kind.DIGEST: np.uint64}


def read_blocks(session: Session, statement: str, values: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
    """Read rows as the driver gives them, a few hundred at a time.

    Parameters
    ----------
    session : Session
    statement : str
        In which `{}` stands for each of `values`.
    values : sequence
    """
    connection = session.connection()
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    marked = statement.format(*[mark] * len(values)) if values else statement
    with errors_of(connection):
        cursor = driver_of(connection).execute(marked, values or ())
        while rows := cursor.fetchmany(_ROWS_A_BLOCK):
            yield rows


def read_columns(session: Session, columns: Mapping[str, Column], source: str, part: str) -> dict[str, NDArray[Any]]:
    """Read columns of numbers, in any order of the rows.

    Parameters
    ----------
    session : Session
    columns : mapping of str to Column
    source : str
        What follows the columns in the statement, from `FROM` to the last condition.
    part : str
        An expression: rows in which it is the same, at most some millions, may be read as one value.

    Returns
    -------
    dict of str to array
        By name: int64, float64, or of digests uint64 of shape (n, 2), which orders as their bytes do.
    """
    connection = session.connection()
    with errors_of(connection):
        if connection.dialect.name == "sqlite":
            return _from_sqlite(driver_of(connection), columns, source)
        return _from_postgresql(driver_of(connection), columns, source, part)


def _from_postgresql(driver: Any, columns: Mapping[str, Column], source: str, part: str) -> dict[str, NDArray[Any]]:
    row = " || ".join(_SENT_BY_POSTGRESQL[column.kind].format(column.expression) for column in columns.values())
    # In parts, because one value holds a gigabyte at most.
    statement = f"SELECT string_agg({row}, '') {source} GROUP BY {part}"
    parts = driver.execute(statement, binary=True).fetchall()
    dtype = np.dtype([(name, _IN_POSTGRESQL[column.kind]) for name, column in columns.items()])
    records = np.frombuffer(b"".join(rows for (rows,) in parts), dtype=dtype)
    return {name: records[name].astype(_NATIVE[column.kind]) for name, column in columns.items()}


def _from_sqlite(driver: Any, columns: Mapping[str, Column], source: str) -> dict[str, NDArray[Any]]:
    shared, alone = _shares(columns)
    expressions = [share.expression for share in shared] + [_for_sqlite(column) for column in alone.values()]
    kinds = [Kind.INTEGER] * len(shared) + [column.kind for column in alone.values()]
    names = [f"shared_{i}" for i in range(len(shared))] + list(alone)
    pack = Struct("<" + "".join(_IN_STRUCT[kind] for kind in kinds)).pack
    cursor = driver.execute(f"SELECT {', '.join(expressions)} {source}")
    blocks = []
    while rows := cursor.fetchmany(_ROWS_A_BLOCK):
        blocks.append(b"".join(starmap(pack, rows)))
    dtype = np.dtype([(name, _IN_SQLITE[kind]) for name, kind in zip(names, kinds, strict=True)])
    records = np.frombuffer(b"".join(blocks), dtype=dtype)
    found = {name: records[name].astype(_NATIVE[column.kind]) for name, column in alone.items()}
    for name, column in alone.items():
        if column.kind is Kind.NUMBER:
            found[name][found[name] == -np.inf] = np.nan
    for i, share in enumerate(shared):
        found.update(share.unpacked(records[f"shared_{i}"].astype(np.int64)))
    return found


def _for_sqlite(column: Column) -> str:
    return f"coalesce({column.expression}, {_MISSING})" if column.kind is Kind.NUMBER else column.expression


class _Share:
    """One integer that holds several columns, the first one in the highest bits.

    Attributes
    ----------
    expression : str
    free : int
        Bits that are left.
    """

    def __init__(self) -> None:
        self.expression = "0"
        self.free = _BITS_OF_AN_INTEGER
        self._bits: dict[str, int] = {}

    def add(self, name: str, expression: str, bits: int) -> None:
        """Give a column its bits."""
        self.expression = f"({self.expression} << {bits} | {expression})" if self._bits else expression
        self.free -= bits
        self._bits[name] = bits

    def unpacked(self, values: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Give each column by name."""
        for name, bits in reversed(self._bits.items()):
            yield name, values & ((1 << bits) - 1)
            values = values >> bits


def _shares(columns: Mapping[str, Column]) -> tuple[list[_Share], dict[str, Column]]:
    """Let columns of which the bits are known share as few integers as they fit; return also those that stay alone."""
    shares: list[_Share] = []
    alone = {}
    for name, column in columns.items():
        if column.bits is None:
            alone[name] = column
            continue
        if not shares or column.bits > shares[-1].free:
            shares.append(_Share())
        shares[-1].add(name, column.expression, column.bits)
    return shares, alone


def driver_of(connection: Connection) -> Any:
    """Return the driver's own connection."""
    return connection.connection.driver_connection


@contextmanager
def errors_of(connection: Connection) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy's, which callers know, without what the statement held."""
    errors = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except errors as error:
        raise DBAPIError.instance(
            None, None, error, errors, hide_parameters=True, dialect=connection.dialect
        ) from error
