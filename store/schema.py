"""Bringing the tables to the version that this code expects, and saying so when they are not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from store.engine import Database
from store.exceptions import SchemaError

__all__ = ["downgrade", "require_current", "upgrade"]


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables up to `revision`; nothing happens when they are there already."""
    with database.bulk() as connection, database.transaction(connection):
        config = _config()
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
    expected = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != expected:
        state = "has no tables of Regulars yet" if found is None else f"is at version {found}, expected {expected}"
        raise SchemaError(f"The database {state}. Run: regulars db upgrade")


def _config() -> Config:
    # Found, not imported: migrations import the store, not the other way round.
    spec = find_spec("migrations")
    if spec is None or not spec.submodule_search_locations:
        raise SchemaError("The package `migrations` is not installed beside `store`. Install Regulars as a whole.")
    config = Config()
    config.set_main_option("script_location", str(Path(spec.submodule_search_locations[0])))
    return config
