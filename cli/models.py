"""`regulars models`: versions, promotion, rollback."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.console import console, now, opened
from features.targets import CHURN
from store import registry, runs

__all__ = ["models_app"]

models_app = typer.Typer(no_args_is_help=True, help="Model versions: list, promote, roll back.")

_SCORING_QUEUED = "A scoring run is queued for a worker (or run: regulars score)."


@models_app.command("list")
def list_versions() -> None:
    """List all versions, newest first, with the figures of their leading target on the test snapshot."""
    with opened() as (_, database), database.read() as session:
        versions = registry.list_versions(session)
        holders = {version: alias for alias, version in registry.aliases(session).items()}
    table = Table(box=SIMPLE_HEAD)
    for header in ("version", "alias", "registered", "classifier", "tested on", "AUC", "loss"):
        table.add_column(header, no_wrap=True)
    for version in versions:
        targets = version.report["targets"]
        name = CHURN if CHURN in targets else next(iter(targets))
        figures = targets[name]
        table.add_row(
            str(version.version),
            holders.get(version.version, ""),
            f"{version.registered_at:%Y-%m-%d}",
            figures["classifier"] if name == CHURN else f"{name}: {figures['classifier']}",
            figures["snapshots"]["test"],
            f"{figures['auc']:.4f}" if figures["auc"] is not None else "",
            f"{figures['log_loss']:.4f}",
        )
    console.print(table)


@models_app.command("promote")
def promote(
    version: Annotated[
        int | None, typer.Argument(min=1, max=2**31 - 1, help="The version; the challenger by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if it is worse than the champion.")] = False,
) -> None:
    """Make a version the champion, unless it is worse than the one there is."""
    with opened() as (_, database), database.write() as session:
        champion = registry.promote(session, version, force=force, now=now())
        runs.queue_scoring(session, now=now())
    console.print(f"Version {champion.version} is champion. {_SCORING_QUEUED}")


@models_app.command("rollback")
def rollback() -> None:
    """Give the alias back to the champion before."""
    with opened() as (_, database), database.write() as session:
        champion = registry.rollback(session, now=now())
        runs.queue_scoring(session, now=now())
    console.print(f"Version {champion.version} is champion again. {_SCORING_QUEUED}")
