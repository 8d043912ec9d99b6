"""`regulars train`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from cli.console import console, now, opened, progress_steps, within_calendar
from cli.tables import churn_table, notes
from store import registry
from store.training_request import TrainingRequest
from training import train as job

__all__ = ["train"]

_FIELDS = TrainingRequest.model_fields


def train(
    horizon_days: Annotated[int, typer.Option(min=1, max=1825, help=_FIELDS["horizon_days"].description)] = 90,
    activity_days: Annotated[
        int | None, typer.Option(min=1, max=7300, help=_FIELDS["activity_days"].description)
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], callback=within_calendar, help=_FIELDS["as_of"].description),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=10_000, help=_FIELDS["trials"].description)] = 25,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help=_FIELDS["seed"].description)] = 0,
    time_limit_seconds: Annotated[
        int, typer.Option(min=1, max=86_400, help=_FIELDS["time_limit_seconds"].description)
    ] = 900,
) -> None:
    """Fit, evaluate and register a bundle. The first becomes champion, later ones challenger."""
    request = TrainingRequest(
        horizon_days=horizon_days,
        activity_days=activity_days,
        as_of=None if as_of is None else as_of.date(),
        trials=trials,
        seed=seed,
        time_limit_seconds=time_limit_seconds,
    )
    with opened() as (settings, database):
        with progress_steps() as progress:
            version = job.train(database, settings, request, now=now, progress=progress)
        with database.read() as session:
            report = registry.find_version(session, str(version)).report
            alias = next((name for name, holder in registry.aliases(session).items() if holder == version), "")
    console.print(churn_table(report["targets"]["churn"]))
    console.print(notes([report["targets"]["churn"]["verdict"], *report["notes"]]))
    console.print(f"Version {version} is registered{f' as {alias}' if alias else ''}.")
    if alias == "challenger":
        console.print("To make it the champion: regulars models promote")
