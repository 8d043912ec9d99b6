"""`regulars prune`."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from cli.console import console, err_console, fail, now, opened, progress_bar, progress_steps
from store.engine import Database
from store.retention import prune as delete_before
from store.settings import Settings
from training.execution import EXPECTED_ERRORS
from training.stored_quality import compare_due

__all__ = ["prune"]


def prune(
    older_than_days: Annotated[
        int | None,
        typer.Option(
            min=1, max=36_500, help="Delete what is older than so many days; REGULARS_RETENTION_DAYS without it."
        ),
    ] = None,
    runs_older_than_days: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=36_500,
            help="Delete what scoring runs said that are older than so many days; alone, nothing else. Without it "
            "they go by --older-than-days, and without either by REGULARS_RUN_RETENTION_DAYS.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be deleted.")] = False,
) -> None:
    """Delete old events, superseded attributes, old rejected rows and what old scoring runs say of customers.

    Runs whose horizon has passed are compared with what came true before, as `regulars evaluate --stored` does.
    """
    with opened() as (settings, database):
        days, run_days = older_than_days, runs_older_than_days
        if days is None and run_days is None:
            days, run_days = settings.retention_days, settings.run_retention_days
        if days is None and run_days is None:
            fail(
                "How old is too old? Give --older-than-days or --runs-older-than-days, or set REGULARS_RETENTION_DAYS "
                "or REGULARS_RUN_RETENTION_DAYS."
            )
        before, runs_before = (None if each is None else now() - timedelta(days=each) for each in (days, run_days))
        if not dry_run:
            _compare(database, settings)
        with progress_bar("Looking for what is old") as progress:
            pruned = delete_before(database, before=before, runs_before=runs_before, dry_run=dry_run, progress=progress)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("what")
    table.add_column("would be deleted" if dry_run else "deleted", justify="right")
    for field in fields(pruned):
        table.add_row(field.name.replace("_", " "), f"{getattr(pruned, field.name):,}")
    console.print(table)
    if before is not None:
        console.print(f"Older than {before:%Y-%m-%d %H:%M} UTC.")
    if runs_before is not None:
        console.print(f"Scoring runs older than {runs_before:%Y-%m-%d %H:%M} UTC.")


def _compare(database: Database, settings: Settings) -> None:
    """Compare what is due while it is there; what can't be compared keeps nobody from deleting."""
    try:
        with progress_steps() as progress:
            compared = compare_due(database, settings, now=now(), progress=progress)
    except EXPECTED_ERRORS as error:
        err_console.print(f"What is due could not be compared with what came true: {escape(str(error))}")
    else:
        if compared:
            err_console.print(f"Compared with what came true before: run {', '.join(map(str, compared))}.")
