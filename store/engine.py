"""One door to the database: `Database.read()` and `Database.write()`, the same on SQLite and PostgreSQL.

SQLite admits one writer at a time and lets waiting ones poll, which starves them beside a long writer. Here every
writer, of every thread and process, first queues on one file lock beside the database (the kernel wakes waiters in
order), then begins IMMEDIATE, and is short. PostgreSQL needs neither.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session

from store.exceptions import SettingsError

__all__ = ["Database"]

_BUSY_TIMEOUT_MS = 4_000


class Database:
    """An engine together with the way it is read and written.

    Parameters
    ----------
    url : str
        `sqlite:///path` or `postgresql://…`.

    Notes
    -----
    Create it after a fork, not before; call `close()` when done.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise SettingsError("expected a file in the SQLite URL, such as sqlite:///var/regulars.db")
            path = Path(parsed.database)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.lock_path: Path | None = path.with_name(path.name + ".lock")
            self.engine = _sqlite_engine(url)
        else:
            self.lock_path = None
            self.engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, for the few statements that differ."""
        return self.lock_path is not None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session on one consistent view of the data; nothing is committed."""
        with Session(self._reading_engine()) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that commits at the end, or rolls back on an exception. Keep it short."""
        with self._turn(), Session(self._writing_engine(), expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def bulk(self) -> Iterator[Connection]:
        """Open one connection for a bulk job, which begins its own short transactions with `transaction`."""
        with self._writing_engine().connect() as connection:
            yield connection

    @contextmanager
    def transaction(self, connection: Connection) -> Iterator[Connection]:
        """Run one short writing transaction on a connection of `bulk`."""
        with self._turn(), connection.begin():
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _reading_engine(self) -> Engine:
        if self.is_sqlite:
            return self.engine
        # What a list reads in two statements must come from one view, as SQLite's transactions give it anyway.
        return self.engine.execution_options(isolation_level="REPEATABLE READ")

    def _writing_engine(self) -> Engine:
        return self.engine.execution_options(begin_immediate=True) if self.is_sqlite else self.engine

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self.lock_path is None:
            yield
            return
        # A descriptor of its own each time: flock then holds between threads as well as between processes.
        descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver's own implicit BEGIN is off; the "begin" event below decides which kind it is.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {_BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -65536",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("begin_immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine
