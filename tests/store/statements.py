"""The statements that a test sends to a database, and the plans that its engine makes for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from store import bulk_read
from store.engine import Database

__all__ = ["Statements", "statements_of"]


@dataclass(slots=True)
class Statements:
    """Statements with their parameters, in the order in which they were sent."""

    sent: list[tuple[str, Any]] = field(default_factory=list)

    def plans(self, database: Database) -> Iterator[tuple[str, str]]:
        """Each SELECT and the plan that the engine makes for it, as text.

        PostgreSQL is kept from scanning whole tables, which it rightly prefers for the few rows of a test: what it
        does then is what it does with many.
        """
        with database.engine.connect() as connection:
            if not database.is_sqlite:
                connection.exec_driver_sql("SET enable_seqscan = off")
            explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
            for statement, parameters in self.sent:
                if statement.lstrip().startswith("SELECT"):
                    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
                    yield statement, "\n".join(str(row[-1]) for row in rows)


@dataclass(slots=True)
class _Recorder:
    """A driver's connection that records what it executes."""

    driver: Any
    statements: Statements

    def execute(self, statement: str, values: Sequence[Any] = (), **options: Any) -> Any:
        """Execute what is recorded."""
        self.statements.sent.append((statement, tuple(values)))
        return self.driver.execute(statement, values, **options)


@contextmanager
def statements_of(database: Database) -> Iterator[Statements]:
    """Record what is sent to the database meanwhile, through SQLAlchemy or straight to the driver."""
    statements = Statements()
    driver_of = bulk_read.driver_of

    def record(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        statements.sent.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", record)
    try:
        with patch.object(bulk_read, "driver_of", lambda connection: _Recorder(driver_of(connection), statements)):
            yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", record)
