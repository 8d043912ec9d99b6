"""`regulars report`: what was found of the published run."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from cli.console import bar, console, opened
from models.driver_report import EVERYBODY, DriverReport
from models.driver_words import direction_in_words, sides_of, summary, title_of
from service.published_drivers import PublishedDrivers, read_drivers
from service.schemas.drivers import DriversAnswer

__all__ = ["report_app"]

report_app = typer.Typer(no_args_is_help=True, help="Reports of the published scoring run: drivers.")

_BAR = 8
_FEATURES_SHOWN = 20


@report_app.callback()
def report() -> None:
    """Reports of the published scoring run."""


@report_app.command("drivers")
def drivers(
    model: Annotated[str | None, typer.Option(help="Target of the model; churn, or else the first by name.")] = None,
    segment: Annotated[str, typer.Option(help="Segment whose scores are meant; all is everybody judged.")] = EVERYBODY,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON as the API gives it, not tables.")] = False,
) -> None:
    """Show what drives a model's scores: groups of features with exact sums, and single features."""
    with opened() as (_, database), database.read() as session:
        found = read_drivers(session, target=model, segment=segment)
    if as_json:
        typer.echo(json.dumps(DriversAnswer.of(found).model_dump(mode="json"), indent=1, allow_nan=False))
        return
    if found.report["customers"]:
        console.print(Group(_groups(found.report, found.target), _features(found)))
    console.print(summary(found.report))
    run = found.published.run
    console.print(
        f"{found.target}, {found.segment}: {found.report['customers']:,} customers, as of "
        f"{run.as_of:%Y-%m-%d %H:%M} UTC, model version {run.model_version}. Segments: {', '.join(found.segments)}. "
        f"Models: {', '.join(found.targets)}.",
        soft_wrap=True,
    )


def _groups(report: DriverReport, target: str) -> Table:
    table = _table("driver", "size", "", "on\nbalance", f"speaks\n{sides_of(target).towards}", "strongest\nof")
    table.title = "drivers: means over the customers, in log-odds"
    largest = report["drivers"][0]["mean_size"] or 1.0
    for row in report["drivers"]:
        table.add_row(
            row["driver"],
            f"{row['mean_size']:.3f}",
            bar(row["mean_size"] / largest, _BAR),
            f"{row['mean_contribution']:+.3f}",
            f"{row['towards']:.0%}",
            f"{row['strongest_of']:,}",
        )
    table.add_section()
    table.add_row("sum", "", "", f"{report['mean_contribution'] or 0.0:+.3f}")
    return table


def _features(found: PublishedDrivers) -> Table:
    features, currency = found.report["features"], found.published.aggregates.currency
    table = _table("feature", "size", "", f"speaks\n{sides_of(found.target).towards}", "reason\nof")
    table.add_column("which values")
    # What a terminal of 80 columns has no place for is wrapped, not cut off.
    table.columns[0].no_wrap = False
    table.title = "single features"
    if len(features) > _FEATURES_SHOWN:
        table.caption = f"and {len(features) - _FEATURES_SHOWN} smaller ones; --json has them all"
    for row in features[:_FEATURES_SHOWN]:
        table.add_row(
            escape(title_of(row["feature"])),
            f"{row['mean_size']:.3f}",
            bar(row["mean_size"] / features[0]["mean_size"], _BAR),
            f"{row['towards']:.0%}",
            f"{row['among_strongest']:,}",
            escape(direction_in_words(row, target=found.target, currency=currency)),
        )
    return table


def _table(*headers: str) -> Table:
    """Return a table whose first column is text, as is one without a header; the others are numbers."""
    table = Table(box=SIMPLE_HEAD)
    for position, header in enumerate(headers):
        table.add_column(header, justify="right" if position and header else "left", no_wrap=True)
    return table
