"""What every command shares: where it prints, how it fails, how it shows progress, how it opens the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from store.engine import Database
from store.schema import require_current
from store.settings import Settings, load_settings

__all__ = [
    "bar",
    "complain",
    "console",
    "err_console",
    "fail",
    "now",
    "open_database",
    "opened",
    "progress_bar",
    "progress_steps",
    "within_calendar",
]

console = Console(highlight=False)
err_console = Console(stderr=True, highlight=False)

_BAR_WIDTH = 20


def now() -> datetime:
    """The present instant: the one clock of the command line."""
    return datetime.now(UTC)


def complain(message: str) -> None:
    """Say what is wrong in one line on standard error."""
    err_console.print(f"[bold red]Error:[/] {escape(' '.join(message.split()))}", soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Say what is wrong in one line on standard error and leave with exit code 2."""
    complain(message)
    raise typer.Exit(2)


def open_database() -> tuple[Settings, Database]:
    """Read the settings and open the database they name; its tables must be current."""
    settings = load_settings()
    database = Database(settings.database_url)
    require_current(database)
    return settings, database


@contextmanager
def opened() -> Iterator[tuple[Settings, Database]]:
    """Open the database for the body, and close it after."""
    settings, database = open_database()
    try:
        yield settings, database
    finally:
        database.close()


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on standard error while the body runs; call what is yielded with the fraction done."""
    with progress_steps() as progress:
        progress(description, 0.0)
        yield lambda done: progress(description, done)
        progress(description, 1.0)


@contextmanager
def progress_steps() -> Iterator[Callable[[str, float], None]]:
    """Show a bar a step on standard error; call what is yielded with the step and the share of it that is done."""
    columns = (TextColumn("{task.description:<28}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err_console) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(step: str, done: float) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(escape(step), total=1.0)
            progress.update(tasks[step], completed=min(done, 1.0))

        yield tell


def within_calendar(as_of: datetime | None) -> datetime | None:
    """Return the instant of an option, unless no business can mean it: time zones are known for 1900 to 2099."""
    if as_of is not None and not 1900 <= as_of.year < 2100:
        raise typer.BadParameter(f"expected a year from 1900 to 2099, got {as_of.year}")
    return as_of


def bar(share: float, width: int = _BAR_WIDTH) -> str:
    """Draw a share from 0 to 1 as text.

    Examples
    --------
    >>> bar(0.5, width=8)
    '████····'
    """
    filled = round(min(max(share, 0.0), 1.0) * width)
    return "█" * filled + "·" * (width - filled)
