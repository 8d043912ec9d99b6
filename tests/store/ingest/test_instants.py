"""Instants read as a column are those read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.ingest.instants import InstantReader, Timestamps
from store.ingest.parquet_file import read_parquet
from store.ingest.rejections import CellError

wall_time = datetime.fromisoformat
NEW_YEAR = wall_time("2024-01-01")
ZONES = ("UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
# Nights in which the clocks of one of them are moved, besides any other.
MOMENTS = st.one_of(
    st.datetimes(wall_time("1890-01-01"), wall_time("9999-12-31")),
    st.datetimes(wall_time("2024-03-09"), wall_time("2024-04-08")),
    st.datetimes(wall_time("2024-10-05"), wall_time("2024-11-04")),
)
ENDS = ("", "Z", "+00:00", "-05:30", "+23:59", "+24:00", "+01:60", " +01:00", "z", "+0100")
TEXTS = st.builds(
    lambda moment, between, digits, end: moment.strftime(f"%Y-%m-%d{between}%H:%M:%S") + digits + end,
    MOMENTS,
    st.sampled_from(("T", " ", "  ")),
    st.sampled_from(("", ".5", ",5", ".123456", ".1234567", ".")),
    st.sampled_from(ENDS),
)
NEARLY = st.from_regex(r"[12][09][0-9٣]{2}-[0-3][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z?", fullmatch=True)


def one_by_one(reader: InstantReader, values: Sequence[object]) -> list[int | None]:
    def read(value: object) -> int | None:
        try:
            return reader(value)
        except CellError:
            return None

    return [read(value) for value in values]


def assert_agree(reader: InstantReader, values: Sequence[object]) -> list[bool]:
    microseconds, is_read = reader.at_once(values)
    found: list[int] = microseconds.tolist()
    were_read: list[bool] = is_read.tolist()
    for one, was_read, expected in zip(found, were_read, one_by_one(reader, values), strict=True):
        assert one == (expected if was_read else 0)
    return were_read


@given(st.lists(st.one_of(TEXTS, NEARLY, st.text(max_size=30), st.none(), MOMENTS)), st.sampled_from(ZONES))
def test_a_column_is_read_as_its_values_are(values: list[object], zone: str) -> None:
    assert_agree(InstantReader(ZoneInfo(zone)), values)


@pytest.mark.parametrize("zone", ZONES)
def test_every_hour_of_a_year_is_read_as_it_is_alone(zone: str) -> None:
    texts = [f"{NEW_YEAR + timedelta(hours=hour):%Y-%m-%d %H:%M:%S}" for hour in range(366 * 24)]
    is_read = assert_agree(InstantReader(ZoneInfo(zone)), texts)
    # What is left are days on which the clocks are moved.
    assert sum(is_read) >= len(texts) - 48


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-31T14:05:06Z",
        "2024-03-31 14:05:06",
        "2024-03-31T14:05:06.7",
        "2024-02-29T23:59:59.123456+05:30",
        "1900-01-01T00:00:00-00:00",
    ],
)
def test_usual_forms_are_read_at_once(text: str) -> None:
    assert assert_agree(InstantReader(ZoneInfo("UTC")), [text, "later", text]) == [True, False, True]


@pytest.mark.parametrize(
    "text", ["2023-02-29T00:00:00", "2024-01-01T24:00:00", "2024-00-01T00:00:00", "1899-12-31T00:00:00"]
)
def test_what_is_no_instant_is_left(text: str) -> None:
    assert assert_agree(InstantReader(ZoneInfo("UTC")), [text]) == [False]


def test_with_a_format_of_its_own_no_text_is_read_otherwise() -> None:
    assert assert_agree(InstantReader(ZoneInfo("UTC"), "%Y-%d-%mT%H:%M:%S"), ["2024-03-04T00:00:00"]) == [False]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("of_column", [None, "UTC", "Europe/Paris"])
def test_timestamps_of_parquet_are_those_of_their_datetimes(zone: str, of_column: str | None, tmp_path: Path) -> None:
    moments = [wall_time(f"2024-03-10T{hour:02}:30") for hour in range(24)]
    moments += [wall_time("1850-01-01"), wall_time("2020-02-29")]
    column = pa.array([*moments, None], pa.timestamp("us", of_column))
    pq.write_table(pa.table({"at": column}), tmp_path / "x.parquet")
    values = next(read_parquet(tmp_path / "x.parquet", ["at"])).columns["at"].values
    assert isinstance(values, Timestamps)
    assert [*values] == column.to_pylist()
    is_read = assert_agree(InstantReader(ZoneInfo(zone)), values)
    assert is_read[-3:] == [False, True, False]


def test_timestamps_are_a_sequence() -> None:
    values = Timestamps(np.array([0, 1]), True, lambda place: datetime.fromtimestamp(place, UTC))
    assert values[1:] == [datetime.fromtimestamp(1, UTC), None]
    with pytest.raises(IndexError, match="expected a place from 0 to 2, got 3"):
        values[3]
