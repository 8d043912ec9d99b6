"""Whoever was scored again while a run was at work waits for that run, in short transactions that may be cut off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store import handing_over
from store.engine import Database
from store.handing_over import hand_over
from store.memberships import record_published
from store.publishing import publish
from store.rescore_requests import oldest, waiting
from store.rescoring import Rescored, write_rescored
from store.scores import begin, require_published_run
from store.tables import Customer, RescoreRequest, ScoringRun
from tests.store.builders import NOW, Scored, add_customers, columns_of, publish_run, queue_run, write_scores

SECOND = timedelta(seconds=1)
KEYS = range(1, 10)


def score_again(database: Database, *keys: int, seconds: int = 0) -> None:
    """Score customers again whom something has come of, as of so many seconds after NOW."""
    with database.write() as session:
        session.add_all(RescoreRequest(customer_key=key, requested_at=NOW, times=1) for key in keys)
    with database.read() as session:
        run_id, requests = require_published_run(session).id, waiting(session, keys)
    columns = columns_of(dict.fromkeys(keys, Scored("steady")))
    rescored = Rescored(run_id, NOW + seconds * SECOND, requests, np.array(keys, dtype=np.int64), columns)
    assert write_rescored(database, rescored, now=NOW) == len(keys)


def waiting_keys(database: Database) -> list[int]:
    with database.read() as session:
        return sorted(oldest(session, 100))


def begin_run(database: Database, *, seconds: int = 0) -> int:
    """Begin a run, as of so many seconds after NOW, that has read everybody."""
    run_id = queue_run(database, as_of=NOW + seconds * SECOND)
    write_scores(database, run_id, dict.fromkeys(KEYS, Scored("new")))
    return run_id


def publish_begun(database: Database, run_id: int, *, claimed_at: datetime = NOW) -> None:
    assert publish(database, run_id, n_customers=len(KEYS), aggregates={}, now=lambda: NOW, claimed_at=claimed_at)


@pytest.fixture
def database_of_new(database: Database) -> Database:
    """A published run that has everybody as new, recorded."""
    add_customers(database, [f"customer {key}" for key in KEYS])
    publish_run(database, dict.fromkeys(KEYS, Scored("new")), as_of=NOW - 9 * SECOND)
    record_published(database, now=lambda: NOW)
    return database


@contextmanager
def transactions(database: Database, monkeypatch: pytest.MonkeyPatch, most: int = 1_000) -> Iterator[list[int]]:
    """Gather how many customers more wait after each transaction; it is cut off before the one after so many."""
    added: list[int] = []
    whole_write = database.write

    @contextmanager
    def write() -> Iterator[Session]:
        if len(added) == most:
            raise InterruptedError
        with whole_write() as session:
            before = session.scalar(select(func.count()).select_from(RescoreRequest)) or 0
            yield session
            added.append((session.scalar(select(func.count()).select_from(RescoreRequest)) or 0) - before)

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", write)
        with suppress(InterruptedError):
            yield added


def test_who_was_scored_again_since_a_run_began_waits_once_that_is_recorded(database_of_new: Database) -> None:
    run_id = begin_run(database_of_new)
    for key, seconds in ((1, -1), (2, 0), (3, 1)):
        score_again(database_of_new, key, seconds=seconds)
    publish_begun(database_of_new, run_id)
    record_published(database_of_new, now=lambda: NOW)
    assert waiting_keys(database_of_new) == [2, 3]
    with database_of_new.read() as session:
        assert {request.told_run_id for request in session.scalars(select(RescoreRequest))} == {run_id - 1}


def test_of_a_run_that_was_gone_on_with_all_wait_who_were_scored_again_since_its_first_attempt_began(
    database_of_new: Database,
) -> None:
    run_id = begin_run(database_of_new, seconds=9)
    score_again(database_of_new, 1, seconds=1)
    with database_of_new.write() as session:
        run = session.get_one(ScoringRun, run_id)
        assert run.read_since == run.started_at == NOW
        run.started_at = NOW + 5 * SECOND
    again = NOW + 5 * SECOND
    begin(
        database_of_new,
        run_id,
        claimed_at=again,
        as_of=NOW + 9 * SECOND,
        model_version=1,
        policy_version=1,
        done=[(1, 9)],
    )
    publish_begun(database_of_new, run_id, claimed_at=again)
    record_published(database_of_new, now=lambda: NOW)
    assert waiting_keys(database_of_new) == [1]


def test_publishing_asks_for_nobody_and_each_transaction_after_it_for_a_few(
    database_of_new: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "_CUSTOMERS_A_TRANSACTION", 2)
    run_id = begin_run(database_of_new)
    score_again(database_of_new, *KEYS, seconds=1)
    with transactions(database_of_new, monkeypatch) as added:
        publish_begun(database_of_new, run_id)
        assert added == [0]
        record_published(database_of_new, now=lambda: NOW)
    assert added[1:6] == [2, 2, 2, 2, 1]
    assert set(added[6:]) == {0}


def test_handing_over_that_is_cut_off_anywhere_ends_as_if_it_had_not_been_and_asks_for_nobody_twice(
    database_of_new: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "_CUSTOMERS_A_TRANSACTION", 2)
    run_id = begin_run(database_of_new)
    score_again(database_of_new, *KEYS, seconds=1)
    publish_begun(database_of_new, run_id)
    with transactions(database_of_new, monkeypatch, most=2):
        record_published(database_of_new, now=lambda: NOW)
    assert waiting_keys(database_of_new) == [1, 2, 3, 4]
    # The worker does not wait for the rest.
    with database_of_new.read() as session:
        requests = waiting(session, [1, 4])
    scores = columns_of(dict.fromkeys((1, 4), Scored("steady")))
    again = Rescored(run_id, NOW + 2 * SECOND, requests, np.array([1, 4], dtype=np.int64), scores)
    assert write_rescored(database_of_new, again, now=NOW) == 2
    with transactions(database_of_new, monkeypatch, most=3):
        record_published(database_of_new, now=lambda: NOW)
    record_published(database_of_new, now=lambda: NOW)
    assert waiting_keys(database_of_new) == [2, 3, 5, 6, 7, 8, 9]


def test_a_run_that_ends_after_one_that_began_later_asks_for_nobody(database_of_new: Database) -> None:
    slow = begin_run(database_of_new)
    score_again(database_of_new, 1, 2, seconds=1)
    quick = begin_run(database_of_new, seconds=2)
    with database_of_new.write() as session:
        run = session.get_one(ScoringRun, quick)
        run.started_at = run.read_since = run.as_of
    publish_begun(database_of_new, quick, claimed_at=NOW + 2 * SECOND)
    record_published(database_of_new, now=lambda: NOW)
    assert waiting_keys(database_of_new) == []
    assert not publish(database_of_new, slow, n_customers=9, aggregates={}, now=lambda: NOW, claimed_at=NOW)
    record_published(database_of_new, now=lambda: NOW)
    assert waiting_keys(database_of_new) == []


@pytest.mark.parametrize("end", [{"merged_into": 2}, {"erased_at": NOW}])
def test_of_whom_has_been_merged_or_erased_nothing_is_asked(
    database_of_new: Database, end: Mapping[str, object]
) -> None:
    run_id = begin_run(database_of_new)
    score_again(database_of_new, 1, 2, seconds=1)
    publish_begun(database_of_new, run_id)
    with database_of_new.write() as session:
        for name, value in end.items():
            setattr(session.get_one(Customer, 1), name, value)
    record_published(database_of_new, now=lambda: NOW)
    assert waiting_keys(database_of_new) == [2]


def test_nobody_is_asked_for_once_another_run_is_published(database_of_new: Database) -> None:
    run_id = begin_run(database_of_new)
    score_again(database_of_new, 1, seconds=1)
    publish_begun(database_of_new, run_id)
    with database_of_new.read() as session:
        run = require_published_run(session)
    publish_run(database_of_new, dict.fromkeys(KEYS, Scored("new")), as_of=NOW + 2 * SECOND)
    with database_of_new.write() as session:
        session.execute(delete(RescoreRequest))
    assert not hand_over(database_of_new, run, now=NOW)
    assert waiting_keys(database_of_new) == []
