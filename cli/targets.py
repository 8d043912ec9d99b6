"""`regulars targets`: what is predicted, and what can be said of it before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.console import bar, console, fail, now, opened, progress_steps
from cli.tables import notes
from features.calendar import LocalCalendar
from features.targets import DEFAULT_TARGETS, TargetSet
from features.windows import Snapshot
from store.engine import Database
from store.events import read_log
from store.target_sets import add_target_set, current_target_set
from store.training_request import TrainingRequest
from training.target_check import TargetCheck, check_targets, log_days

__all__ = ["targets_app"]

targets_app = typer.Typer(no_args_is_help=True, help="What is predicted: show, check, export or import the targets.")

_FIELDS = TrainingRequest.model_fields


@targets_app.command("show")
def show() -> None:
    """Show the targets in force."""
    with opened() as (_, database):
        version, targets = _in_force(database)
    table = Table(box=SIMPLE_HEAD)
    for header in ("target", "comes about by", "within days", "of those active within days"):
        table.add_column(header, no_wrap=header == "target")
    for target in targets.targets:
        of_training = "as trained"
        table.add_row(
            target.name,
            escape(target.describe()),
            str(target.horizon_days or of_training),
            "" if target.kind == "label" else str(target.activity_days or of_training),
        )
    console.print(table)
    if version is None:
        console.print("No targets were imported yet; these are the defaults.")
    else:
        console.print(f"Version {version} is in force.")


@targets_app.command("export")
def export_targets() -> None:
    """Print the targets in force as TOML."""
    with opened() as (_, database):
        _, targets = _in_force(database)
    typer.echo(targets.to_toml(), nl=False)


@targets_app.command("import")
def import_targets(
    file: Annotated[Path, typer.Argument(help="TOML as export prints it.")],
) -> None:
    """Put targets in force; the next training learns them."""
    targets = _read(file)
    with opened() as (_, database), database.write() as session:
        version = add_target_set(session, targets.to_dict(), now=now())
    console.print(
        f"Version {version} is in force: {', '.join(target.name for target in targets.targets)}. To see how often they "
        "come about: regulars targets check"
    )


@targets_app.command("check")
def check(
    file: Annotated[
        Path | None,
        typer.Option(help="Check the targets of this file, as export prints it, instead of those in force."),
    ] = None,
    horizon_days: Annotated[
        int, typer.Option(min=1, max=1825, help="Days ahead that targets without their own look.")
    ] = _FIELDS["horizon_days"].default,
    activity_days: Annotated[
        int | None, typer.Option(min=1, max=7300, help=_FIELDS["activity_days"].description)
    ] = None,
) -> None:
    """Show how often each target came about in the past, and what is too little to learn from."""
    of_file = None if file is None else _read(file)
    with opened() as (settings, database), progress_steps() as progress:
        targets = of_file or _in_force(database)[1]
        log = read_log(
            database,
            LocalCalendar(settings.timezone),
            lambda done: progress("Reading events", done),
            properties_of=targets.events_with_properties,
        )
        if settings.as_of is not None:
            log = log.before(Snapshot.at(settings.as_of, log.calendar).as_of)
        days = log_days(log)
        if days is None:
            fail("There are no events to count by. Run: regulars ingest events FILE")
        checks = check_targets(
            log, targets, horizon_days=horizon_days, activity_days=activity_days, end_day=days[1], progress=progress
        )
    for checked in checks:
        console.print(_as_table(checked))
    without = sum(not checked.complaints for checked in checks)
    console.print(f"{without} of {len(checks)} targets are without a complaint.")


def _in_force(database: Database) -> tuple[int | None, TargetSet]:
    """Return version and content of the targets in force; None and the defaults before the first import."""
    with database.read() as session:
        stored = current_target_set(session)
    return (None, DEFAULT_TARGETS) if stored is None else (stored[0], TargetSet.from_dict(stored[1]))


def _read(file: Path) -> TargetSet:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        fail(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}")
    return TargetSet.from_toml(text)


def _as_table(checked: TargetCheck) -> RenderableType:
    """Counts at each snapshot, with bars that the largest share fills, and what there is to complain of."""
    target = checked.target
    title = f"{target.name}: {target.describe()}"
    if target.kind != "label":
        title += f", within {target.horizon} days"
    if checked.base_rate is not None:
        title += f"; {checked.base_rate:.1%} of those active within {target.activity}"
    parts: list[RenderableType] = [escape(title)]
    if checked.snapshots:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("snapshot", no_wrap=True)
        for header in ("eligible", "positive", "share"):
            table.add_column(header, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        largest = max(count.rate or 0.0 for count in checked.snapshots) or 1.0
        for count in checked.snapshots:
            shown = ("", "") if count.rate is None else (f"{count.rate:.1%}", bar(count.rate / largest))
            table.add_row(count.date.isoformat(), f"{count.eligible:,}", f"{count.positives:,}", *shown)
        parts.append(table)
    parts.append(notes(checked.complaints))
    return Group(*parts, "")
