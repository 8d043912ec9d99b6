"""Files of events: rows without ids, columns of joined files, and what happens beside other writers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from store.engine import Database
from store.ingest import EventMapping, Join, ingest_events
from store.ingest.file_writer import FileWriter
from store.settings import load_settings
from tests.conftest import shared_data
from tests.store.ingest.conftest import EVENTS, LINES, Ingest, at_most, lines
from tests.store.ingest.stored import stored_events, stored_lines


def test_rows_without_ids_are_customers_by_the_number_of_their_row(ingest: Ingest, database: Database) -> None:
    mapping = replace(EVENTS, customer_id=":row")
    content = "at,value\n2024-01-05,3\n\nlater,3\n2024-01-05,3\n"
    report = ingest(content, mapping)
    assert (report.stored, report.rejected_by_code) == (2, {"occurred_at": 1})
    assert [event[0] for event in stored_events(database)] == ["1", "3"]
    assert ingest(content.replace("later", "2024-01-06"), mapping).stored == 1
    assert [event[0] for event in stored_events(database)] == ["1", "2", "3"]


def test_lines_get_categories_and_properties_of_a_joined_file(
    ingest: Ingest, database: Database, tmp_path: Path
) -> None:
    products = tmp_path / "products.csv"
    products.write_text("product,range,kind,colour\npen,Office,Pens,red\nink,Office,,blue\n")
    mapping = replace(LINES, categories=("range", "kind"), properties=("colour",))
    report = ingest(
        lines("anna,2024-01-05,o1,pen,1,3", "anna,2024-01-05,o2,ink,1,3", "anna,2024-01-05,o3,cap,1,3"),
        mapping,
        joins=[Join(products, "product")],
    )
    assert report.stored == 3
    (unmatched,) = report.unmatched_keys
    assert (unmatched.file, unmatched.on, unmatched.rows) == ("products.csv", "product", 1)
    assert {line[3]: line[4] for line in stored_lines(database)} == {
        "pen": '{"range": "Office", "kind": "Pens"}',
        "ink": '{"range": "Office"}',
        "cap": None,
    }
    assert {event[7]: event[11] for event in stored_events(database)} == {
        "o1": '{"colour": "red"}',
        "o2": '{"colour": "blue"}',
        "o3": None,
    }


def test_a_joined_cell_that_can_not_be_used_rejects_its_row(ingest: Ingest, tmp_path: Path) -> None:
    campaigns = tmp_path / "campaigns.csv"
    campaigns.write_text("campaign,begin\nx,2024-01-05\ny,soon\n")
    mapping = EventMapping(customer_id="who", occurred_at="begin", event="Campaign Received")
    report = ingest("who,campaign\nanna,x\nben,y\ncara,z\n", mapping, joins=[Join(campaigns, "campaign")])
    assert (report.stored, report.rejected) == (1, 2)
    assert [(row.line, row.column, row.value) for row in report.examples] == [(3, "begin", "soon"), (4, "begin", None)]


def test_what_another_writer_takes_away_meanwhile_leaves_no_key_without_its_row(
    ingest: Ingest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_most(monkeypatch, 2)
    write, calls = FileWriter.write, 0

    def erases_before(self: FileWriter, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            with database.write() as session:
                for table in ("order_line", "replaced_head", "event", "product", "customer"):
                    session.execute(text(f"DELETE FROM {table}"))
        return write(self, *arguments)

    if not database.is_sqlite:
        pytest.skip("PostgreSQL refuses the key of a row that is not there")
    monkeypatch.setattr(FileWriter, "write", erases_before)
    report = ingest(lines(*(f"anna,2024-01-05,o{row},pen,1,3" for row in range(8))))
    assert report.stored == 8
    assert len(stored_lines(database)) == 4
    with database.read() as session:
        assert session.execute(text("PRAGMA foreign_key_check")).all() == []


def test_the_campaigns_of_the_complete_journey_begin_when_their_descriptions_say(
    ingest: Ingest, database: Database
) -> None:
    folder = shared_data("dunnhumby_complete_journey")
    report = ingest_events(
        database,
        load_settings(),
        folder / "campaigns.parquet",
        EventMapping(
            customer_id="household_id",
            occurred_at="start_date",
            event="Campaign Received",
            properties=("campaign_id", "campaign_type"),
        ),
        received_at=datetime(2024, 6, 1, tzinfo=UTC),
        joins=[Join(folder / "campaign_descriptions.parquet", "campaign_id")],
    )
    # Counts from the data set's own README.
    assert (report.read, report.stored) == (6_589, 6_589)
    assert report.unmatched_keys[0].rows == 0
    found = stored_events(database)
    assert len({event[0] for event in found}) == 1_559
    assert len({event[11] for event in found}) == 27
