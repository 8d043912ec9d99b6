"""SQLite's checkpoints between the transactions of a bulk load instead of inside them.

A commit that finds more than 1,000 pages in the log copies them into the database before it lets go of its lock, and
nearly every commit of a bulk load does. Copied afterwards, they keep nobody from reading or writing; and copied after
several transactions, a page that all of them have changed is copied once.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

__all__ = ["Checkpoints"]

# The log grows by up to some ten kilobytes a row, and whoever reads has to look into it.
_ROWS_A_CHECKPOINT = 32_768


class Checkpoints:
    """Those of a connection, which from now on makes none by itself.

    Parameters
    ----------
    connection : Connection
        Outside of transactions; not to be used again by anyone else.
    """

    def __init__(self, connection: Connection) -> None:
        self._is_sqlite = connection.dialect.name == "sqlite"
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        self._rows = 0
        if self._is_sqlite:
            self._driver.execute("PRAGMA wal_autocheckpoint = 0")

    def after(self, n_rows: int) -> None:
        """Make one if it is time for it, after a transaction of so many rows."""
        self._rows += n_rows
        if self._rows >= _ROWS_A_CHECKPOINT:
            self.make()

    def make(self) -> None:
        """Copy what has been committed, as far as nobody reads an earlier state."""
        self._rows = 0
        if self._is_sqlite:
            self._driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
