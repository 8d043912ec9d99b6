"""Foreign keys that their writer proves, so that SQLite need not look up every one of them again.

It would open and search the parent table for each key of each row: a fifth of what a bulk load takes. A writer that
uses this holds only keys that its own transaction has read or stored, or an earlier one of its connection has, as long
as no other connection has changed anything since. (Sources, which nothing deletes, are looked up once a file.)
PostgreSQL checks all keys in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

__all__ = ["OtherWriters", "keys_proven_by_writer"]


@contextmanager
def keys_proven_by_writer(connection: Connection) -> Iterator[None]:
    """Let SQLite trust the keys that are written on a connection while the body runs, outside of transactions."""
    if connection.dialect.name != "sqlite":
        yield
        return
    _driver(connection).execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        # Not to be used by anyone who relies on the check.
        connection.invalidate()


class OtherWriters:
    """Tells whether what a connection remembers may have been changed by another.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._version: int | None = None

    def have_written(self) -> bool:
        """Say inside a transaction whether others have committed anything since this was last asked."""
        if self._connection.dialect.name != "sqlite":
            return False
        (version,) = _driver(self._connection).execute("PRAGMA data_version").fetchone()
        known, self._version = self._version, version
        return known not in (None, version)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
