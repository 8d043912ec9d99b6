"""`regulars sources`: who sends events."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from cli.console import console, opened
from store.api_keys import create_source, list_sources

__all__ = ["sources_app"]

sources_app = typer.Typer(no_args_is_help=True, help="Who sends events: a shop, an app, a feed of files.")


@sources_app.command("create")
def create(name: Annotated[str, typer.Argument(help="Its name, which outlives its keys.")]) -> None:
    """Add a source that can be given keys; events are told apart by source."""
    with opened() as (_, database), database.write() as session:
        create_source(session, name)
    console.print("The source is there. A key for it: regulars keys create --scope events:write --source NAME")


@sources_app.command("list")
def show() -> None:
    """List all sources, those of files too."""
    with opened() as (_, database), database.read() as session:
        sources = list_sources(session)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("source", overflow="fold")
    for source in sources:
        table.add_row(escape(source.name))
    console.print(table)
