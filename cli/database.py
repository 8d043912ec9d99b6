"""`regulars db`: the tables."""

from __future__ import annotations

import typer

from cli.console import console
from store.engine import Database
from store.schema import upgrade
from store.settings import load_settings

__all__ = ["db_app"]

db_app = typer.Typer(no_args_is_help=True, help="The tables of the database.")


@db_app.callback()
def _db() -> None:
    """Keep `upgrade` a command of its own while it is the only one."""


@db_app.command("upgrade")
def upgrade_tables() -> None:
    """Make the tables, or bring them to the version that this program expects."""
    database = Database(load_settings().database_url)
    try:
        upgrade(database)
    finally:
        database.close()
    console.print("The tables are current.")
