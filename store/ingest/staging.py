"""Bulk loading: straight into a table, or into a temporary one from which set-based statements take what is new.

SQLite loads by `executemany` on its own connection, PostgreSQL by COPY; the statements are the same on both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table
from sqlalchemy.schema import CreateTable

from store.tables import Base

__all__ = ["StagingTable", "load"]


def load(connection: Connection, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows to a table, inside the transaction of `connection`."""
    driver: Any = connection.connection.driver_connection
    names = _quoted(columns)
    if connection.dialect.name == "sqlite":
        driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})", rows)
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


class StagingTable:
    """A temporary table with some of the columns of a real one.

    Parameters
    ----------
    like : str
        Name of the real table; the temporary one is `incoming_` and this.
    columns : tuple of str
        The columns, in the order in which rows are given.
    """

    def __init__(self, like: str, columns: tuple[str, ...]) -> None:
        real = Base.metadata.tables[like]
        self.name = f"incoming_{like}"
        self.column_names = columns
        self.columns = _quoted(columns)
        self._table = Table(
            self.name,
            MetaData(),
            *(Column(name, _plain(real.c[name].type)) for name in columns),
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DELETE ROWS",
        )

    def create(self, connection: Connection) -> None:
        """Create it for this connection, or empty it where it is left from before."""
        connection.execute(CreateTable(self._table, if_not_exists=True))
        connection.exec_driver_sql(f"DELETE FROM {self.name}")

    def fill(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Make these its only rows, inside the transaction of `connection`."""
        connection.exec_driver_sql(f"DELETE FROM {self.name}")
        load(connection, self.name, self.column_names, rows)

    def run(self, connection: Connection, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement that reads from it, and return what that returns.

        On the driver itself: for a row a microsecond long the engine's own result would cost more than the database.
        """
        driver: Any = connection.connection.driver_connection
        rows: list[tuple[Any, ...]] = driver.execute(statement).fetchall()
        return rows


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _plain(column_type: Any) -> Any:
    return LargeBinary() if isinstance(column_type, LargeBinary) else column_type
