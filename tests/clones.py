"""Databases of one PostgreSQL server, cloned from others by a thread of its own while tests go on."""

from __future__ import annotations

import uuid
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy import URL, create_engine, make_url

__all__ = ["Clones"]


class Clones:
    """Clones of databases; none may be connected to while it is cloned.

    Parameters
    ----------
    template : str
        URL of the database of which most tests want a clone.
    """

    def __init__(self, template: str) -> None:
        self._template = make_url(template)
        admin = self._template.set(database="postgres", drivername="postgresql+psycopg")
        self._engine = create_engine(admin, isolation_level="AUTOCOMMIT")
        self._thread = ThreadPoolExecutor(1)
        self._drops: list[Future[None]] = []
        self._next = self._begin(self._template)

    def next(self) -> str:
        """Return the URL of a clone of the template, which was begun when the one before was taken."""
        ready, self._next = self._next, self._begin(self._template)
        return ready.result()

    def of(self, url: str) -> str:
        """Return the URL of a clone of another database."""
        return self._begin(make_url(url)).result()

    def drop(self, url: str) -> None:
        """Take a clone away, whoever is still connected to it, some time later."""
        self._drops.append(self._thread.submit(self._execute, f"DROP DATABASE {make_url(url).database} WITH (FORCE)"))

    def close(self) -> None:
        """Wait for what was begun."""
        self._thread.shutdown()
        self._engine.dispose()
        for dropped in self._drops:
            dropped.result()

    def _begin(self, source: URL) -> Future[str]:
        return self._thread.submit(self._clone, source)

    def _clone(self, source: URL) -> str:
        name = f"clone_{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {source.database} STRATEGY FILE_COPY")
        return source.set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)
