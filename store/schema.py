"""Bringing the tables to the version that this code expects, and saying so when they are not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from store.engine import Database
from store.exceptions import SchemaError

__all__ = ["downgrade", "require_current", "upgrade"]


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables up to `revision`; nothing happens when they are there already.

    Raises
    ------
    SchemaError
        A newer Regulars has made them.
    """
    with database.bulk() as connection, database.transaction(connection):
        config = _config()
        _require_known(_found(connection), ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Bring the tables down to `revision` (`base` removes them all, with what they hold)."""
    with database.bulk() as connection, database.transaction(connection):
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def require_current(database: Database) -> None:
    """Raise `SchemaError` unless the tables are those that this code expects."""
    scripts = ScriptDirectory.from_config(_config())
    expected = scripts.get_current_head()
    with database.engine.connect() as connection:
        found = _found(connection)
    if found != expected:
        _require_known(found, scripts)
        state = "has no tables of Regulars yet" if found is None else f"is at version {found}, expected {expected}"
        raise SchemaError(f"The database {state}. Run: regulars db upgrade")


def _found(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _require_known(found: str | None, scripts: ScriptDirectory) -> None:
    known = [script.revision for script in scripts.walk_revisions()]
    if found is not None and found not in known:
        raise SchemaError(
            f"The database is at version {found}, made by a newer Regulars; this one knows {known[0]} at most. "
            "Install the newer one."
        )


def _config() -> Config:
    # Found, not imported: migrations import the store, not the other way round.
    spec = find_spec("migrations")
    if spec is None or not spec.submodule_search_locations:
        raise SchemaError("The package `migrations` is not installed beside `store`. Install Regulars as a whole.")
    config = Config()
    config.set_main_option("script_location", str(Path(spec.submodule_search_locations[0])))
    return config
