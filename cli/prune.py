"""`regulars prune`."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.console import console, fail, now, opened, progress_bar
from store.retention import prune as delete_before

__all__ = ["prune"]


def prune(
    older_than_days: Annotated[
        int | None,
        typer.Option(
            min=1, max=36_500, help="Delete what is older than so many days; REGULARS_RETENTION_DAYS without it."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be deleted.")] = False,
) -> None:
    """Delete old events, superseded attributes, old rejected rows and what old scoring runs say of customers."""
    with opened() as (settings, database):
        days = older_than_days or settings.retention_days
        if days is None:
            fail("How old is too old? Give --older-than-days, or set REGULARS_RETENTION_DAYS.")
        before = now() - timedelta(days=days)
        with progress_bar("Looking for old events") as progress:
            pruned = delete_before(database, before=before, dry_run=dry_run, progress=progress)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("what")
    table.add_column("would be deleted" if dry_run else "deleted", justify="right")
    for field in fields(pruned):
        table.add_row(field.name.replace("_", " "), f"{getattr(pruned, field.name):,}")
    console.print(table)
    console.print(f"Older than {before:%Y-%m-%d %H:%M} UTC.")
