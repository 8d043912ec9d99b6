"""A ranked list of customers on the terminal or as CSV: what `at-risk` and `propensity` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from cli.console import console, opened
from cli.tables import ranked_table
from service.published_list import Listing, PublishedList
from service.segment_csv import csv_text
from store.engine import Database
from store.lists import ScoreRow
from store.settings import Settings

__all__ = ["show_list"]


def show_list(
    listing: Listing,
    read: Callable[[Settings, Database], tuple[Iterator[ScoreRow], PublishedList]],
    *,
    limit: int,
    to_csv: Path | None,
    summed_up: Callable[[PublishedList], str],
    is_work_list: bool = False,
) -> PublishedList:
    """Print the top of a list of the published run, or write all of it as CSV.

    Parameters
    ----------
    listing : Listing
    read : callable
        Begins to read it.
    limit : int
        Customers to print.
    to_csv : Path or None
        Write the whole list there instead; "-" is the terminal.
    summed_up : callable
        Says how many customers the list has, to follow "3 of ".
    is_work_list : bool
        Whether it tells who is held out and who was contacted of late.

    Returns
    -------
    PublishedList
        Whose list it is.
    """
    with opened() as (settings, database):
        rows, published = read(settings, database)
        if to_csv is not None:
            _write(csv_text(rows, listing, published, is_work_list=is_work_list), to_csv)
            return published
        shown = list(islice(rows, limit))
    run = published.run
    console.print(ranked_table(shown, listing, published))
    console.print(
        f"{len(shown):,} of {summed_up(published)}, as of {run.as_of:%Y-%m-%d}, model version {run.model_version}."
    )
    totals = published.aggregates.segments.get(listing.name)
    if totals is not None and totals.why_empty is not None:
        console.print(totals.why_empty)
    elif published.ranked_by(listing) == "churn_probability":
        console.print("Ranked by churn_probability: there is no clv, and so no value at risk.")
    return published


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
