"""`regulars explain`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.console import console, fail, now, opened, within_calendar
from cli.tables import change_table, reasons_table
from features.feature import format_value
from features.units import Unit
from models.change_reasons import Change
from models.predictive import interval_in_words
from models.purchase_timing import PURCHASE_DAYS
from models.score_changes import CLV, change_in_words
from service.bundle_cache import BundleCache
from service.modelled_targets import horizon_of, in_words
from service.scorer import Scorer, warm_up
from store.events import find_customer

__all__ = ["explain"]


def _readable(customer: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in customer):
        raise typer.BadParameter("expected UTF-8 text")
    return customer


def explain(
    customer: Annotated[str, typer.Argument(callback=_readable, help="The customer's id.")],
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            callback=within_calendar,
            help="Say too why the scores moved since this instant, in UTC.",
        ),
    ] = None,
) -> None:
    """Score one customer from the stored events at this moment, and say why."""
    with opened() as (settings, database):
        scorer = Scorer(BundleCache(settings.bundle_dir, warm_up=warm_up), as_of=settings.as_of, now=now)
        with database.read() as session:
            found = find_customer(session, customer)
            if since is not None and since.replace(tzinfo=UTC) >= scorer.as_of():
                fail(f"--since: expected an instant before {scorer.as_of():%Y-%m-%d %H:%M} UTC, of which scores speak.")
            scored = scorer.score(session, found)
            changes = {} if since is None else scorer.movement(session, found, since.replace(tzinfo=UTC)).changes
    currency = scored.model.bundle.currency
    customer = found.customer_ids[0]
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
            f"clv {format_value(columns['clv'], 'currency', currency)} "
            f"({_interval(columns, 'clv', 'currency', currency)}), "
            f"p_alive {columns['p_alive']:.0%}, expected purchase days {columns['expected_purchases']:.2f} "
            f"({_interval(columns, 'expected_purchases', 'count', currency)})",
            soft_wrap=True,
        )
    if columns["purchase_within_30d"] is not None:
        chances = ", ".join(f"{columns[f'purchase_within_{days}d']:.0%} within {days} days" for days in PURCHASE_DAYS)
        likely = columns["purchase_likely_in_days"]
        console.print(
            f"purchases with {chances}; "
            + ("unlikely within a year" if likely is None else f"more likely than not within {likely} days"),
            soft_wrap=True,
        )
    if explained.clv is not None:
        console.print(escape(explained.clv.sentence), soft_wrap=True)
        console.print(f"[dim]Compared with {escape(explained.clv.reference_phrase)}.[/]", soft_wrap=True)
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
    if since is not None:
        _tell(changes, since, currency)
    console.print(f"As of {scored.as_of:%Y-%m-%d %H:%M} UTC, model version {scored.model.version}.")


def _tell(changes: Mapping[str, Change], since: datetime, currency: str) -> None:
    if not changes:
        console.print(f"No score of {since:%Y-%m-%d} and of now can be compared.")
    for name, change in changes.items():
        told = change_in_words(name, change, currency, opening=f"since {since:%Y-%m-%d} ")
        console.print(escape(told), soft_wrap=True)
        console.print(change_table(change, currency if name == CLV else "log-odds"))


def _interval(columns: Mapping[str, Any], name: str, unit: Unit, currency: str) -> str:
    return interval_in_words(columns[f"{name}_low"], columns[f"{name}_high"], unit, currency)
