"""Spans: what is stored does not depend on how many rows of a file are put in order at once."""

from __future__ import annotations

import random
from functools import partial

import pytest

from store.engine import Database
from store.ingest.spans import spans
from tests.store.ingest.conftest import Ingest, at_most, lines
from tests.store.ingest.stored import stored_events, stored_lines, stored_rejections


def _file() -> str:
    draw = random.Random(4)
    rows = []
    for number in range(120):
        who, order = draw.choice(("anna", "ben", "céline")), draw.choice(("", "o1", "o2", "o3", f"p{number}"))
        at = draw.choice(("2024-01-05", "2024-01-06", "no day"))
        rows.append(f"{who},{at},{order},{draw.choice(('pen', 'ink', ''))},{draw.randint(1, 2)},3")
    return lines(*rows)


def test_spans_of_any_size_store_what_one_chunk_does(
    ingest: Ingest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents, told = [], []
    for most_rows, rows_a_chunk in ((1, 32_768), (1, 7), (40, 7), (1_000, 7)):
        monkeypatch.setattr("store.ingest.csv_file.ROWS_A_CHUNK", rows_a_chunk)
        monkeypatch.setattr("store.ingest.events.spans", partial(spans, most_rows=most_rows))
        at_most(monkeypatch, 16)
        share: list[float] = []
        report = ingest(_file(), progress=share.append)
        assert report.read == 120
        assert report.stored > 50
        assert share == sorted(share)
        assert share[-1] == 1
        told.append((report.stored, report.rejected_by_code, report.unmatched_refunds))
        contents.append([stored_events(database), stored_lines(database), stored_rejections(database)])
        _empty(database)
    assert contents[1:] == contents[:1] * 3
    assert told[1:] == told[:1] * 3


def _empty(database: Database) -> None:
    with database.write() as session:
        for table in ("order_line", "replaced_head", "event", "rejected_row"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
