"""Temporary tables through which rows go in bulk, so that both engines run the same set-based statements.

SQLite fills them by `executemany` on its own cursor, PostgreSQL by COPY.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table
from sqlalchemy.schema import CreateTable

from store.tables import Base

__all__ = ["StagingTable"]


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
        self.columns = ", ".join(f'"{name}"' for name in columns)
        self._table = Table(
            self.name,
            MetaData(),
            *(Column(name, _plain(real.c[name].type)) for name in columns),
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DELETE ROWS",
        )
        self._marks = ", ".join("?" * len(columns))

    def create(self, connection: Connection) -> None:
        """Create it for this connection, or empty it where it is left from before."""
        connection.execute(CreateTable(self._table, if_not_exists=True))
        connection.exec_driver_sql(f"DELETE FROM {self.name}")

    def fill(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Make these its only rows, inside the transaction of `connection`."""
        connection.exec_driver_sql(f"DELETE FROM {self.name}")
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            driver.executemany(f"INSERT INTO {self.name} VALUES ({self._marks})", rows)
            return
        with driver.cursor() as cursor, cursor.copy(f"COPY {self.name} ({self.columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def _plain(column_type: Any) -> Any:
    return LargeBinary() if isinstance(column_type, LargeBinary) else column_type
