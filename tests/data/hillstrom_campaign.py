"""Hillstrom's randomised e-mails as a campaign: customers and visits as files, supplied arms over HTTP."""

from __future__ import annotations

import csv
import gzip
import io
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.app import create_app
from store.engine import Database
from store.ingest import EventMapping, ingest_customers, ingest_events
from store.settings import Settings, load_settings
from tests.conftest import shared_data
from training.worker import measure_due

with warnings.catch_warnings():
    # It asks for another client library than the one that this project uses.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

__all__ = ["MENS", "NONE", "WOMENS", "effect_on_visits"]

SENT_AT = datetime(2008, 3, 20, tzinfo=UTC)
NOW = datetime(2008, 4, 20, tzinfo=UTC)
MENS, WOMENS, NONE = "Mens E-Mail", "Womens E-Mail", "No E-Mail"
MOST_AT_ONCE = 10_000

# By `:row` customers are numbered from 1.
Rows = list[dict[str, str]]


def effect_on_visits(database: Database, database_url: str, folder: Path, n: int | None) -> tuple[dict[str, Any], Rows]:
    """Run the campaign with the first customers, or with all; return its effect on visits as the API tells it."""
    settings = load_settings(database_url=database_url, bundle_dir=folder, open=True, log_format="json")
    path, rows = _hillstrom(folder, n)
    _store(settings, database, path, rows, folder)
    with TestClient(create_app(settings, now=lambda: NOW, log_to=io.StringIO()), "http://localhost") as client:
        return _effect_of(client, settings, database, rows, "Visited"), rows


def _hillstrom(folder: Path, n: int | None) -> tuple[Path, Rows]:
    """Return a file of the first customers, or of all, and its rows."""
    whole = shared_data("hillstrom_email") / "hillstrom.csv.gz"
    with gzip.open(whole, "rt", newline="") as file:
        rows = list(csv.DictReader(file))[:n]
    if n is None:
        return whole, rows
    excerpt = folder / "hillstrom.csv"
    with excerpt.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return excerpt, rows


def _store(settings: Settings, database: Database, path: Path, rows: Rows, folder: Path) -> None:
    """Store the customers as the recipe does, and visits and purchases on the last day of the two weeks."""
    ingest_customers(database, settings, path, customer_id_column=":row", learnt_at_column=None, received_at=NOW)
    events = folder / "events.csv"
    with events.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("customer", "at", "event", "value"))
        for number, row in enumerate(rows, start=1):
            if row["visit"] == "1":
                writer.writerow((number, "2008-04-02", "Visited", ""))
            if row["conversion"] == "1":
                writer.writerow((number, "2008-04-02", "Order Completed", row["spend"]))
    mapping = EventMapping(customer_id="customer", occurred_at="at", event_column="event", value="value")
    report = ingest_events(database, settings, events, mapping, received_at=NOW)
    assert report.rejected == 0


def _effect_of(client: TestClient, settings: Settings, database: Database, rows: Rows, outcome: str) -> dict[str, Any]:
    """Supply the arms over HTTP, in parts, and have a worker count."""
    assignment = [{"customer_id": str(number), "arm": row["segment"]} for number, row in enumerate(rows, start=1)]
    body = {
        "name": f"E-mail, {outcome}",
        "segment": None,
        "outcome": outcome,
        "outcome_days": 14,
        "held_out_arm": NONE,
        "assigned_at": SENT_AT.isoformat(),
        "assignment": assignment[:MOST_AT_ONCE],
    }
    made = client.post("/v1/campaigns", json=body).json()
    assert made["assigned"] == {"stored": min(len(rows), MOST_AT_ONCE), "already_there": 0, "rejected": []}
    path = f"/v1/campaigns/{made['campaign_id']}"
    for start in range(MOST_AT_ONCE, len(rows), MOST_AT_ONCE):
        part = assignment[start : start + MOST_AT_ONCE]
        taken = client.post(f"{path}/assignments", json={"assignments": part}).json()
        assert (taken["stored"], taken["rejected"]) == (len(part), [])
    measure_due(database, settings, now=lambda: NOW)
    answer = client.get(f"{path}/effect")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found
