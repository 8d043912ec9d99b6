"""`regulars explain`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from cli.console import console, now, opened
from cli.tables import reasons_table
from features.feature import format_value
from service.bundle_cache import BundleCache
from service.modelled_targets import horizon_of, in_words
from service.scorer import Scorer, warm_up
from store.events import find_customer

__all__ = ["explain"]


def _readable(customer: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in customer):
        raise typer.BadParameter("expected UTF-8 text")
    return customer


def explain(customer: Annotated[str, typer.Argument(callback=_readable, help="The customer's id.")]) -> None:
    """Score one customer from the stored events at this moment, and say why."""
    with opened() as (settings, database):
        scorer = Scorer(BundleCache(settings.bundle_dir, warm_up=warm_up), as_of=settings.as_of, now=now)
        with database.read() as session:
            scored = scorer.score(session, find_customer(session, customer))
    currency = scored.model.bundle.currency
    explained = scored.explained(customer)
    columns = explained.columns
    console.print(f"[bold]{escape(customer)}[/]  {', '.join(columns['segments'].split())}", soft_wrap=True)
    if explained.churn is not None:
        days, value = horizon_of(explained.churn.target), columns["value_at_risk"]
        console.print(
            f"leaves{'' if days is None else f' within {days} days'} with {explained.churn.probability:.0%}"
            + ("" if value is None else f", value at risk {format_value(value, 'currency', currency)}")
        )
    if columns["clv"] is not None:
        console.print(
            f"clv {format_value(columns['clv'], 'currency', currency)}, p_alive {columns['p_alive']:.0%}, "
            f"expected purchase days {columns['expected_purchases']:.2f}"
        )
    if explained.note is not None:
        console.print(escape(explained.note), soft_wrap=True)
    for told in explained.explanations:
        if told is not explained.churn:
            console.print(
                escape(f"{told.target.name} with {told.probability:.0%}: {in_words(told.target)}"), soft_wrap=True
            )
        console.print(escape(told.sentence), soft_wrap=True)
        console.print(reasons_table(told, currency))
    not_judged = [name for name, of in explained.propensities.items() if of is None]
    if not_judged:
        console.print(f"Not judged for {', '.join(not_judged)}.", soft_wrap=True)
    console.print(f"As of {scored.as_of:%Y-%m-%d %H:%M} UTC, model version {scored.model.version}.")
