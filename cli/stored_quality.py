"""`regulars evaluate --stored`: whether the scores of runs came true."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.console import console, err_console, now, opened, progress_steps
from cli.tables import notes
from service.run_quality import PartQuality, RunQuality, read_quality
from service.schemas.quality import PartQualityOut
from training.stored_quality import compare_due

__all__ = ["evaluate_stored"]

_RUNS_SHOWN = 20
_TARGET = (
    ("customers judged", "n", "{:,}"),
    ("came about", "rate", "{:.1%}"),
    ("was said to", "mean_probability", "{:.1%}"),
    ("AUC", "auc", "{:.4f}"),
    ("log loss", "log_loss", "{:.4f}"),
    ("Brier score", "brier", "{:.4f}"),
    ("calibration error", "calibration_error", "{:.4f}"),
    ("lift of the top tenth", "lift_at_10", "{:.2f}"),
    ("lift of the top fifth", "lift_at_20", "{:.2f}"),
)


def evaluate_stored(run_id: int | None, *, as_json: bool) -> None:
    """Compare the runs whose horizon has passed, or one again, and print what is known of runs.

    Parameters
    ----------
    run_id : int or None
    as_json : bool
    """
    with opened() as (settings, database):
        instant = now()
        with progress_steps() as progress:
            compared = compare_due(
                database, settings, now=instant, run_ids=None if run_id is None else [run_id], progress=progress
            )
        with database.read() as session:
            found = read_quality(
                session,
                timezone=settings.timezone,
                now=settings.as_of or instant,
                before=None if run_id is None else run_id + 1,
                limit=_RUNS_SHOWN if run_id is None else 1,
            )
    if as_json:
        told = [PartQualityOut.of(part).model_dump(mode="json") for run in found.runs for part in run.parts]
        typer.echo(json.dumps({"compared": compared, "parts": told}, indent=1, allow_nan=False))
        return
    for run in found.runs:
        for part in run.parts:
            if part.status == "compared":
                console.print(_table(part))
    waiting = [remark for run in found.runs for remark in _remarks(run)]
    console.print(notes(waiting or ["Every run shown has been compared." if found.runs else "There is no run yet."]))
    if not compared:
        err_console.print("No further run could be compared.")


def _table(part: PartQuality) -> Table:
    figures = part.figures
    title = (
        f"{part.name} of run {part.run.id}, as of {part.run.as_of:%Y-%m-%d}, over {figures['horizon_days']} days "
        f"(model {part.run.model_version}{', which had learnt from what came' if figures.get('in_hindsight') else ''})"
    )
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("came", justify="right")
    if part.kind == "forecast":
        table.add_column("expected", justify="right")
        for row in _forecast_rows(figures):
            table.add_row(*row)
        return table
    table.add_column("on the test rows", justify="right")
    for title_of_row, name, form in _TARGET:
        then = figures["test"].get(name)
        table.add_row(title_of_row, _formed(figures.get(name), form), _formed(then, form))
    for title_of_row, told in _listed_rows(figures.get("listed")):
        table.add_row(title_of_row, told, "")
    return table


def _forecast_rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, title in (("purchases", "purchase days"), ("spend", "spending")):
        if (amount := figures[name]) is not None:
            yield title, f"{amount['actual']:,.0f}", f"{amount['expected']:,.0f}"
            yield f"{title}: too much by", _formed(amount["error"], "{:+.1%}"), ""
            yield f"{title}: mean absolute error", f"{amount['mae']:.3f}", ""
    if (interval := figures["interval"]) is not None:
        yield "within their interval", f"{interval['within']:.1%}", f"{interval['level']:.0%} at least"


def _listed_rows(listed: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if listed is None or not listed["customers"]:
        return
    yield "on the at-risk list", f"{listed['customers']:,}"
    yield "of them churned", f"{listed['precision']:.1%} ({listed['low']:.1%} to {listed['high']:.1%})"
    yield "value at risk listed", f"{listed['value_at_risk']:,.0f}"
    yield "of those who churned", f"{listed['value_at_risk_of_churned']:,.0f}"
    yield "returned listed spent", f"{listed['spent_by_returned']:,.0f}"


def _remarks(run: RunQuality) -> Iterator[str]:
    for part in run.parts:
        if part.why is not None:
            yield f"Run {run.run.id}, {part.name}: {part.why}"
    for target, report in run.drift.items():
        moved = [] if report is None else [row["feature"] for row in report["features"] if row["level"] == "act"]
        if moved:
            yield f"Run {run.run.id}, {target}: moved far since training: {', '.join(moved[:5])}."


def _formed(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
