"""`regulars explain`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from cli.console import console, now, opened
from cli.tables import reasons_table
from features.feature import format_value
from service.bundle_cache import BundleCache
from service.explained import explain as explain_score
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
    explained = explain_score(scored.by_customer[customer], currency)
    columns = explained.columns
    console.print(f"[bold]{escape(customer)}[/]  {', '.join(columns['segments'].split())}", soft_wrap=True)
    if columns["churn_probability"] is not None:
        console.print(
            f"leaves within {scored.model.bundle.horizon_days} days with {columns['churn_probability']:.0%}, "
            f"value at risk {format_value(columns['value_at_risk'], 'currency', currency)}"
        )
    if columns["clv"] is not None:
        console.print(
            f"clv {format_value(columns['clv'], 'currency', currency)}, p_alive {columns['p_alive']:.0%}, "
            f"expected purchase days {columns['expected_purchases']:.2f}"
        )
    console.print(escape(explained.note or explained.sentence or ""), soft_wrap=True)
    if explained.all_other_features is not None:
        console.print(
            reasons_table(
                explained.reasons,
                base_value=columns["base_value"],
                other=explained.all_other_features,
                raw_margin=columns["raw_margin"],
                currency=currency,
            )
        )
    console.print(f"As of {scored.as_of:%Y-%m-%d %H:%M} UTC, model version {scored.model.version}.")
