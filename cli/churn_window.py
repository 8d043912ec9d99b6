"""`regulars churn-window`: who returns after how long a silence, the horizon proposed by it, and what that changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from sqlalchemy.orm import Session

from cli.console import bar, console, err_console, fail, opened, progress_steps
from cli.tables import notes
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.targets import CHURN
from features.windows import Snapshot
from models.clv import ClvTerms
from models.exceptions import ModelError
from models.return_chart import ReturnLine, return_chart
from models.segment_policy import SegmentPolicy
from service.modelled_targets import targets_of_report
from store import policies, registry
from store.engine import Database
from store.events import read_log
from store.exceptions import StoreError
from store.lists import iterate_segment
from store.scores import published_run
from store.settings import Settings
from store.training_request import DEFAULT_HORIZON_DAYS
from training.at_risk_change import AtRiskChange, Horizon, compare_horizons
from training.churn_window import ALL, MAX_RETURNING, REPEAT, SILENCES_SHOWN, ChurnWindow, find_churn_window
from training.progress import Progress
from training.silences import FEWEST_SILENCES

__all__ = ["churn_window"]

_BAR = 16  # leaves room for two words in 80 columns
_HOW_TO_READ = (
    "After so many days without a purchase: the share that buys again, as far as observed, of how many silences, of "
    "how many customers. A silence belongs to the usual gap that the customer had when it began. A dash: fewer than "
    f"{FEWEST_SILENCES} silences lasted so long, or they were not followed for as long again."
)
_HOW_LISTS_ARE_MADE = (
    "Both lists are made by the purchase model alone: chance of no purchase within the horizon, times clv, cut by the "
    "segment policy. A training's classifier orders otherwise; eligible customers and shares are counted."
)


@dataclass(frozen=True, slots=True)
class _Published:
    """The at-risk list that is shown now, beside the two that are compared."""

    model_version: int | None
    as_of: str
    customers: int
    on_present: int
    on_proposed: int


def churn_window(
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw who returns after how long a silence, as SVG.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show who returns after how long a silence, propose a horizon of churn, and show what it would change."""
    with opened() as (settings, database), progress_steps() as progress:
        log = _known(database, settings, progress)
        progress("Following silences", 0.0)
        window = find_churn_window(log)
        progress("Following silences", 1.0)
        if not len(window.silences.customer):
            fail("There are no purchases to find a churn window by. Run: regulars ingest events FILE")
        with database.read() as session:
            present, policy = _present(session), _policy(session)
        remarks = [_proposal(window, present)]
        change, published = None, None
        if window.horizon_days is not None and window.horizon_days != present.days:
            try:
                change = compare_horizons(
                    log,
                    window.silences,
                    present,
                    Horizon.of(window.horizon_days),
                    policy=policy,
                    terms=ClvTerms(
                        horizon_days=float(settings.clv_horizon_days),
                        yearly_discount_rate=settings.yearly_discount_rate,
                        margin=settings.margin,
                    ),
                    progress=progress,
                )
            except ModelError as error:
                remarks.append(f"The lists can't be compared: {error}")
            else:
                published = _published(database, log, change, progress)

    if svg is not None:
        svg.write_text(_drawn(window), encoding="utf-8")
        remarks.append(f"Drawn to {svg}.")
    if as_json:
        typer.echo(json.dumps(_as_dict(window, present, change, published), indent=1, allow_nan=False))
        err_console.print(notes(remarks))
        return
    console.print(_groups_table(window))
    console.print(_HOW_TO_READ)
    console.print(_candidates_table(window, present))
    if change is not None:
        console.print(_change_table(change))
        remarks += [*_change_in_words(change, published), _HOW_LISTS_ARE_MADE]
    console.print(notes(remarks))


def _known(database: Database, settings: Settings, progress: Progress) -> EventLog:
    """Read what is known at the instant that scores speak of."""
    log = read_log(database, LocalCalendar(settings.timezone), lambda done: progress("Reading events", done))
    return log if settings.as_of is None else log.before(Snapshot.at(settings.as_of, log.calendar).as_of)


def _present(session: Session) -> Horizon:
    """Return the horizon of the champion's churn, else the default."""
    version = registry.aliases(session).get("champion")
    if version is not None:
        churn = targets_of_report(registry.find_version(session, str(version)).report).get(CHURN)
        if churn is not None and churn.kind == "inactivity":
            return Horizon(churn.horizon, churn.activity)
    return Horizon.of(DEFAULT_HORIZON_DAYS)


def _policy(session: Session) -> SegmentPolicy:
    """Return the policy in force; before the first training, the default."""
    try:
        return SegmentPolicy.from_dict(policies.current_policy(session)[1])
    except StoreError:
        return SegmentPolicy()


def _published(database: Database, log: EventLog, change: AtRiskChange, progress: Progress) -> _Published | None:
    """Find how many of the published list are on the lists compared; None before the first scoring run."""
    with database.read() as session:
        run = published_run(session)
    if run is None:
        return None
    progress("Reading published list", 0.0)
    names = {row.customer_id for row in iterate_segment(database, "at_risk")}
    progress("Reading published list", 1.0)
    is_published = np.fromiter((name in names for name in log.customer_ids), dtype=np.bool_, count=log.n_customers)
    return _Published(
        model_version=run.model_version,
        as_of="" if run.as_of is None else run.as_of.date().isoformat(),
        customers=len(names),
        on_present=int((is_published & change.present.on_list).sum()),
        on_proposed=int((is_published & change.proposed.on_list).sum()),
    )


def _proposal(window: ChurnWindow, present: Horizon) -> str:
    if window.horizon_days is None:
        return f"No horizon is proposed: {window.reason}"
    proposed = f"Proposed is a horizon of {window.horizon_days} days: {window.reason}"
    if window.horizon_days == present.days:
        return f"{proposed} That is the present one, so the at-risk list stays as it is."
    how = f"To take it: regulars train --horizon-days {window.horizon_days}"
    return f"{proposed} The present one is {present.days} days. {how}"


def _groups_table(window: ChurnWindow) -> Table:
    table = Table(title="who returns, by usual gap between purchase days", box=SIMPLE_HEAD)
    table.add_column("usual gap", no_wrap=True)
    for header in ("all", *(f"after {days}\ndays" for days in SILENCES_SHOWN)):
        table.add_column(header, justify="right", no_wrap=True)
    for group in window.groups:
        if group.name == REPEAT:
            table.add_section()
        table.add_row(
            f"{group.name}\n[dim]  silences\n  customers[/]",
            f"\n[dim]{group.silences:,}\n{group.customers:,}[/]",
            *(f"{_share(told.share)}\n[dim]{told.silences:,}\n{told.customers:,}[/]" for told in group.figures),
        )
    return table


def _candidates_table(window: ChurnWindow, present: Horizon) -> Table:
    table = Table(title=f"horizons that fit into {window.silences.history_days:,} days of history", box=SIMPLE_HEAD)
    for header in ("days", "return", "silences", "customers"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("of repeat customers", no_wrap=True)
    for figure in window.candidates:
        said = [
            *(["proposed"] if figure.days == window.horizon_days else []),
            *(["present"] if figure.days == present.days else []),
        ]
        drawn = "" if figure.share is None else bar(figure.share, _BAR)
        table.add_row(
            f"{figure.days}",
            _share(figure.share),
            f"{figure.silences:,}",
            f"{figure.customers:,}",
            f"{drawn} {', '.join(said)}".rstrip(),
        )
    return table


def _change_table(change: AtRiskChange) -> Table:
    present, proposed = change.present, change.proposed
    table = Table(title="what the horizon would change", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for header in (f"present\n{present.horizon.days} days", f"proposed\n{proposed.horizon.days} days"):
        table.add_column(header, justify="right", no_wrap=True)

    def add(label: str, *cells: str) -> None:
        table.add_row(label, *cells)

    def of_both(figure: Any) -> Sequence[str]:
        return figure(present), figure(proposed)

    add("judged if they bought within, days", *of_both(lambda told: f"{told.horizon.activity_days:,}"))
    add("eligible at the end of the log", *of_both(lambda told: f"{told.eligible:,}"))
    add("churn rate, one horizon before", *of_both(lambda told: _of(told.churn_rate, told.judged)))
    add("called churned, came back within one more", *of_both(lambda told: _of(told.came_back, told.called)))
    add("on the list", *of_both(lambda told: f"{int(told.on_list.sum()):,}"))
    return table


def _change_in_words(change: AtRiskChange, published: _Published | None) -> list[str]:
    present, proposed = int(change.present.on_list.sum()), int(change.proposed.on_list.sum())
    stay = change.on_both
    told = [
        f"Of the {present:,} names on the list of the present horizon {stay:,} stay, {present - stay:,} leave, and "
        f"{proposed - stay:,} join."
    ]
    if published is not None:
        told.append(
            f"Of the {published.customers:,} names on the published list (model version {published.model_version}, as "
            f"of {published.as_of}) {published.on_present:,} are on the first and {published.on_proposed:,} on the "
            "second."
        )
    return told


def _drawn(window: ChurnWindow) -> str:
    lines = []
    longest = max(SILENCES_SHOWN[-1], *(figure.days for figure in window.candidates), 0)
    for group in window.groups:
        if group.name != ALL:
            share = group.curve.shares_returning()[: longest + 1]
            lines.append(ReturnLine(group.name, np.arange(len(share), dtype=np.float64), share, group.name == REPEAT))
    return return_chart(
        lines,
        title="Who returns after how long a silence",
        description="Of silences that have lasted so many days, the share that ends in a purchase as far as observed, "
        "by the usual gap between purchase days. The horizon proposed for churn is marked; below the dashed line, at "
        f"{MAX_RETURNING:.0%}, one is long enough.",
        level=MAX_RETURNING,
        horizon_days=window.horizon_days,
    )


def _as_dict(
    window: ChurnWindow, present: Horizon, change: AtRiskChange | None, published: _Published | None
) -> dict[str, Any]:
    return {
        **window.to_dict(),
        "present_horizon_days": present.days,
        "at_risk": None if change is None else change.to_dict(),
        "published": None
        if published is None
        else {
            "model_version": published.model_version,
            "as_of": published.as_of,
            "customers": published.customers,
            "on_present": published.on_present,
            "on_proposed": published.on_proposed,
        },
    }


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _of(share: float | None, n: int) -> str:
    return "–" if share is None else f"{share:.1%} of {n:,}"
