"""`regulars at-risk`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.ranked_list import show_list
from service.published_list import PublishedList, list_of_segment

__all__ = ["at_risk"]

_LISTING = list_of_segment("at_risk")


def at_risk(
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Customers to show.")] = 20,
    budget: Annotated[int | None, typer.Option(min=1, help="Contacts that can be made; the list ends there.")] = None,
    to_csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the whole list (or --budget of it) to this file; - prints it.")
    ] = None,
) -> None:
    """Show the customers about to leave, the most value at risk first; by churn probability where there is no clv."""
    show_list(_LISTING, limit=limit, budget=budget, to_csv=to_csv, summed_up=_summed_up)


def _summed_up(published: PublishedList) -> str:
    return f"{published.aggregates.segments[_LISTING.name].customers:,} customers at risk"
