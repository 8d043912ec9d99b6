"""Files of customers: kinds, versions, missing cells, duplicates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from store.engine import Database
from store.exceptions import IngestError
from store.ingest import IngestReport, Join, ingest_customers
from store.settings import load_settings
from tests.store.ingest.conftest import RECEIVED_AT
from tests.store.ingest.stored import stored_attributes, stored_rejections

Learn = Callable[..., IngestReport]


@pytest.fixture
def learn(database: Database, tmp_path: Path) -> Learn:
    def run(content: str, **options: Any) -> IngestReport:
        path = tmp_path / "customers.csv"
        path.write_text(content)
        options = {"customer_id_column": "id", "received_at": RECEIVED_AT, **options}
        return ingest_customers(database, load_settings(), path, **options)

    return run


def test_a_column_is_a_number_a_date_or_a_category(learn: Learn, database: Database) -> None:
    report = learn(
        "id,age,joined,plan,mixed,empty\nanna,41,2020-05-01,gold,7,\nben, 3.5e1 ,2021-06-02T10:00:00, silver ,seven, \n"
    )
    assert (report.read, report.stored) == (2, 2)
    assert stored_attributes(database) == [
        ("anna", "age", 0, "number", 41.0, None),
        ("anna", "joined", 0, "date", None, "2020-05-01"),
        ("anna", "mixed", 0, "category", None, "7"),
        ("anna", "plan", 0, "category", None, "gold"),
        ("ben", "age", 0, "number", 35.0, None),
        ("ben", "joined", 0, "date", None, "2021-06-02"),
        ("ben", "mixed", 0, "category", None, "seven"),
        ("ben", "plan", 0, "category", None, "silver"),
    ]


def test_the_same_file_twice_changes_nothing(learn: Learn, database: Database) -> None:
    content = "id,age\nanna,41\nben,\n"
    learn(content)
    report = learn(content)
    assert (report.stored, report.already_there) == (0, 2)
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM customer")) == 2


def test_a_changed_value_replaces_and_an_empty_one_takes_nothing_away(learn: Learn, database: Database) -> None:
    learn("id,age,plan\nanna,41,gold\nben,30,\n")
    report = learn("id,age,plan\nanna,42,\nben,30,\n")
    assert (report.stored, report.already_there) == (1, 1)
    assert [row[1:] for row in stored_attributes(database)] == [
        ("age", 0, "number", 42.0, None),
        ("plan", 0, "category", None, "gold"),
        ("age", 0, "number", 30.0, None),
    ]


def test_what_was_learnt_at_different_times_is_kept_side_by_side(learn: Learn, database: Database) -> None:
    content = "id,at,plan\nanna,2024-01-01,gold\nanna,2024-02-01,silver\nanna,,tin\nanna,2025-01-01,tin\n"
    report = learn(content, learnt_at_column="at")
    assert (report.stored, report.rejected_by_code) == (2, {"future": 1, "learnt_at": 1})
    assert [(row[2], row[5]) for row in stored_attributes(database)] == [
        (1_704_067_200_000_000, "gold"),
        (1_706_745_600_000_000, "silver"),
    ]


def test_of_rows_with_one_id_the_last_counts(learn: Learn, database: Database) -> None:
    report = learn("id,age\nanna,1\n,5\nanna,2\nanna,3\n")
    assert (report.read, report.stored, report.rejected_by_code) == (4, 1, {"customer_id": 1, "duplicate": 2})
    assert stored_attributes(database) == [("anna", "age", 0, "number", 3.0, None)]
    assert [row[0] for row in stored_rejections(database)] == [2, 3, 4]
    assert learn("id,age\nanna,1\n,5\nanna,2\nanna,3\n").already_there == 1


def test_typed_columns_of_parquet_keep_their_kind(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "customers.parquet"
    table = {
        "id": [1, 2],
        "loyal": [True, False],
        "joined": pa.array([datetime(2020, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")),
        "age": [1.5, None],
    }
    pq.write_table(pa.table(table), path)
    ingest_customers(database, load_settings(), path, customer_id_column="id", received_at=RECEIVED_AT)
    assert [row[1:] for row in stored_attributes(database) if row[0] == "1"] == [
        ("age", 0, "number", 1.5, None),
        ("joined", 0, "date", None, "2020-01-01"),
        ("loyal", 0, "category", None, "true"),
    ]


def test_a_wrong_column_name_stops_at_once(learn: Learn, database: Database) -> None:
    with pytest.raises(IngestError, match=r"no column “who”. The columns it has: “id”, “age”"):
        learn("id,age\nanna,1\n", customer_id_column="who")
    assert not stored_attributes(database)


def test_columns_left_out_are_no_attributes(learn: Learn, database: Database) -> None:
    content = "id,name,age,left\nanna,Anna B.,41,Yes\n"
    learn(content, leave_out=["name", "left"])
    assert [row[1] for row in stored_attributes(database)] == ["age"]
    with pytest.raises(IngestError, match=r"no column “Left”. The columns it has: “id”, “name”, “age”, “left”"):
        learn(content, leave_out=["Left"])
    with pytest.raises(IngestError, match="“id” is needed; it is no attribute anyway"):
        learn(content, leave_out=["id"])


def test_customers_without_ids_are_known_by_the_number_of_their_row(learn: Learn, database: Database) -> None:
    content = "age\n41\n\nbroken,\n43\n"
    report = learn(content, customer_id_column=":row")
    assert (report.stored, report.rejected_by_code) == (2, {"fields": 1})
    assert [(row[0], row[1], row[4]) for row in stored_attributes(database)] == [("1", "age", 41.0), ("3", "age", 43.0)]
    assert learn(content, customer_id_column=":row").already_there == 2
    with pytest.raises(IngestError, match="can stand for the customer id only"):
        learn(content, learnt_at_column=":row", customer_id_column="age")


def test_customers_get_the_columns_of_a_joined_file(learn: Learn, database: Database, tmp_path: Path) -> None:
    places = tmp_path / "places.csv"
    places.write_text("zip,town,people\n00123,Rome,2.8e6\n00999,Bari,316140\n")
    report = learn("id,zip\nanna,00123\nben,00124\n", joins=[Join(places, "zip")])
    assert [(row[0], row[1], row[4], row[5]) for row in stored_attributes(database)] == [
        ("anna", "people", 2.8e6, None),
        ("anna", "town", None, "Rome"),
        ("anna", "zip", 123.0, None),
        ("ben", "zip", 124.0, None),
    ]
    assert [unmatched.rows for unmatched in report.unmatched_keys] == [1]
