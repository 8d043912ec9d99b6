"""`regulars demo`: from an order file to an at-risk list, on real customers."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cli.console import console, fail, now, progress_bar, progress_steps
from cli.serve import refuse_without_keys, serve_here
from cli.tables import clv_table, notes, ranked_table, segments_table, target_table
from service.published_list import list_of_segment, read_page
from store import registry
from store.engine import Database
from store.ingest import EventMapping, ingest_events
from store.schema import upgrade
from store.scores import published_run
from store.settings import ENV_FILE, Settings, load_settings
from store.tables import Event, Source
from store.training_request import TrainingRequest
from training.score_all import score_all
from training.train import train

__all__ = ["demo"]

_SOURCE = "cdnow"
_ROWS = 69_659
_SHOWN = 10

# The log ends on 1998-06-30. As of today every one of its customers would seem to have been silent for decades.
_AS_OF = datetime(1998, 7, 1, tzinfo=UTC)
_ENV = f"""\
# Written by `regulars demo`, whose orders are of 1997 and 1998. Delete it before you store your own.
REGULARS_AS_OF={_AS_OF:%Y-%m-%dT%H:%M:%SZ}
"""


def demo(
    with_service: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the pages at the end.")] = True,
) -> None:
    """Show everything once on CDNOW, 23,570 real customers of 1997: ingest, train, score, list, serve.

    Run again, it does only what is left to do.
    """
    if not Path(ENV_FILE).exists():
        Path(ENV_FILE).write_text(_ENV, encoding="utf-8")
        console.print(f"Wrote {ENV_FILE}: scores speak of {_AS_OF:%Y-%m-%d}, the midnight after the last order.")
    settings = load_settings()
    if settings.as_of != _AS_OF:
        fail(f"The demo speaks of {_AS_OF:%Y-%m-%d}: set REGULARS_AS_OF={_AS_OF:%Y-%m-%d}, or delete {ENV_FILE}.")
    database = Database(settings.database_url)
    try:
        upgrade(database)
        if with_service:
            refuse_without_keys(database, settings)
        _ingest(database, settings)
        _train_and_score(database, settings)
        with database.read() as session:
            _summarise(session)
    finally:
        database.close()
    if with_service:
        serve_here(settings, with_worker=True)


def _ingest(database: Database, settings: Settings) -> None:
    with database.read() as session:
        if set(session.scalars(select(Source.name))) - {_SOURCE}:
            fail(f"{settings.database_url} holds other data. Set REGULARS_DATABASE_URL to a new one for the demo.")
        if session.scalar(select(func.count()).select_from(Event)) == _ROWS:
            return
    with progress_bar("Ingesting CDNOW") as progress:
        csv_file = Path("var") / "cdnow.csv"
        _write_csv(csv_file)
        report = ingest_events(
            database,
            settings,
            csv_file,
            EventMapping(customer_id="customer_id", occurred_at="date", value="dollar_value", source=_SOURCE),
            received_at=now(),
            progress=progress,
        )
    console.print(
        f"{report.read:,} rows read, {report.stored:,} stored, {report.already_there:,} already there, "
        f"{report.rejected:,} rejected."
    )


def _write_csv(path: Path) -> None:
    """Write the log that the lifetimes package ships, columns between spaces, as CSV."""
    # Found, not imported: importing the package changes a setting of pandas.
    spec = find_spec("lifetimes")
    if spec is None or not spec.submodule_search_locations:
        fail("The package lifetimes is not installed, whose CDNOW log the demo shows. Run: make setup")
    shipped = Path(spec.submodule_search_locations[0]) / "datasets" / "CDNOW_master.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with shipped.open(encoding="ascii") as lines, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        # The file ends in a line that holds nothing but a Ctrl-Z.
        writer.writerows(line.split() for line in lines if len(line.split()) > 1)


def _train_and_score(database: Database, settings: Settings) -> None:
    with database.read() as session:
        champion = registry.aliases(session).get("champion")
    with progress_steps() as progress:
        if champion is None:
            champion = train(database, settings, TrainingRequest(), now=now, progress=progress)
        with database.read() as session:
            run = published_run(session)
        if run is None or run.model_version != champion or run.as_of != _AS_OF:
            score_all(database, settings, now=now, progress=progress)


def _summarise(session: Session) -> None:
    at_risk = list_of_segment("at_risk")
    page, published = read_page(session, at_risk, limit=_SHOWN)
    report = registry.find_version(session).report
    console.rule(f"CDNOW as of {page.run.as_of:%Y-%m-%d}")
    console.print(segments_table(published.aggregates))
    console.print(clv_table(report["clv"]))
    for name, figures in report["targets"].items():
        console.print(target_table(name, figures))
    verdicts = [f"{name}: {figures['verdict']}" for name, figures in report["targets"].items()]
    console.print(notes([*verdicts, *report["notes"]]))
    console.rule(f"The {len(page.rows)} customers with most value at risk")
    console.print(ranked_table(page.rows, at_risk, published))
