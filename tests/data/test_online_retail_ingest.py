"""UCI Online Retail as a whole: counts that add up, twice, interrupted once, the same rows on both engines."""

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
from tests.conftest import shared_data
from tests.store.ingest.stored import stored_events, stored_lines, stored_rejections

MAPPING = EventMapping(
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

# From the data set's own README: rows, and rows without a customer.
N_ROWS, N_WITHOUT_CUSTOMER, N_CUSTOMERS = 541_909, 135_080, 4_372

# SHA-256 of all rows by content, the same on SQLite and PostgreSQL. It holds identities too: were they to change,
# every file that was ingested before would be stored a second time.
FINGERPRINT = "a2f83239b9f1f0eb92c00bf0d1205c2f1527d82b7fcfd9613c8f938898255c90"


def online_retail() -> Path:
    return shared_data("uci_online_retail") / "online_retail.parquet"


def ingest(database: Database, path: Path) -> IngestReport:
    return ingest_events(database, load_settings(), path, MAPPING, received_at=datetime(2024, 6, 1, tzinfo=UTC))


def fingerprint(database: Database) -> str:
    digest = hashlib.sha256()
    for rows in (stored_events(database), stored_lines(database), stored_rejections(database)):
        for row in rows:
            digest.update(repr(row).encode())
    return digest.hexdigest()


def test_interrupted_once_then_whole_then_again_it_is_stored_exactly_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = FileWriter.write, 0

    def fails_once(self: FileWriter, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 40:
            raise OSError("the power failed")
        return write(self, *arguments)

    monkeypatch.setattr(FileWriter, "write", fails_once)
    with pytest.raises(OSError, match="the power failed"):
        ingest(database, online_retail())
    with database.read() as session:
        half = session.scalar(text("SELECT count(*) FROM order_line"))
    assert half

    whole = ingest(database, online_retail())
    assert (whole.read, whole.rejected_by_code) == (N_ROWS, {"customer_id": N_WITHOUT_CUSTOMER})
    assert whole.already_there == half
    assert whole.stored == N_ROWS - N_WITHOUT_CUSTOMER - half
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM customer")) == N_CUSTOMERS
        assert session.scalar(text("SELECT count(*) FROM order_line")) == N_ROWS - N_WITHOUT_CUSTOMER
        assert session.scalar(text("SELECT count(DISTINCT order_id) FROM event")) == 22_190
    assert fingerprint(database) == FINGERPRINT

    # Once more, in part: the same rows in another file.
    part = tmp_path / "part.parquet"
    pq.write_table(pq.read_table(online_retail()).slice(0, 50_000), part)
    again = ingest(database, part)
    assert (again.read, again.stored) == (50_000, 0)
    assert again.already_there + again.rejected == 50_000
