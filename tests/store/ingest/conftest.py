"""Fixtures that the tests of ingestion share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store.engine import Database
from store.ingest import EventMapping, IngestReport, ingest_events
from store.settings import load_settings

RECEIVED_AT = datetime(2024, 6, 1, 12, tzinfo=UTC)

LINES = EventMapping(
    customer_id="who", occurred_at="at", order_id="order", product="product", quantity="quantity", value="value"
)
EVENTS = EventMapping(customer_id="who", occurred_at="at", value="value")

Ingest = Callable[..., IngestReport]


@pytest.fixture
def ingest(database: Database, tmp_path: Path) -> Ingest:
    """Ingest some text (or the bytes of a file) as a file of events."""

    def run(
        content: str | bytes,
        mapping: EventMapping = LINES,
        *,
        name: str = "rows.csv",
        received_at: datetime = RECEIVED_AT,
        into: Database = database,
        settings: dict[str, Any] | None = None,
        **options: Any,
    ) -> IngestReport:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return ingest_events(into, load_settings(**(settings or {})), path, mapping, received_at=received_at, **options)

    return run


def lines(*rows: str) -> str:
    """Return a CSV of order lines."""
    return "\n".join(("who,at,order,product,quantity,value", *rows)) + "\n"


def events(*rows: str) -> str:
    """Return a CSV of events by themselves."""
    return "\n".join(("who,at,value", *rows)) + "\n"


def at_most(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let a transaction of ingestion take that many rows."""
    for name in ("FEWEST_ROWS", "FIRST_ROWS", "MOST_ROWS"):
        monkeypatch.setattr(f"store.ingest.pace.{name}", rows)
