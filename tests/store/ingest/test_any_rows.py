"""Whatever is in a file: ingestion never fails on a cell, and the way rows are spread over files decides nothing."""

from __future__ import annotations

import csv
import io
import itertools
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.engine import Database
from store.ingest import EventMapping, ingest_customers, ingest_events
from store.settings import load_settings
from tests.store.ingest.conftest import RECEIVED_AT
from tests.store.ingest.stored import stored_attributes, stored_events, stored_lines

MAPPING = EventMapping(
    customer_id="who",
    occurred_at="at",
    event_column="event",
    order_id="order",
    product="product",
    quantity="quantity",
    value="value",
    channel="channel",
    properties=("note",),
    categories=("kind",),
    cancelled_order_prefix="C",
)
COLUMNS = ["who", "at", "event", "order", "product", "quantity", "value", "channel", "note", "kind"]

Row = tuple[str, ...]

# Rows with equal identity are equal altogether: other columns follow from those that enter it.
ROWS = st.tuples(
    st.sampled_from(["anna", "ben", ""]),
    st.sampled_from(["2024-01-01", "2024-01-01T00:00:01", "2024-02-01", "2025-01-01"]),
    st.sampled_from(["Order Completed", "Page Viewed", "Order Refunded"]),
    st.sampled_from(["1", "2", "C1", ""]),
    st.sampled_from(["pen", "ink", ""]),
    st.sampled_from(["1", "-2", ""]),
    st.sampled_from(["1.5", "0", "x"]),
).map(lambda row: (*row, f"via {row[4]}" if row[4] else "", f"{row[5]} of {row[4]}", row[4].upper()))

CELLS = st.one_of(
    st.sampled_from(["", "2024-01-05", "1", "-1", "nan", "Order Completed", "C", "C1", "17850.0", "1e308", "\x00"]),
    st.text(max_size=12),
)

_numbers = itertools.count()


@pytest.fixture(scope="module")
def empty_databases(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Make an empty database at each call."""
    folder = tmp_path_factory.mktemp("any_rows")
    made: list[Database] = []

    def make() -> Database:
        path = folder / f"{next(_numbers)}.db"
        shutil.copy(sqlite_template, path)
        made.append(Database(f"sqlite:///{path}"))
        return made[-1]

    yield make
    for database in made:
        database.close()


def write(path: Path, rows: list[Row]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows([tuple(COLUMNS), *rows])
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    return path


def _but_for_event(row: Row) -> Row:
    return (*row[:2], *row[3:])


def ingest(database: Database, path: Path, received_at: datetime = RECEIVED_AT) -> Any:
    return ingest_events(database, load_settings(), path, MAPPING, received_at=received_at)


@given(data=st.data(), rows=st.lists(ROWS, min_size=1, max_size=24))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_spread_over_files_in_any_way_are_stored_the_same(
    data: st.DataObject, rows: list[Row], empty_databases: Any, tmp_path: Path
) -> None:
    whole, spread = empty_databases(), empty_databases()
    one = ingest(whole, write(tmp_path / "whole.csv", rows))
    # Equal rows stay in one file: what makes them two is that one file has both. An order of a negative quantity is a
    # refund, and so may be equal to a row that says so.
    part_of = {row: data.draw(st.integers(0, 3)) for row in sorted(map(_but_for_event, rows))}
    parts = [
        [row for row in rows if part_of[_but_for_event(row)] == part] for part in data.draw(st.permutations(range(4)))
    ]
    reports = []
    for number, part in enumerate(parts):
        if part:
            shuffled = data.draw(st.permutations(part))
            reports.append(ingest(spread, write(tmp_path / f"part{number}.csv", list(shuffled))))
    assert sum(report.stored for report in reports) == one.stored
    assert sum(report.rejected for report in reports) == one.rejected
    assert stored_events(spread) == stored_events(whole)
    assert stored_lines(spread) == stored_lines(whole)
    assert ingest(spread, tmp_path / "whole.csv").stored == 0


@given(rows=st.lists(st.tuples(*[CELLS] * len(COLUMNS)), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cell_makes_ingestion_fail(rows: list[Row], empty_databases: Any, tmp_path: Path) -> None:
    database = empty_databases()
    # One long row more: a file that is NUL bytes to a hundredth is refused as a whole.
    rows = [*rows, ("anna", "2024-01-05", "Order Completed", "", "", "", "1", "", "x" * 5_000, "")]
    path = write(tmp_path / "any.csv", rows)
    first = ingest(database, path)
    assert first.read == first.stored + first.already_there + first.rejected == len(rows)
    again = ingest(database, path)
    assert (again.stored, again.already_there) == (0, first.stored)
    known = ingest_customers(database, load_settings(), path, customer_id_column="who", received_at=RECEIVED_AT)
    before = stored_attributes(database)
    assert known.read == len(rows)
    again = ingest_customers(database, load_settings(), path, customer_id_column="who", received_at=RECEIVED_AT)
    assert again.stored == 0
    assert stored_attributes(database) == before
