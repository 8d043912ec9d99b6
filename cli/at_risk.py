"""`regulars at-risk`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, opened
from cli.tables import at_risk_table
from service.published_list import read_whole_list
from service.segment_csv import csv_text

__all__ = ["at_risk"]


def at_risk(
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Customers to show.")] = 20,
    budget: Annotated[int | None, typer.Option(min=1, help="Contacts that can be made; the list ends there.")] = None,
    to_csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the whole list (or --budget of it) to this file; - prints it.")
    ] = None,
) -> None:
    """Show the customers about to leave, the most value at risk first."""
    with opened() as (_, database):
        rows, published = read_whole_list(database, "at_risk", budget=budget)
        if to_csv is not None:
            _write(csv_text(rows, published), to_csv)
            return
        shown = list(islice(rows, limit))
    run, aggregates = published.run, published.aggregates
    console.print(at_risk_table(shown, aggregates.currency))
    console.print(
        f"{len(shown):,} of {aggregates.segments['at_risk'].customers:,} customers at risk, as of "
        f"{run.as_of:%Y-%m-%d}, model version {run.model_version}."
    )


def _write(pieces: Iterator[str], to_csv: Path) -> None:
    if str(to_csv) == "-":
        for piece in pieces:
            sys.stdout.write(piece)
        # Now, where a reader who has gone is nothing to complain of, not at exit.
        sys.stdout.flush()
        return
    with to_csv.open("w", newline="", encoding="utf-8") as file:
        file.writelines(pieces)
    console.print(f"Written to {to_csv}.", markup=False)
