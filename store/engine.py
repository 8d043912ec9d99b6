"""One door to the database: `Database.read()` and `Database.write()`, the same on SQLite and PostgreSQL.

SQLite admits one writer at a time and lets waiting ones poll, which starves them beside a long writer. Here every
writer, of every thread and process, first waits its turn (`store.turns`), then begins IMMEDIATE, and is short.
PostgreSQL needs neither.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, TextClause, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from store.exceptions import SettingsError
from store.turns import Turns

__all__ = ["Database"]

_BUSY_TIMEOUT_MS = 4_000
# Clients are answered within five seconds, also where the server takes a connection and says nothing.
_SECONDS_TO_CONNECT = 3
_POSTGRESQL = {
    "connect_timeout": _SECONDS_TO_CONNECT,
    # Of a server that is gone without a word: what it did not confirm, and after how long it is asked whether it lives.
    "tcp_user_timeout": 4_000,  # milliseconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
_EXPECTED_URL = "expected a database URL such as sqlite:///var/regulars.db or postgresql://user@host/regulars"


class Database:
    """An engine together with the way it is read and written.

    Parameters
    ----------
    url : str
        `sqlite:///path` or `postgresql://…`.

    Raises
    ------
    SettingsError
        The URL is neither, or names no file.

    Notes
    -----
    Create it after a fork, not before; call `close()` when done.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise SettingsError("expected a file in the SQLite URL, such as sqlite:///var/regulars.db")
            # One file has one lock, by whatever name and from whatever working directory it is opened.
            file = Path(parsed.database).resolve()
            file.parent.mkdir(parents=True, exist_ok=True)
            self._turns: Turns | None = Turns(file)
            self.engine = _sqlite_engine(parsed.set(database=str(file)))
        else:
            self._turns = None
            self.engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_pre_ping=True,
                pool_timeout=_SECONDS_TO_CONNECT,
                hide_parameters=True,
                # What the URL itself says of these goes before.
                connect_args={name: value for name, value in _POSTGRESQL.items() if name not in parsed.query},
            )

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, for the few statements that differ."""
        return self._turns is not None

    @contextmanager
    def read(self, within: float | None = None) -> Iterator[Session]:
        """Open a session on one consistent view of the data; nothing is committed.

        Parameters
        ----------
        within : float, optional
            How many seconds to wait at most for somebody who has locked a table of PostgreSQL against readers
            (`sqlalchemy.exc.OperationalError`); without it as long as it takes. Of SQLite nobody can.
        """
        with Session(self._reading_engine()) as session:
            if within is not None and not self.is_sqlite:
                session.execute(_lock_timeout(within))
            yield session

    @contextmanager
    def write(self, within: float | None = None) -> Iterator[Session]:
        """Open a session that commits at the end, or rolls back on an exception.

        Keep it short, and begin no other write inside: it would wait for this one to end.

        Parameters
        ----------
        within : float, optional
            How many seconds to wait for others at most, as in `transaction`; without it as long as it takes.
        """
        until = _end_of(within)
        with (
            self._turn(within),
            self.bulk() as connection,
            self._begun(connection, until),
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            # The transaction is the connection's, so what is left in the session has to go there before it ends.
            session.flush()

    @contextmanager
    def bulk(self) -> Iterator[Connection]:
        """Open one connection for a bulk job, which begins its own short transactions with `transaction`."""
        with self._writing_engine().connect() as connection:
            yield connection

    @contextmanager
    def transaction(self, connection: Connection, within: float | None = None) -> Iterator[Connection]:
        """Run one short writing transaction on a connection of `bulk`.

        Parameters
        ----------
        connection : Connection
        within : float, optional
            How many seconds to wait for others at most; without it as long as it takes.

        Raises
        ------
        DatabaseBusyError, sqlalchemy.exc.OperationalError
            Others took longer than that. (PostgreSQL may wait as long once for each row that another holds.)
        """
        until = _end_of(within)
        with self._turn(within), self._begun(connection, until):
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
    def _begun(self, connection: Connection, until: float | None) -> Iterator[None]:
        left = None if until is None else max(until - time.monotonic(), 0.0)
        with ExitStack() as stack:
            if left is not None and self.is_sqlite:
                stack.enter_context(_waiting_at_most(connection, left))
            stack.enter_context(connection.begin())
            if left is not None and not self.is_sqlite:
                connection.execute(_lock_timeout(left))
            yield

    @contextmanager
    def _turn(self, within: float | None) -> Iterator[None]:
        if self._turns is None:
            yield
            return
        with self._turns.next() if within is None else self._turns.next_within(within):
            yield


def _end_of(within: float | None) -> float | None:
    return None if within is None else time.monotonic() + within


@contextmanager
def _waiting_at_most(connection: Connection, seconds: float) -> Iterator[None]:
    """Let SQLite wait no longer than this for somebody who has locked the file without taking turns."""
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout = {int(seconds * 1_000)}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")


def _lock_timeout(seconds: float) -> TextClause:
    """Return what bounds each wait for a lock until the end of a transaction of PostgreSQL."""
    # 0 would be for ever.
    return text(f"SET LOCAL lock_timeout = {max(int(seconds * 1_000), 1)}")


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: of a port that is no number
        raise SettingsError(_EXPECTED_URL) from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsError(f"{_EXPECTED_URL}; got one of {parsed.get_backend_name()}")
    return parsed


def _sqlite_engine(url: URL) -> Engine:
    # What goes into statements is customers' data, which errors and logs must not repeat.
    engine = create_engine(url, hide_parameters=True)

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
            "secure_delete = ON",
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
