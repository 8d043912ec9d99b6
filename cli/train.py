"""`regulars train`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.console import console, fail, now, opened, progress_steps, within_calendar
from cli.tables import clv_table, notes, target_table
from store import registry
from store.ingest.labels import read_labels
from store.ingest.table_file import FileFormat, file_hash
from store.settings import Settings
from store.training_request import AUTO, DEFAULT_HORIZON_DAYS, MOST_HORIZON_DAYS, TrainingRequest
from training import train as job
from training.workshop import LabelledTarget

__all__ = ["train"]

_FIELDS = TrainingRequest.model_fields
_LABEL_OPTIONS = "--target, --customer-id, --label and --positive"


def train(
    horizon_days: Annotated[
        str, typer.Option(metavar="DAYS|auto", help=_FIELDS["horizon_days"].description)
    ] = f"{DEFAULT_HORIZON_DAYS}",
    activity_days: Annotated[
        int | None, typer.Option(min=1, max=7300, help=_FIELDS["activity_days"].description)
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], callback=within_calendar, help=_FIELDS["as_of"].description),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=10_000, help=_FIELDS["trials"].description)] = 25,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help=_FIELDS["seed"].description)] = 0,
    time_limit_seconds: Annotated[
        int, typer.Option(min=1, max=86_400, help=_FIELDS["time_limit_seconds"].description)
    ] = 900,
    clv_model: Annotated[str | None, typer.Option(metavar="NAME", help=_FIELDS["clv_model"].description)] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Train for this target only; repeatable. With --labels, the one labelled."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A feature or attribute that no model may use; repeatable."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Use it although the leak guard names it; repeatable."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What came of customers, supplied: CSV, CSV.gz or Parquet.")
    ] = None,
    customer_id: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of the customer's id in --labels; :row numbers the rows.")
    ] = None,
    label: Annotated[str | None, typer.Option(metavar="COL", help="Column of the label in --labels.")] = None,
    positive: Annotated[
        str | None, typer.Option(metavar="VALUE", help="The label that says that the target came about.")
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(
            metavar="COL",
            help="Column of the day from which the label looks ahead: features know what came before it.",
        ),
    ] = None,
    delimiter: Annotated[str, typer.Option(help="What stands between the cells of --labels.")] = ",",
    encoding: Annotated[str, typer.Option(help="Encoding of --labels.")] = "utf-8",
) -> None:
    """Fit, evaluate and register a bundle. The first becomes champion, later ones challenger."""
    request = TrainingRequest(
        horizon_days=_days_or_auto(horizon_days),
        activity_days=activity_days,
        as_of=None if as_of is None else as_of.date(),
        trials=trials,
        seed=seed,
        time_limit_seconds=time_limit_seconds,
        clv_model=clv_model,
        targets=None if target is None else tuple(target),
        leave_out=tuple(leave_out or ()),
        keep=tuple(keep or ()),
    )
    given = (customer_id, label, positive, date)
    if labels is None and any(option is not None for option in given):
        fail("--customer-id, --label, --positive and --date say how to read --labels FILE, which is missing.")
    with opened() as (settings, database):
        labelled = None
        if labels is not None:
            if target is None or len(target) != 1 or customer_id is None or label is None or positive is None:
                fail(f"--labels needs {_LABEL_OPTIONS}, each once.")
            labelled = _read(
                labels,
                settings,
                FileFormat(delimiter=delimiter, encoding=encoding),
                name=target[0],
                columns=(customer_id, label, date),
                positive=positive,
            )
        with progress_steps() as progress:
            version = job.train(database, settings, request, now=now, labelled=labelled, progress=progress)
        with database.read() as session:
            report = registry.find_version(session, str(version)).report
            alias = next((name for name, holder in registry.aliases(session).items() if holder == version), "")
    if report["clv"] is not None:
        console.print(clv_table(report["clv"]))
    for name, figures in report["targets"].items():
        console.print(target_table(name, figures))
    verdicts = [f"{name}: {figures['verdict']}" for name, figures in report["targets"].items()]
    console.print(notes([*verdicts, *report["notes"]]))
    console.print(f"Version {version} is registered{f' as {alias}' if alias else ''}.")
    if alias == "challenger":
        console.print("To make it the champion: regulars models promote")


def _days_or_auto(text: str) -> int | Literal["auto"]:
    if text == AUTO:
        return AUTO
    if not text.isdecimal() or not 1 <= int(text) <= MOST_HORIZON_DAYS:
        raise typer.BadParameter(
            f"expected a whole number of days from 1 to {MOST_HORIZON_DAYS}, or {AUTO}; got {text!r}",
            param_hint="--horizon-days",
        )
    return int(text)


def _read(
    path: Path,
    settings: Settings,
    file_format: FileFormat,
    *,
    name: str,
    columns: tuple[str, str, str | None],
    positive: str,
) -> LabelledTarget:
    customer_id, label, date = columns
    found = read_labels(
        path,
        customer_id_column=customer_id,
        label_column=label,
        positive=positive,
        date_column=date,
        settings=settings,
        file_format=file_format,
    )
    console.print(
        f"{path.name}: {len(found.customer_ids):,} labels, {int(found.positive.sum()):,} of them {positive!r}.",
        markup=False,
    )
    source = {
        "file": path.name,
        "sha256": file_hash(path).hex(),
        "customer_id": customer_id,
        "label": label,
        "positive": positive,
        "date": date,
    }
    return LabelledTarget(name=name, labels=found, label_column=label, source=source)
