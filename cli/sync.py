"""`regulars sync`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, fail, now, opened, progress_bar
from service.sync.file_target import FileTarget
from service.sync.send import send_segment
from service.sync.target import Target
from service.sync.url_target import UrlTarget
from store.sync_points import THRESHOLD_NUMBERS

__all__ = ["sync"]


def sync(
    segment: Annotated[str, typer.Argument(help="Name of a segment, such as at_risk; all is everybody.")],
    to: Annotated[
        str,
        typer.Option(help="A file that ends in .csv, .ndjson or .jsonl, or an address that takes JSON by POST."),
    ],
    difference: Annotated[
        bool, typer.Option(help="Send only who came, left or changed since the last sync to there.")
    ] = False,
    changed: Annotated[
        list[str] | None,
        typer.Option(help="With --difference: what counts as a change, such as churn_probability=0.1. Repeatable."),
    ] = None,
) -> None:
    """Send a segment of the published run to a file or an address, whole or as what changed since."""
    thresholds = dict(map(_threshold, changed or ()))
    if thresholds and not difference:
        fail("--changed goes with --difference: a whole segment is sent as it is.")
    with opened() as (settings, database):
        token = settings.sync_token.get_secret_value() if settings.sync_token else None
        target: Target = UrlTarget(to, token=token) if "://" in to else FileTarget(Path(to))
        with progress_bar(f"Sending {segment}") as progress:
            synced = send_segment(
                database, segment, target, difference=difference, thresholds=thresholds, now=now, progress=progress
            )
    counted = [
        f"{n:,} {'members' if action == 'member' and n != 1 else action}" for action, n in sorted(synced.rows.items())
    ]
    told = ", ".join(counted) or "nothing to tell"
    console.print(f"{told}; of scoring run {synced.scoring_run_id}, to {to}.", markup=False, soft_wrap=True)
    if synced.erased:
        console.print(
            f"{synced.erased:,} customers whom the target has were erased since, and their ids are gone here. Send the "
            "segment as a whole (without --difference), and have the target drop whom that does not name."
        )


def _threshold(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        by = float(amount)
    except ValueError:
        by = 0.0
    if name not in THRESHOLD_NUMBERS or not 0 < by < float("inf"):
        fail(f"--changed: expected one of {', '.join(THRESHOLD_NUMBERS)}, = and a number above 0; got {text!r}")
    return name, by
