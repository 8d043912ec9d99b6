"""`regulars campaigns` and `regulars contacts`: made, told, and what they did."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from cli.console import console, fail, now, opened
from models.campaign_effect import ArmEffect
from models.share_intervals import Interval
from service.campaigns import held_out_by_policy, in_words, judge_contacts, new_campaign
from service.schemas.campaigns import CampaignIn
from store.campaign_assignments import RefusedRow, assign_segment
from store.campaigns import add_campaign, campaign_called, find_campaign, list_campaigns
from store.contacts import ContactsTaken, add_contacts
from store.held_out import read_held_out
from training.measure import measure_campaign

__all__ = ["campaigns_app", "contacts_app"]

campaigns_app = typer.Typer(no_args_is_help=True, help="Campaigns with customers held out: add, list, effect.")
contacts_app = typer.Typer(no_args_is_help=True, help="Who was contacted: add.")

_CONTACTS_AT_ONCE = 1_000
_REFUSALS_SHOWN = 5


@campaigns_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="No other campaign has it.")],
    segment: Annotated[str, typer.Option(help="Whom it is for, as the published run has them.")] = "at_risk",
    outcome: Annotated[
        str, typer.Option(help="purchase, or the name of an event: what has to come about.")
    ] = "purchase",
    outcome_days: Annotated[
        int | None, typer.Option(help="Days within which it counts; without it those of churn, or 90.")
    ] = None,
    held_out_share: Annotated[float | None, typer.Option(help="From 0 to .9; the policy's without it.")] = None,
    most_customers: Annotated[int | None, typer.Option(help="Of the segment, from the top of its list.")] = None,
) -> None:
    """Make a campaign for a segment: its customers are assigned, a random share of them held out."""
    told = {
        "name": name,
        "segment": segment,
        "outcome": outcome,
        "outcome_days": outcome_days,
        "held_out_share": held_out_share,
        "most_customers": most_customers,
    }
    try:
        asked = CampaignIn.model_validate(told)
    except ValidationError as error:
        fail(in_words(error, whole="campaign"))
    with opened() as (settings, database):
        with database.write() as session:
            new = new_campaign(session, asked, as_of=settings.as_of or now())
            campaign = add_campaign(session, new, now=now())
            held_out = read_held_out(session, campaign.held_out_share or 0.0)
        n = 0 if campaign.is_assigned else assign_segment(database, campaign, held_out, now=now())
    console.print(
        f"Campaign {campaign.id} is for {n:,} more customers, {campaign.held_out_share:.0%} of them held out; counts: "
        f"{campaign.outcome_event or 'a purchase'} within {campaign.outcome_days} days.",
        markup=False,
    )


@campaigns_app.command("list")
def show() -> None:
    """List the last hundred campaigns, the newest first."""
    with opened() as (_, database), database.read() as session:
        campaigns = list_campaigns(session)
    table = Table(box=SIMPLE_HEAD)
    for header in ("#", "campaign", "for", "outcome", "days", "from", "counted as of"):
        table.add_column(header)
    for campaign in campaigns:
        table.add_row(
            str(campaign.id),
            escape(campaign.name),
            campaign.segment or "anybody",
            escape(campaign.outcome_event or "purchase"),
            str(campaign.outcome_days),
            f"{campaign.assigned_at:%Y-%m-%d}",
            "" if campaign.effect_as_of is None else f"{campaign.effect_as_of:%Y-%m-%d}",
        )
    console.print(table)


@campaigns_app.command("effect")
def effect(campaign: Annotated[str, typer.Argument(help="Its number or its name.")]) -> None:
    """Count what a campaign did now, and show it against the customers held out."""
    named = campaign_called(campaign)
    with opened() as (settings, database):
        found = measure_campaign(database, settings, named, now=now())
        with database.read() as session:
            stored = find_campaign(session, named)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("arm")
    for header in ("customers", "open", "contacted", "came about", "difference, points", f"net, {settings.currency}"):
        table.add_column(header, justify="right")
    for arm in (*found.effect.arms, found.effect.held_out):
        table.add_row(*_cells(arm, is_held_out=arm is found.effect.held_out))
    console.print(table)
    for arm in found.effect.arms:
        if arm.sample is not None:
            console.print(_sample(arm), markup=False)
    if found.effect.save_rate is not None and stored.adoption is not None:
        console.print(stored.adoption["why"], markup=False)


@contacts_app.command("add")
def add_file(
    file: Annotated[
        Path,
        typer.Argument(help="CSV with customer_id, contacted_at, channel, and perhaps campaign, cost, message_id."),
    ],
) -> None:
    """Store the contacts of a CSV file, each once; those that can't be taken are named."""
    stored = already_there = held_out = 0
    refused: list[RefusedRow] = []
    with opened() as (settings, database):
        latest = max(now(), settings.as_of or now()) + timedelta(hours=24)
        with database.read() as session:
            held_out_now = held_out_by_policy(session)
        for rows in _blocks(file):
            contacts, invalid = judge_contacts(rows)
            taken: ContactsTaken = add_contacts(database, contacts, held_out_now, latest=latest, now=now())
            stored, already_there = stored + taken.stored, already_there + taken.already_there
            held_out += len(taken.held_out)
            refused += [*invalid, *taken.refused]
    console.print(f"{file.name}: stored {stored:,} + already there {already_there:,} + rejected {len(refused):,}")
    if held_out:
        console.print(f"{held_out:,} went to customers who are held out, which blurs what the campaign did.")
    for row in sorted(refused)[:_REFUSALS_SHOWN]:
        console.print(f"  line {row.row:,}: {row.reason}", markup=False)


def _blocks(file: Path) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Yield some rows at a time with the number of their line; empty cells are left out."""
    with file.open(newline="", encoding="utf-8-sig") as opened_file:
        block: list[tuple[int, dict[str, Any]]] = []
        try:
            for row in (reader := csv.DictReader(opened_file)):
                told: dict[str, Any] = {str(name): cell for name, cell in row.items() if cell}
                if "campaign" in told:
                    told["campaign"] = campaign_called(told["campaign"])
                block.append((reader.line_num, told))
                if len(block) == _CONTACTS_AT_ONCE:
                    yield block
                    block = []
        except UnicodeDecodeError as error:
            fail(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}")
        except csv.Error as error:
            fail(f"{file} is not CSV: {error}")
        yield block


def _cells(arm: ArmEffect, *, is_held_out: bool) -> tuple[str, ...]:
    tally = arm.tally
    return (
        f"{escape(tally.arm)}{', held out' if is_held_out else ''}",
        f"{tally.n:,}",
        f"{tally.open:,}",
        f"{tally.contacted:,}",
        "" if arm.rate is None else f"{arm.rate.estimate:.2%}",
        _interval(arm.difference, 100.0, "+.2f"),
        _interval(arm.net, 1.0, ",.0f"),
    )


def _interval(interval: Interval | None, factor: float, form: str) -> str:
    if interval is None:
        return ""
    estimate, low, high = (format(factor * end, form) for end in (interval.estimate, interval.low, interval.high))
    return f"{estimate} ({low} to {high})"


def _sample(arm: ArmEffect) -> str:
    sample = arm.sample
    if sample is None:
        return ""
    needed = f"{sample.contacted:,} customers and {sample.held_out:,} held out"
    points = f"{100 * sample.difference:.2f} points{' (by the policy)' if sample.is_assumed else ''}"
    if sample.is_enough:
        return f"{arm.tally.arm}: enough customers to tell {points} from chance, which takes {needed}."
    return (
        f"{arm.tally.arm}: to tell {points} from chance it takes {needed}; {sample.contacted_missing:,} and "
        f"{sample.held_out_missing:,} are missing."
    )
