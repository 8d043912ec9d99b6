"""`regulars score`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.console import console, fail, now, opened, progress_steps, within_calendar
from cli.tables import segments_table
from service.run_aggregates import RunAggregates
from training.score_all import score_all

__all__ = ["score"]


def score(
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            callback=within_calendar,
            help="The instant that the scores speak of, in UTC; the setting, or now, by default.",
        ),
    ] = None,
) -> None:
    """Score every customer with the champion and publish the lists."""
    with opened() as (settings, database), progress_steps() as progress:
        instant = None if as_of is None else as_of.replace(tzinfo=UTC)
        if instant is not None and instant > (latest := settings.as_of or now()):
            fail(f"--as-of: expected an instant up to {latest:%Y-%m-%d %H:%M} UTC, of which scores speak now.")
        run = score_all(database, settings, now=now, as_of=instant, progress=progress)
    console.print(segments_table(RunAggregates.of(run)))
    console.print(
        f"{run.n_customers:,} customers scored as of {run.as_of:%Y-%m-%d %H:%M} UTC with version {run.model_version}."
    )
