"""`regulars propensity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.ranked_list import show_list
from service.modelled_targets import in_words
from service.published_list import PublishedList, list_of_propensity, read_whole_list

__all__ = ["propensity"]


def propensity(
    target: Annotated[str, typer.Argument(help="Name of a target that is not churn, such as upsell.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Customers to show.")] = 20,
    to_csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the whole list to this file; - prints it.")
    ] = None,
) -> None:
    """Show for whom a target is most probable to come about, the highest propensity first."""

    def summed_up(published: PublishedList) -> str:
        totals = published.aggregates.targets[target]
        return (
            f"{totals.customers:,} customers judged ({in_words(published.targets[target])}; "
            f"base rate {totals.base_rate:.1%})"
        )

    listing = list_of_propensity(target)
    show_list(
        listing,
        lambda _, database: read_whole_list(database, listing),
        limit=limit,
        to_csv=to_csv,
        summed_up=summed_up,
    )
