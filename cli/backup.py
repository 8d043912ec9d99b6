"""`regulars backup` and `regulars restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, now, progress_bar
from store import backup as copies
from store.settings import load_settings

__all__ = ["backup", "restore"]


def backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder to make; it must not be there.")],
) -> None:
    """Copy the database, the bundles and the key of erased ids into a new folder, while others work (SQLite)."""
    with progress_bar("Copying the database") as progress:
        copies.back_up(load_settings(), path, now=now(), progress=progress)
    console.print(f"Backed up to {path}.", markup=False, soft_wrap=True)


def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder that `regulars backup` made.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the database and the key that are there.")] = False,
) -> None:
    """Put a backup where the settings say, and bring its tables up to this version (SQLite). Stop the service first."""
    with progress_bar("Copying the database") as progress:
        repeated = copies.restore(load_settings(), path, now=now(), force=force, progress=progress)
    again = f" Erased again, who had been erased after it: {repeated:,}." if repeated else ""
    console.print(f"Restored from {path}.{again}", markup=False, soft_wrap=True)
