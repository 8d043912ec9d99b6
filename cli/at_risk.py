"""`regulars at-risk`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, now
from cli.ranked_list import show_list
from service.published_list import PublishedList
from service.segment_rules import save_rate_in_words
from service.wanted import Wanted
from service.work_list import AT_RISK, WorkListing, read_whole_work_list
from store.engine import Database
from store.lists import ScoreRow
from store.settings import Settings

__all__ = ["at_risk"]


def at_risk(
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Customers to show.")] = 20,
    budget: Annotated[int | None, typer.Option(min=1, help="Contacts that can be made; the list ends there.")] = None,
    include_contacted: Annotated[
        bool, typer.Option("--include-contacted", help="Show those too who were contacted of late, with the day.")
    ] = False,
    reasons: Annotated[
        list[str] | None,
        typer.Option("--reason", help="Only whom this feature makes leave or stay; :towards or :against behind it."),
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute", help="Only who is so: name=value, or of numbers and dates name>=value, name<=value."
        ),
    ] = None,
    min_value_at_risk: Annotated[
        float | None, typer.Option(min=0, help="Only who has at least so much value at risk.")
    ] = None,
    to_csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the whole list (or --budget of it) to this file; - prints it.")
    ] = None,
) -> None:
    """Show the customers about to leave, the most value at risk first; by churn probability where there is no clv."""

    wanted = Wanted(tuple(reasons or ()), tuple(attributes or ()), min_value_at_risk=min_value_at_risk)

    def read(settings: Settings, database: Database) -> tuple[Iterator[ScoreRow], PublishedList]:
        asked = WorkListing(settings.as_of or now(), budget, include_contacted, wanted)
        return read_whole_work_list(database, asked)

    published = show_list(AT_RISK, read, limit=limit, to_csv=to_csv, summed_up=_summed_up, is_work_list=True)
    if to_csv is None:
        if wanted != Wanted():
            console.print("Only those asked for are shown, in their places among all.")
        policy = published.policy
        hidden = f"; whoever was contacted within {policy.recent_contact_days} days is passed over"
        console.print(
            f"{published.aggregates.held_out.customers:,} of them are held out, not to be contacted"
            f"{hidden if policy.recent_contact_days and not include_contacted else ''}. "
            f"Counted with a {save_rate_in_words(policy)}.",
            markup=False,
        )


def _summed_up(published: PublishedList) -> str:
    return f"{published.aggregates.segments[AT_RISK.name].customers:,} customers at risk"
