"""Reading Parquet: the same facts as in CSV have the same identity."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.engine import Database
from store.exceptions import IngestError
from tests.store.ingest.conftest import EVENTS, LINES, Ingest, events, lines
from tests.store.ingest.stored import stored_events, stored_rejections


def parquet(path: Path, **columns: Any) -> bytes:
    pq.write_table(pa.table(columns), path)
    return path.read_bytes()


def test_typed_columns_are_the_same_rows_as_their_text(ingest: Ingest, tmp_path: Path) -> None:
    ingest(lines("17850,2024-01-05T10:00:00,7,22,2,3.5", "17851,2024-01-06T11:00:00,8,,1,4"))
    content = parquet(
        tmp_path / "x.parquet",
        who=pa.array([17850.0, 17851.0]),
        at=pa.array([datetime(2024, 1, 5, 10), datetime(2024, 1, 6, 11)], pa.timestamp("ns")),  # noqa: DTZ001
        order=pa.array([7, 8]),
        product=pa.array([22.0, None]),
        quantity=pa.array([2, 1], pa.int8()),
        value=pa.array([Decimal("3.50"), Decimal("4.00")]),
    )
    report = ingest(content, LINES, name="x.parquet")
    assert (report.read, report.already_there) == (2, 2)


def test_naive_timestamps_are_wall_time_as_in_csv(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    berlin: dict[str, Any] = {
        "settings": {"timezone": "Europe/Berlin"},
        "received_at": datetime(2024, 8, 1, tzinfo=UTC),
    }
    moments = ["2024-07-01T00:30:00", "2023-10-29T02:30:00", "2024-03-31T02:30:00"]
    ingest(events(*(f"anna,{moment},3" for moment in moments)), EVENTS, **berlin)
    content = parquet(
        tmp_path / "x.parquet",
        who=["anna"] * 3,
        at=pa.array([datetime.fromisoformat(moment) for moment in moments], pa.timestamp("ms")),
        value=[3.0] * 3,
    )
    report = ingest(content, EVENTS, name="x.parquet", **berlin)
    assert report.already_there == 3
    utc = {datetime.fromtimestamp(event[2] / 1e6, UTC).isoformat() for event in stored_events(database)}
    # Twice that night: the first; not at all that night: as if the clocks had not been moved yet.
    assert utc == {"2024-06-30T22:30:00+00:00", "2023-10-29T00:30:00+00:00", "2024-03-31T01:30:00+00:00"}


def test_dates_aware_timestamps_and_dictionaries_are_read(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    content = parquet(
        tmp_path / "x.parquet",
        who=pa.array(["anna", "anna", None]).dictionary_encode(),
        at=pa.array([date(2024, 1, 5)] * 3, pa.date32()),
        value=[1.0, float("nan"), 2.0],
    )
    report = ingest(content, EVENTS, name="x.parquet")
    assert (report.stored, report.rejected) == (1, 2)
    assert stored_rejections(database)[0][:3] == (2, "value", "nan")
    aware = parquet(
        tmp_path / "y.parquet",
        who=["anna"],
        at=pa.array([datetime(2024, 1, 5, tzinfo=UTC)], pa.timestamp("us", "America/New_York")),
        value=[1.0],
    )
    assert ingest(aware, EVENTS, name="y.parquet").already_there == 1


def test_a_date_that_python_cannot_hold_is_rejected(ingest: Ingest, tmp_path: Path) -> None:
    content = parquet(tmp_path / "x.parquet", who=["anna"], at=pa.array([10**18], pa.timestamp("us")), value=[1.0])
    assert ingest(content, EVENTS, name="x.parquet").rejected_by_code == {"occurred_at": 1}


def test_a_column_of_lists_or_no_rows_is_refused(ingest: Ingest, tmp_path: Path) -> None:
    content = parquet(tmp_path / "x.parquet", who=[["anna"]], at=["2024-01-05"], value=[1.0])
    with pytest.raises(IngestError, match="lists or records in who"):
        ingest(content, EVENTS, name="x.parquet")
    empty = parquet(
        tmp_path / "y.parquet",
        who=pa.array([], pa.string()),
        at=pa.array([], pa.string()),
        value=pa.array([], pa.float64()),
    )
    with pytest.raises(IngestError, match="column names but no rows"):
        ingest(empty, EVENTS, name="y.parquet")
    with pytest.raises(IngestError, match=r"no column “at”, “value”. The columns it has: “who”"):
        ingest(parquet(tmp_path / "z.parquet", who=["anna"]), EVENTS, name="z.parquet")
