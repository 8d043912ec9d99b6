"""Memberships: who entered and left which segment when, however often and however far its recording got."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.engine import Database
from store.memberships import history, open_memberships, record_published
from store.outbox import MODEL_PROMOTED, SEGMENT_ENTERED
from store.scores import require_published_run
from store.tables import ScoringRun
from tests.store.builders import NOW, Scored, add_customers, add_endpoint, publish_run, queue_run, write_scores

# Segment, when entered and by which run, when left and by which run.
Stay = tuple[str, datetime, int, datetime | None, int | None]

DAY = timedelta(days=1)


def publish(database: Database, segments: Mapping[int, str], *, day: int) -> int:
    """Publish a run that puts customers, by key, into segments; return its id."""
    return publish_run(database, {key: Scored(names) for key, names in segments.items()}, as_of=NOW + day * DAY)


def stays(database: Database, customer_key: int) -> list[Stay]:
    with database.read() as session:
        return [
            (stay.segment, stay.entered_at, stay.entered_run_id, stay.left_at, stay.left_run_id)
            for stay in history(session, customer_key)
        ]


def is_recorded(database: Database) -> bool:
    with database.read() as session:
        return require_published_run(session).memberships_recorded


def members(database: Database, keys: Sequence[int]) -> dict[str, list[bool]]:
    with database.read() as session:
        found = open_memberships(session, np.array(keys, dtype=np.int64))
    return {segment: who.tolist() for segment, who in found.items()}


def test_who_enters_leaves_and_enters_again_has_a_stay_each_with_its_dates_and_runs(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    runs = []
    for day, segments in enumerate(("at_risk high_value", "high_value", "at_risk high_value")):
        runs.append(publish(database, {1: segments, 2: "steady"}, day=day))
        record_published(database, now=lambda: NOW)
    assert stays(database, 1) == [
        ("at_risk", NOW + 2 * DAY, runs[2], None, None),
        ("at_risk", NOW, runs[0], NOW + DAY, runs[1]),
        ("high_value", NOW, runs[0], None, None),
    ]
    assert stays(database, 2) == [("steady", NOW, runs[0], None, None)]
    assert members(database, [1, 2]) == {
        "at_risk": [True, False],
        "high_value": [True, False],
        "steady": [False, True],
    }


def test_whom_a_run_does_not_know_leaves_its_segments_by_it(database: Database) -> None:
    add_customers(database, ["ada", "bob", "cy"])
    publish(database, {1: "new", 2: "new", 3: "at_risk high_value"}, day=0)
    record_published(database, now=lambda: NOW)
    second = publish(database, {2: "new"}, day=1)
    record_published(database, now=lambda: NOW)
    assert [[(stay[0], *stay[3:]) for stay in stays(database, key)] for key in (1, 2, 3)] == [
        [("new", NOW + DAY, second)],
        [("new", None, None)],
        [("at_risk", NOW + DAY, second), ("high_value", NOW + DAY, second)],
    ]


def test_recording_twice_changes_nothing(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    publish(database, {1: "at_risk", 2: "new"}, day=0)
    record_published(database, now=lambda: NOW)
    assert is_recorded(database)
    once = [stays(database, key) for key in (1, 2)]
    record_published(database, now=lambda: NOW)
    assert [stays(database, key) for key in (1, 2)] == once


def test_nothing_is_recorded_before_the_first_run_nor_of_a_run_that_is_not_published(database: Database) -> None:
    record_published(database, now=lambda: NOW)
    add_customers(database, ["ada"])
    publish(database, {1: "new"}, day=0)
    write_scores(database, queue_run(database), {1: Scored("at_risk")})
    record_published(database, now=lambda: NOW)
    assert [stay[0] for stay in stays(database, 1)] == ["new"]


class _CutOffError(Exception):
    """What stands for a process that ends in the middle."""


@pytest.mark.parametrize("cuts", [(0,), (1, 1, 1), (2, 2), (4,)])
def test_recording_that_is_cut_off_anywhere_and_called_again_ends_as_if_it_had_not_been(
    database: Database, monkeypatch: pytest.MonkeyPatch, cuts: tuple[int, ...]
) -> None:
    monkeypatch.setattr("store.memberships._CUSTOMERS_A_TRANSACTION", 3)
    keys = range(1, 12)
    add_customers(database, [f"customer {key}" for key in keys])
    first = publish(database, {key: "at_risk" if key % 2 else "steady new" for key in keys}, day=0)
    record_published(database, now=lambda: NOW)
    second = publish(database, {key: "at_risk" if key % 3 else "dormant" for key in keys}, day=1)

    whole_write = database.write
    for cut in cuts:
        writes = count()

        def write(writes: count[int] = writes, cut: int = cut) -> object:
            if next(writes) >= cut:
                raise _CutOffError("cut off")
            return whole_write()

        monkeypatch.setattr(database, "write", write)
        with pytest.raises(_CutOffError, match="cut off"):
            record_published(database, now=lambda: NOW)
        assert not is_recorded(database)
    monkeypatch.setattr(database, "write", whole_write)
    record_published(database, now=lambda: NOW)
    assert is_recorded(database)

    ended = (NOW + DAY, second)
    for key in keys:
        was, now = ({"at_risk"} if key % 2 else {"steady", "new"}), ({"at_risk"} if key % 3 else {"dormant"})
        expected: list[Stay] = [(segment, NOW + DAY, second, None, None) for segment in sorted(now - was)]
        expected += [(segment, NOW, first, *((None, None) if segment in now else ended)) for segment in sorted(was)]
        assert stays(database, key) == expected


@pytest.mark.parametrize("telling_of_models", [0, 50])
def test_a_transaction_records_as_many_customers_as_its_rows_allow_and_at_least_one(
    database: Database, monkeypatch: pytest.MonkeyPatch, telling_of_models: int
) -> None:
    monkeypatch.setattr("store.memberships._CUSTOMERS_A_TRANSACTION", 10)
    monkeypatch.setattr("store.memberships._ROWS_A_TRANSACTION", 7)
    add_customers(database, [f"customer {key}" for key in range(1, 41)])
    add_endpoint(database, [SEGMENT_ENTERED])
    for _ in range(telling_of_models):
        add_endpoint(database, [MODEL_PROMOTED])
    segments = dict.fromkeys(range(1, 41), "new")
    publish(database, segments, day=0)
    record_published(database, now=lambda: NOW)
    publish(database, segments | dict.fromkeys(range(31, 37), "steady"), day=1)

    whole_write, reached = database.write, list[int]()

    @contextmanager
    def write() -> Iterator[Session]:
        with whole_write() as session:
            yield session
            reached.append(session.scalar(select(ScoringRun.recorded_key).where(ScoringRun.id == 2)) or 0)

    monkeypatch.setattr(database, "write", write)
    record_published(database, now=lambda: NOW)
    # Who moves leaves a segment, which nobody asks for, and enters another, which is told: 4 rows.
    # Then ranges grow again.
    assert reached == [10, 20, 30, 31, 32, 33, 34, 35, 37, 40, 40]


def test_another_run_is_published_only_when_the_one_before_has_been_recorded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.memberships._CUSTOMERS_A_TRANSACTION", 1)
    add_customers(database, ["ada", "bob", "cy"])
    first = publish(database, {1: "new", 2: "new", 3: "new"}, day=0)
    whole_write = database.write
    writes = count()

    def write() -> object:
        if next(writes) == 1:  # behind the first customer
            monkeypatch.setattr(database, "write", whole_write)
            publish(database, {1: "new", 2: "at_risk", 3: "new"}, day=1)
        return whole_write()

    monkeypatch.setattr(database, "write", write)
    record_published(database, now=lambda: NOW)
    of_first: list[list[Stay]] = [[("new", NOW, first, None, None)]] * 3
    assert [stays(database, key) for key in (1, 2, 3)] == of_first
    assert not is_recorded(database)
    record_published(database, now=lambda: NOW)
    assert [stays(database, key) for key in (1, 3)] == of_first[:2]
    assert stays(database, 2) == [("at_risk", NOW + DAY, 2, None, None), ("new", NOW, first, NOW + DAY, 2)]


def test_open_memberships_are_those_of_the_customers_asked_for_in_their_order(database: Database) -> None:
    segments = {key: "at_risk high_value" if key % 5 == 0 else "new" for key in [*range(1, 1_401), 5_000]}
    add_customers(database, [f"customer {key}" for key in segments], segments)
    publish(database, dict.fromkeys(segments, "steady"), day=0)
    record_published(database, now=lambda: NOW)
    publish(database, segments, day=1)
    record_published(database, now=lambda: NOW)

    of_nobody: list[int] = []
    few, neighbours, scattered = [1_300, 2, 900], list(range(1_400, 0, -1)), [*range(1, 502), 5_000]
    for keys in (of_nobody, [7], few, neighbours, scattered, [*range(2, 1_401, 2), 9_999]):
        expected = {
            segment: [segment in segments.get(key, "").split() for key in keys]
            for segment in ("at_risk", "high_value", "new")
        }
        assert members(database, keys) == {segment: who for segment, who in expected.items() if any(who)}
