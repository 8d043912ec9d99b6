"""UCI Online Retail, or a part of it, ingested in goes: interrupted once, then whole, then again in part."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from store.engine import Database
from store.ingest import EventMapping, IngestReport, ingest_events
from store.ingest.file_writer import FileWriter
from store.settings import load_settings
from tests.store.ingest.stored import stored_events, stored_lines, stored_rejections

__all__ = ["FILE", "count", "fingerprint", "ingest_again", "ingest_in_goes"]

FILE = "online_retail.parquet"

_MAPPING = EventMapping(
    customer_id="CustomerID",
    occurred_at="InvoiceDate",
    order_id="InvoiceNo",
    product="StockCode",
    quantity="Quantity",
    unit_price="UnitPrice",
    properties=("Country",),
    cancelled_order_prefix="C",
    source="shop",
)


def ingest_in_goes(database: Database, path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> IngestReport:
    """Ingest a file in two goes, of which the first fails at some transaction; return what the second says."""
    write, calls = FileWriter.write, 0

    def fails_once(self: FileWriter, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError("the power failed")
        return write(self, *arguments)

    monkeypatch.setattr(FileWriter, "write", fails_once)
    with pytest.raises(OSError, match="the power failed"):
        _ingest(database, path)
    half = count(database, "*", "order_line")
    assert half

    whole = _ingest(database, path)
    assert whole.already_there == half
    assert whole.read == whole.stored + half + whole.rejected
    assert count(database, "*", "order_line") == whole.stored + half
    return whole


def ingest_again(database: Database, path: Path, rows: int) -> None:
    """Ingest the first rows of a file once more, as another file."""
    part = Path("part.parquet")
    pq.write_table(pq.read_table(path).slice(0, rows), part)
    again = _ingest(database, part)
    assert (again.read, again.stored) == (rows, 0)
    assert again.already_there + again.rejected == rows


def count(database: Database, what: str, table: str) -> int:
    with database.read() as session:
        n: int = session.scalars(text(f"SELECT count({what}) FROM {table}")).one()
    return n


def fingerprint(database: Database) -> str:
    """SHA-256 of all rows by content, identities too: were these to change, files would be stored a second time."""
    digest = hashlib.sha256()
    for rows in (stored_events(database), stored_lines(database), stored_rejections(database)):
        for row in rows:
            digest.update(repr(row).encode())
    return digest.hexdigest()


def _ingest(database: Database, path: Path) -> IngestReport:
    return ingest_events(database, load_settings(), path, _MAPPING, received_at=datetime(2024, 6, 1, tzinfo=UTC))
