"""Files of labels: what counts as positive, which rows are no labels, and what is too little to learn from."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.exceptions import IngestError
from store.ingest import FileFormat, Labels, read_labels
from store.settings import load_settings
from tests.conftest import shared_data

Read = Callable[..., Labels]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read some text (or a table) as a file of labels."""

    def run(content: str | bytes | dict[str, Any], name: str = "labels.csv", **options: Any) -> Labels:
        path = tmp_path / name
        if isinstance(content, dict):
            pq.write_table(pa.table(content), path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        options = {
            "customer_id_column": "id",
            "label_column": "left",
            "positive": "Yes",
            "settings": load_settings(),
            **options,
        }
        return read_labels(path, **options)

    return run


def as_rows(labels: Labels) -> list[tuple[object, ...]]:
    days = [None] * len(labels.customer_ids) if labels.day is None else labels.day.tolist()
    return list(zip(labels.customer_ids, labels.positive.tolist(), days, strict=True))


def test_every_row_is_a_label_of_its_customer_in_order_of_ids(read: Read) -> None:
    labels = read("id,left\nben, Yes \nanna,No\n17.0,No\n")
    assert as_rows(labels) == [("17", False, None), ("anna", False, None), ("ben", True, None)]
    assert (labels.n_read, labels.rejections) == (3, ())


def test_rows_without_id_label_or_date_are_rejected_with_line_and_reason(read: Read) -> None:
    labels = read(
        "id,left,at\nanna,Yes,2024-01-05\n,No,2024-01-05\nben,,2024-01-05\ncara,No,soon\ndora\nerik,No,2024-01-05\n",
        date_column="at",
    )
    assert [(row.line, row.column, row.code) for row in labels.rejections] == [
        (3, "id", "customer_id"),
        (4, "left", "label"),
        (5, "at", "occurred_at"),
        (6, "", "fields"),
    ]
    assert labels.n_read == 6
    assert labels.customer_ids == ("anna", "erik")


def test_the_same_label_twice_is_one_and_different_ones_are_all_rejected(read: Read) -> None:
    labels = read("id,left\nanna,Yes\nben,No\nanna,Yes\ncara,Yes\nben,Maybe\ncara,No\ncara,Yes\n")
    # “No” and “Maybe” say the same: not positive.
    assert as_rows(labels) == [("anna", True, None), ("ben", False, None)]
    assert [(row.line, row.value, row.code) for row in labels.rejections] == [
        (5, "Yes", "conflict"),
        (7, "No", "conflict"),
        (8, "Yes", "conflict"),
    ]
    assert labels.rejections[0].reason == "is not what other rows say of customer cara; none of them counts"


def test_labels_that_meet_in_one_customer_are_one_if_they_say_the_same(read: Read) -> None:
    rows = ("anna,Yes,5", "v1,Yes,5", "anna,No,6", "v1,Yes,6", "v2,Yes,7", "ben,No,5")
    content = "\n".join(("id,left,at", *(f"{row[:-1]}2024-01-0{row[-1]}" for row in rows))) + "\n"
    day = (date(2024, 1, 5) - date(1970, 1, 1)).days
    labels = read(content, date_column="at")
    own = labels.under_own_ids({"v1": "anna", "v2": "anna", "v3": "ben"})
    assert as_rows(own) == [("anna", True, day), ("anna", True, day + 2), ("ben", False, day)]
    assert (own.n_differing, own.n_read) == (2, 6)
    assert labels.under_own_ids({"v3": "ben"}) is labels
    dateless = read("id,left\nanna,No\nv1,No\nben,Yes\n").under_own_ids({"v1": "anna"})
    assert as_rows(dateless) == [("anna", False, None), ("ben", True, None)]


def test_labels_of_one_customer_on_different_days_are_different_labels(read: Read) -> None:
    labels = read(
        "id,left,at\nanna,No,2024-01-05\nanna,Yes,20240301T2300\nanna,No,2024-01-05T13:00:00\n", date_column="at"
    )
    days = [(day - date(1970, 1, 1)).days for day in (date(2024, 1, 5), date(2024, 3, 1))]
    assert as_rows(labels) == [("anna", False, days[0]), ("anna", True, days[1])]


def test_days_are_those_of_the_business(read: Read) -> None:
    content = "id,left,at\nanna,Yes,2024-01-05T23:30:00Z\nben,No,2024-01-05T23:30:00\n"
    labels = read(content, date_column="at", settings=load_settings(timezone="Europe/Berlin"))
    assert labels.day is not None
    assert labels.day.dtype == "int32"
    assert [date.fromordinal(719_163 + day).isoformat() for day in labels.day.tolist()] == ["2024-01-06", "2024-01-05"]


@pytest.mark.parametrize("positive", ["1", "1.0", " 1 "])
@pytest.mark.parametrize("column", [["1", "0"], ["1.00", "0.0"], [1, 0], [1.0, 0.0]])
def test_a_positive_label_compares_as_a_person_writes_it(read: Read, positive: str, column: list[Any]) -> None:
    labels = read({"id": ["anna", "ben"], "left": column}, "labels.parquet", positive=positive)
    assert as_rows(labels) == [("anna", True, None), ("ben", False, None)]


def test_typed_columns_and_compressed_files_are_read(read: Read) -> None:
    table = {
        "id": [1, 2],
        "left": [True, False],
        "at": pa.array([datetime(2024, 1, 5), datetime(2024, 1, 6)], pa.timestamp("ns")),  # noqa: DTZ001
    }
    typed = read(table, "labels.parquet", positive="true", date_column="at")
    packed = gzip.compress(b"id;left;at\n1;true;2024-01-05\n2;false;2024-01-06\n")
    options = {"positive": "true", "date_column": "at", "file_format": FileFormat(delimiter=";")}
    assert as_rows(typed) == as_rows(read(packed, "labels.csv.gz", **options))
    assert [row[:2] for row in as_rows(typed)] == [("1", True), ("2", False)]


def test_rows_without_ids_are_known_by_their_number(read: Read) -> None:
    labels = read("left\nYes\n\nNo\nNo\n", customer_id_column=":row")
    assert as_rows(labels) == [("1", True, None), ("2", False, None), ("3", False, None)]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            "id,left\na,yes\nb,no\nc,no\n",
            {},
            "No label in the column “left” of labels.csv is “Yes”. The labels there: “no” .2., “yes” .1.. Say which",
        ),
        ("id,left\n" + "".join(f"{i},{i}\n" for i in range(13)), {}, r"“9” \(1\) and 3 more. Say which"),
        ("id,left\na,Yes\nb,Yes\n", {}, "Every label in the column “left” of labels.csv is “Yes”. Expected others too"),
        ("id,left\na,Yes\na,No\nb,No\n", {}, "not both “Yes” and another label are left"),
        ("id,left\n,Yes\n,No\n", {}, "No row of labels.csv is a label: all 2 were rejected. The first, in line 2: id"),
        ("id,left\na,Yes\nb", {}, "labels.csv: it ends in the middle: .* Labels are taken of whole files only"),
        ("id,gone\na,Yes\n", {}, "labels.csv has no column “left”"),
        ("id,left\na,Yes\n", {"positive": " "}, "The positive label is empty"),
        ("id,left\na,Yes\n", {"label_column": ":row"}, "Expected different columns"),
        ("id,left\na,Yes\n", {"label_column": "id"}, "Expected different columns"),
        ("id,left\na,Yes\n", {"date_column": "left"}, "Expected different columns"),
    ],
)
def test_a_file_that_nothing_can_be_learnt_from_is_refused(
    read: Read, content: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(IngestError, match=message):
        read(content, **options)


def test_the_labels_of_the_telco_sample_are_1869_of_7043() -> None:
    labels = read_labels(
        shared_data("ibm_telco_churn") / "telco_churn.csv.gz",
        customer_id_column="customerID",
        label_column="Churn",
        positive="Yes",
        settings=load_settings(),
    )
    assert (len(labels.customer_ids), int(labels.positive.sum()), labels.rejections) == (7_043, 1_869, ())


def test_the_visits_of_the_hillstrom_experiment_are_counted_by_row() -> None:
    labels = read_labels(
        shared_data("hillstrom_email") / "hillstrom.csv.gz",
        customer_id_column=":row",
        label_column="visit",
        positive="1",
        settings=load_settings(),
    )
    # 18.28 %, 15.14 % and 10.62 % of 21,307, 21,387 and 21,306 customers.
    assert (len(labels.customer_ids), int(labels.positive.sum())) == (64_000, 9_394)
