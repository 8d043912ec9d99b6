"""Transactions of a file, none of which waits for the disk: the file is stored once all of it is.

Who sends a file is told so at its end, and whoever is cut off before sends it again. So its transactions may come to
the disk later, in their order, and the last waits for all. What is promised to others, such as the senders of live
events, is not touched by it: their commits wait for everything before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from store.engine import Database
from store.ingest.activity import Activity, record
from store.ingest.checkpoints import Checkpoints

__all__ = ["flushed_at_end"]

_LATER = {"sqlite": "PRAGMA synchronous = NORMAL", "postgresql": "SET synchronous_commit = off"}
_AT_ONCE = {"sqlite": "PRAGMA synchronous = FULL", "postgresql": "RESET synchronous_commit"}


@contextmanager
def flushed_at_end(database: Database, connection: Connection, last: Activity) -> Iterator[Checkpoints]:
    """Let transactions that are run on a connection in the body come to the disk later, but before this ends.

    Yields what makes the checkpoints of the connection meanwhile.

    Parameters
    ----------
    database, connection
        A connection of `Database.bulk`, outside of transactions; of no use afterwards.
    last : Activity
        Recorded at the end: only a transaction that writes waits for the disk.
    """
    checkpoints = Checkpoints(connection)
    _set(connection, _LATER)
    try:
        yield checkpoints
        _set(connection, _AT_ONCE)
        with database.transaction(connection):
            record(connection, [last])
        checkpoints.make()
    finally:
        connection.invalidate()


def _set(connection: Connection, statements: dict[str, str]) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute(statements[connection.dialect.name])
    # Of PostgreSQL it would be taken back with the transaction that its driver has begun for it.
    driver.commit()
