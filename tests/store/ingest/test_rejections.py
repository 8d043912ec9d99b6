"""Rows that can't be taken: kept with file, line, column, value and reason, and never in the way of the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from store.engine import Database
from store.exceptions import IngestError
from tests.store.ingest.conftest import EVENTS, LINES, Ingest, events, lines
from tests.store.ingest.stored import stored_events, stored_lines, stored_rejections

# Row, and the column, value and code that are kept of it.
WRONG = [
    (",2024-01-05,o,p,1,1", "who", None, "customer_id"),
    ("  ,2024-01-05,o,p,1,1", "who", None, "customer_id"),
    ("a\0b,2024-01-05,o,p,1,1", "who", "a\\x00b", "text"),
    ("x" * 300 + ",2024-01-05,o,p,1,1", "who", "x" * 199 + "…", "text"),
    ("anna,,o,p,1,1", "at", None, "occurred_at"),
    ("anna,05/01/2024,o,p,1,1", "at", "05/01/2024", "occurred_at"),
    ("anna,2024-02-30,o,p,1,1", "at", "2024-02-30", "occurred_at"),
    ("anna,20240105 1,o,p,1,1", "at", "20240105 1", "occurred_at"),
    ("anna,0001-01-01,o,p,1,1", "at", "0001-01-01", "occurred_at"),
    ("anna,9999-12-31,o,p,1,1", "at", "9999-12-31", "future"),
    ("anna,2024-06-02T12:00:01Z,o,p,1,1", "at", "2024-06-02T12:00:01Z", "future"),
    ("anna,2024-01-05,o,p,two,1", "quantity", "two", "number"),
    ("anna,2024-01-05,o,p,1,nan", "value", "nan", "number"),
    ("anna,2024-01-05,o,p,1,-inf", "value", "-inf", "number"),
    ("anna,2024-01-05,o,p,1,1e999", "value", "1e999", "number"),
    ('anna,2024-01-05,o,p,1,"1,5"', "value", "1,5", "number"),
    ("anna,2024-01-05,o,p,1,1_000", "value", "1_000", "number"),
    ("anna,2024-01-05,o,p,1,٣", "value", "٣", "number"),
]


def test_rows_that_cannot_be_taken_are_kept_and_the_rest_is_stored(ingest: Ingest, database: Database) -> None:
    good = "ben,2024-01-05,o,p,1,1"
    report = ingest(lines(*(line for row, *_ in WRONG for line in (row, good))))
    assert (report.read, report.stored, report.rejected) == (2 * len(WRONG), len(WRONG), len(WRONG))
    kept = sorted(stored_rejections(database))
    assert [row[:4] for row in kept] == [(2 + 2 * i, *expected) for i, (_, *expected) in enumerate(WRONG)]
    assert all(row[4] for row in kept)
    assert [(example.line, example.code) for example in report.examples] == [(row[0], row[3]) for row in kept[:3]]


def test_missing_numbers_are_unknown_and_not_wrong(ingest: Ingest, database: Database) -> None:
    assert ingest(lines("ben,2024-01-05,o,p,,")).stored == 1
    assert stored_lines(database)[0][5:7] == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-05T10:00:00Z",
        "2024-01-05 11:00:00+01:00",
        "20240105T1000",
        "2024-01-05 05:30:00.000000 -04:30",
        "2024-01-05T10:00:00,000Z",
    ],
)
def test_iso_instants_are_read(ingest: Ingest, database: Database, text: str) -> None:
    ingest(f'who,at,value\nanna,"{text}",1\n', EVENTS)
    assert stored_events(database)[0][2] == 1_704_448_800_000_000


def test_another_date_format_may_be_named(ingest: Ingest, database: Database) -> None:
    mapping = replace(EVENTS, date_format="%d.%m.%Y %H:%M")
    report = ingest(events("anna,05.01.2024 10:00,1", "anna,2024-01-05T10:00:00,1"), mapping)
    assert (report.stored, report.rejected_by_code) == (1, {"occurred_at": 1})
    assert stored_events(database)[0][2] == 1_704_448_800_000_000


def test_bytes_that_are_not_in_the_encoding_cost_their_own_row(ingest: Ingest, database: Database) -> None:
    report = ingest(b"who,at,value\nM\xfcller,2024-01-05,1\nanna,2024-01-05,1\n", EVENTS)
    assert (report.stored, report.rejected_by_code) == (1, {"text": 1})
    assert stored_rejections(database)[0][:3] == (2, "who", "M\\udcfcller")


def test_another_currency_is_converted_or_rejected(ingest: Ingest, database: Database) -> None:
    mapping = replace(EVENTS, currency="money")
    content = "who,at,value,money\n" + "".join(
        f"anna,2024-01-05,{value},{money}\n" for value, money in ((10, "USD"), (11, "eur"), (12, "GBP"), (13, ""))
    )
    report = ingest(content, mapping, settings={"currency_rates": {"EUR": 1.5}})
    assert (report.stored, report.rejected_by_code) == (3, {"currency": 1})
    assert sorted(event[9] for event in stored_events(database)) == [10.0, 13.0, 16.5]
    # What was reported is the identity: a new rate stores nothing twice.
    assert ingest(content, mapping, settings={"currency_rates": {"EUR": 1.6}}).already_there == 3


def test_quantity_times_unit_price_is_the_value_where_none_is_given(ingest: Ingest, database: Database) -> None:
    mapping = replace(LINES, unit_price="price")
    content = "who,at,order,product,quantity,value,price\n" + "".join(
        f"anna,2024-01-05,o,p,{numbers}\n" for numbers in ("3,,1.5", "3,4,1.5", "1e9,,1e9", "1e13,,1", "1,-1e13,")
    )
    report = ingest(content, mapping)
    assert report.rejected_by_code == {"number": 3}
    assert sorted(line[6] for line in stored_lines(database)) == [4.0, 4.5]


def test_categories_properties_and_discounts_are_kept(ingest: Ingest, database: Database) -> None:
    mapping = replace(
        LINES, categories=("range", "kind"), properties=("zip", "age", "name"), discounts=("off",), channel="via"
    )
    content = (
        "who,at,order,product,quantity,value,range,kind,zip,age,name,off,via\n"
        "anna,2024-01-05,o,p,1,2,Paper,,00123,42,Änne,0.5,web\n"
    )
    ingest(content, mapping)
    (event,), (line,) = stored_events(database), stored_lines(database)
    assert event[10:] == ("web", '{"age": 42, "name": "Änne", "zip": "00123"}')
    assert (line[4], line[7]) == ('{"range": "Paper"}', 0.5)


def test_several_discounts_are_summed_and_unknown_only_if_all_are(ingest: Ingest, database: Database) -> None:
    mapping = replace(LINES, product="off1", discounts=("off1", "off2", "off3"))
    content = "who,at,order,quantity,value,off1,off2,off3\n" + "".join(
        f"anna,2024-01-05,o,1,9,{discounts}\n" for discounts in ("0.25,0.5,1", "2,,", ",,", "3,0,x", "1e12,1e12,0")
    )
    report = ingest(content, mapping)
    assert report.rejected_by_code == {"number": 2}
    assert {line[3]: line[7] for line in stored_lines(database)} == {"0.25": 1.75, "2": 2.0, None: None}


def test_event_names_may_stand_in_a_column(ingest: Ingest, database: Database) -> None:
    content = "who,at,what\nanna,2024-01-05,Email Opened\nanna,2024-01-05,\nanna,2024-01-05,My Own\n"
    report = ingest(content, replace(EVENTS, value=None, event_column="what"))
    assert (report.stored, report.rejected_by_code) == (2, {"event": 1})
    assert {event[1] for event in stored_events(database)} == {"Email Opened", "My Own"}


def test_a_repaired_mapping_leaves_no_stale_rejections(ingest: Ingest, database: Database) -> None:
    content = events(*(f"anna,{day:02d}.01.2024,1" for day in range(1, 32)))
    assert ingest(content, EVENTS).rejected == 31
    assert ingest(content, replace(EVENTS, date_format="%d.%m.%Y")).stored == 31
    assert not stored_rejections(database)


def test_the_same_file_again_keeps_each_rejection_once(ingest: Ingest, database: Database) -> None:
    content = events("anna,never,1", "anna,2024-01-05,1")
    for name in ("a.csv", "b.csv"):
        ingest(content, EVENTS, name=name)
    assert len(stored_rejections(database)) == 1


def test_nothing_is_stored_of_a_file_with_a_wrong_column_name(ingest: Ingest, database: Database) -> None:
    ingest(events("anna,never,1"), EVENTS)
    with pytest.raises(IngestError, match=r"no column “when”. The columns it has: “who”, “at”, “value”"):
        ingest(events("anna,never,1"), replace(EVENTS, occurred_at="when"))
    assert len(stored_rejections(database)) == 1


def test_progress_ends_at_1(ingest: Ingest) -> None:
    told: list[float] = []
    ingest(events("anna,2024-01-05,1"), EVENTS, progress=told.append, received_at=datetime(2024, 6, 1, tzinfo=UTC))
    assert told[-1] == 1.0
