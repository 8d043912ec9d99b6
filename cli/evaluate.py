"""`regulars evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cli.console import console, err_console, fail, now, opened, progress_steps
from cli.stored_quality import evaluate_stored
from cli.tables import clv_table, notes, target_table
from features.calendar import LocalCalendar
from features.event_log import EventLog
from models.btyd import PURCHASE_MODELS
from store import registry
from store.events import read_log
from store.exceptions import UnknownModelError
from store.settings import Settings
from store.tables.base import to_microseconds
from training.evaluate_clv import evaluate_clv

__all__ = ["evaluate"]

_DEFAULT_HOLDOUT_DAYS = 90
_DEFAULT_SEED = 0

# What --json prints of a target; the rest of its report is for people.
_TARGET_KEYS = (
    "n",
    "rate",
    "auc",
    "average_precision",
    "log_loss",
    "brier",
    "calibration_error",
    "calibration_error_if_perfect",
    "lift_at_10",
    "splits",
    "baselines",
    "differences",
    "snapshots",
)


def evaluate(
    holdout_days: Annotated[
        int | None,
        typer.Option(min=1, max=7300, help="Days at the end of the log kept back; the model's horizon by default."),
    ] = None,
    clv_model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Purchase model to keep: {', '.join(PURCHASE_MODELS)}; by default the best on the hold-out.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Whose figures of its targets to show: newest, champion, challenger or a version.")
    ] = "newest",
    stored: Annotated[
        bool,
        typer.Option(
            "--stored", help="Compare stored scores of runs whose horizon has passed with what came about since."
        ),
    ] = False,
    run: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="With --stored: this scoring run only, and once more.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show how good the models are, against baselines; without purchases those of the targets only."""
    if clv_model is not None and clv_model not in PURCHASE_MODELS:
        fail(f"--clv-model: expected {' or '.join(PURCHASE_MODELS)}, got {clv_model!r}")
    if run is not None and not stored:
        fail("--run says which run --stored is to compare, which is missing.")
    if stored:
        evaluate_stored(run, as_json=as_json)
        return
    with opened() as (settings, database):
        with database.read() as session:
            try:
                report: dict[str, Any] = registry.find_version(session, model).report
            except UnknownModelError:
                if model != "newest":
                    raise
                report = {}
        with progress_steps() as progress:
            log = read_log(database, LocalCalendar(settings.timezone), lambda done: progress("Reading events", done))
            log = _known(log, settings)
            last_day = log.last_purchase_day()
            clv = None
            if last_day is not None:
                trained_with = report.get("settings", {})
                clv = evaluate_clv(
                    log,
                    end_day=last_day + 1,
                    holdout_days=holdout_days or trained_with.get("horizon_days", _DEFAULT_HOLDOUT_DAYS),
                    asked=clv_model or trained_with.get("clv_model"),
                    seed=trained_with.get("seed", _DEFAULT_SEED),
                    progress=progress,
                )
            elif not report:
                fail("There are no orders to evaluate on. Run: regulars ingest events FILE")

    remarks = ["There are no purchases, so there is no clv to evaluate."] if clv is None else clv.pop("notes")
    in_use = (report.get("clv") or {}).get("model")
    if clv is not None and in_use not in (None, clv["model"]):
        remarks.append(f"The registered model uses {in_use}, which was kept on its own hold-out.")
    targets: Mapping[str, Mapping[str, Any]] = report.get("targets", {})
    remarks += [f"{name}: {figures['verdict']}" for name, figures in targets.items()]
    remarks += report.get("notes", ["No model is trained yet. Run: regulars train"])
    remarks = list(dict.fromkeys(remarks))
    if as_json:
        measured = {name: _measured(figures) for name, figures in targets.items()}
        typer.echo(json.dumps({"clv": clv, "targets": measured}, indent=1, allow_nan=False))
        err_console.print(notes(remarks))
        return
    if clv is not None:
        console.print(clv_table(clv))
    for name, figures in targets.items():
        console.print(target_table(name, figures))
    console.print(notes(remarks))


def _measured(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what --json prints of a target."""
    baselines = {name: _some(of_baseline, ("auc", "log_loss")) for name, of_baseline in figures["baselines"].items()}
    among_buyers = {key: figures[key] for key in ("among_buyers",) if key in figures}
    return {**_some(figures, _TARGET_KEYS), "baselines": baselines, **among_buyers}


def _some(figures: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return some figures, with their standard deviations where folds gave them."""
    printed = {key: figures[key] for key in keys if key in figures}
    return printed | ({"sd": figures["standard_deviation"]} if "standard_deviation" in figures else {})


def _known(log: EventLog, settings: Settings) -> EventLog:
    """Leave out what happened after the instant that scores speak of."""
    return log.before(to_microseconds(settings.as_of or now()))
