"""What every command shares: where it prints, how it fails, how it shows progress, how it opens the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from store.engine import Database
from store.schema import require_current
from store.settings import Settings, load_settings

__all__ = ["console", "err_console", "fail", "open_database", "progress_bar"]

console = Console(highlight=False)
err_console = Console(stderr=True, highlight=False)


def fail(message: str) -> NoReturn:
    """Say what is wrong in one line on standard error and leave with exit code 2."""
    err_console.print(f"[bold red]Error:[/] {_plain(message)}", soft_wrap=True)
    raise typer.Exit(2)


def open_database() -> tuple[Settings, Database]:
    """Read the settings and open the database they name; its tables must be current."""
    settings = load_settings()
    database = Database(settings.database_url)
    require_current(database)
    return settings, database


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on standard error while the body runs; call what is yielded with the fraction done."""
    columns = (TextColumn("{task.description:<32}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err_console) as progress:
        task = progress.add_task(description, total=1.0)
        yield lambda fraction: progress.update(task, completed=min(fraction, 1.0))
        progress.update(task, completed=1.0)


def _plain(message: str) -> str:
    """Square brackets in a message are text, not markup."""
    return message.replace("[", r"\[")
