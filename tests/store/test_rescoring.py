"""Customers scored again: whatever else is at work, lists, stays and what is told agree, and nothing is told twice."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text, update

from store.engine import Database
from store.listings import places_of
from store.lists import list_segment
from store.memberships import history, record_published
from store.outbox import SCORE_CHANGED, SEGMENT_ENTERED, SEGMENT_LEFT
from store.publishing import publish
from store.rescore_requests import oldest, waiting
from store.rescoring import Rescored, write_rescored
from store.scores import SCORE_COLUMNS, require_published_run, stored_score
from store.tables import Customer, OutboxEvent, RescoreRequest, Score, SegmentListing, WebhookDelivery
from tests.store.builders import (
    NOW,
    Scored,
    add_customers,
    add_endpoint,
    columns_of,
    publish_run,
    queue_run,
    write_scores,
)

SECOND = timedelta(seconds=1)
# By so many things that came, where the other endpoint is told of each.
COARSE = 4


def ask(database: Database, *keys: int, at: datetime = NOW) -> None:
    """Let customers wait, as a live request does."""
    with database.write() as session:
        for key in keys:
            request = session.get(RescoreRequest, key)
            if request is None:
                session.add(RescoreRequest(customer_key=key, requested_at=at, times=1))
            else:
                request.times += 1


def score_again(database: Database, scored: Mapping[int, Scored], *, as_of: datetime = NOW + SECOND) -> Rescored:
    """Return what a worker has read and scored, not written yet."""
    with database.read() as session:
        run_id = require_published_run(session).id
        requests = waiting(session, list(scored))
    known = {request.customer_key: scored[request.customer_key] for request in requests}
    return Rescored(run_id, as_of, requests, np.array(list(known), dtype=np.int64), columns_of(known))


def write(database: Database, rescored: Rescored) -> int:
    return write_rescored(database, rescored, now=NOW)


def waiting_keys(database: Database) -> list[int]:
    with database.read() as session:
        return list(oldest(session, 100))


def told(database: Database, key: int, endpoint: int = 1) -> list[tuple[str, Any]]:
    with database.read() as session:
        rows = session.scalars(
            select(OutboxEvent)
            .join(WebhookDelivery, WebhookDelivery.event_id == OutboxEvent.id)
            .where(WebhookDelivery.endpoint_id == endpoint, OutboxEvent.customer_key == key)
            .order_by(WebhookDelivery.id)
        ).all()
    return [(row.kind, row.data if row.kind == SCORE_CHANGED else row.data["segment"]) for row in rows]


def require_agreement(database: Database) -> None:
    """The lists of the published run are those that its scores make."""
    with database.read() as session:
        run_id = require_published_run(session).id
        scores = session.scalars(select(Score).where(Score.scoring_run_id == run_id)).all()
        listed = session.execute(
            select(SegmentListing.segment, SegmentListing.rank_value, SegmentListing.customer_key).where(
                SegmentListing.scoring_run_id == run_id
            )
        ).all()
    keys = np.array([score.customer_key for score in scores], dtype=np.int64)
    places = places_of(keys, {name: [getattr(score, name) for score in scores] for name in SCORE_COLUMNS})
    expected = [
        (name, *row) for name, columns in places.items() for row in zip(*(c.tolist() for c in columns), strict=True)
    ]
    assert sorted(tuple(row) for row in listed) == sorted(expected)


def test_a_customer_scored_again_moves_to_where_its_new_score_belongs(database: Database) -> None:
    add_customers(database, ["ada", "bob", "cy"])
    publish_run(database, {key: Scored("at_risk", float(key), 9.0, 0.5, {"upsell": 0.1 * key}) for key in (1, 2, 3)})
    record_published(database, now=lambda: NOW)
    ask(database, 1, 3)
    moved = score_again(
        database, {1: Scored("at_risk", 2.5, 9.0, 0.6, {"upsell": 0.9}), 3: Scored("steady high_value", None, 5.0)}
    )
    assert write(database, moved) == 2
    require_agreement(database)
    with database.read() as session:
        assert [row.customer_id for row in list_segment(session, "at_risk", limit=9).rows] == ["ada", "bob"]
        assert [row.customer_id for row in list_segment(session, "upsell_propensity", limit=9).rows] == ["ada", "bob"]
        scores = [stored_score(session, key) for key in (1, 2)]
        assert [score and (score.value_at_risk, score.rescored_at) for score in scores] == [
            (2.5, NOW + SECOND),
            (2.0, None),
        ]
        stays = [(stay.segment, stay.entered_at, stay.left_at) for stay in history(session, 3)]
    assert stays == [
        ("high_value", NOW + SECOND, None),
        ("steady", NOW + SECOND, None),
        ("at_risk", NOW, NOW + SECOND),
    ]
    assert waiting_keys(database) == []


def test_a_customer_whom_the_run_does_not_know_gets_a_score(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    publish_run(database, {1: Scored("new")})
    add_endpoint(database)
    ask(database, 2)
    assert write(database, score_again(database, {2: Scored("new", None, 3.0)})) == 1
    require_agreement(database)
    assert told(database, 2) == [(SEGMENT_ENTERED, "new")]


def test_of_whom_more_came_meanwhile_nothing_is_written_and_the_others_are_done(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    publish_run(database, {1: Scored("new"), 2: Scored("new")})
    ask(database, 1, 2)
    first = score_again(database, {1: Scored("steady"), 2: Scored("steady")})
    ask(database, 1)
    assert write(database, first) == 1
    assert waiting_keys(database) == [1]
    with database.read() as session:
        assert [score.segments for score in session.scalars(select(Score).order_by(Score.customer_key))] == [
            "new",
            "steady",
        ]
        assert [request.times for request in waiting(session, [1])] == [2]


def test_two_who_score_the_same_at_once_write_it_once(database: Database) -> None:
    add_customers(database, ["ada"])
    publish_run(database, {1: Scored("new", None, 1.0, 0.1)})
    record_published(database, now=lambda: NOW)
    add_endpoint(database)
    ask(database, 1)
    slow, quick = (score_again(database, {1: Scored("steady", None, 1.0, 0.6)}) for _ in range(2))
    assert (write(database, quick), write(database, slow)) == (1, 0)
    # Asked for anew meanwhile, as often as before: what the slow one has read is old all the same.
    ask(database, 1, at=NOW + SECOND)
    assert write(database, slow) == 0
    assert waiting_keys(database) == [1]
    assert [kind for kind, _ in told(database, 1)] == [SEGMENT_LEFT, SEGMENT_ENTERED, SCORE_CHANGED]


def test_nothing_is_written_once_another_run_is_published(database: Database) -> None:
    add_customers(database, ["ada"])
    publish_run(database, {1: Scored("new")})
    ask(database, 1)
    late = score_again(database, {1: Scored("steady")})
    publish_run(database, {1: Scored("dormant")}, as_of=NOW + SECOND)
    assert write(database, late) == 0
    assert waiting_keys(database) == [1]
    with database.read() as session:
        assert {score.segments for score in session.scalars(select(Score))} == {"new", "dormant"}


@pytest.mark.parametrize("end", [{"merged_into": 2}, {"erased_at": NOW}])
@pytest.mark.parametrize("when", ["before it was read", "since"])
def test_of_a_customer_merged_or_erased_only_the_request_goes(
    database: Database, end: dict[str, Any], when: str
) -> None:
    add_customers(database, ["ada", "bob"])
    publish_run(database, {1: Scored("new")})
    add_endpoint(database)
    ask(database, 1)
    scored = score_again(database, {1: Scored("steady")})
    with database.write() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(**end))
    if when != "since":
        scored = Rescored(scored.run_id, scored.as_of, scored.requests, scored.customer_keys[:0], columns_of({}))
    assert write(database, scored) == 1
    assert (waiting_keys(database), told(database, 1)) == ([], [])
    with database.read() as session:
        assert [score.segments for score in session.scalars(select(Score))] == ["new"]


class _CutOffError(Exception):
    """What stands for a process that ends in the middle."""


class _Shop:
    """Customers whose score is the number of things that came of them, while runs and two workers are at work.

    Each operation is one step of somebody; between any two anybody else may go on.
    """

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        self.database, self.random = database, random.Random(seed)
        self._monkeypatch = monkeypatch
        self.now = NOW
        self.came = dict.fromkeys(range(1, 8), 1)
        self.runs: dict[str, tuple[int, dict[int, Scored], datetime]] = {}
        self.read: dict[int, Rescored] = {}
        add_customers(database, [f"customer {key}" for key in self.came])
        publish_run(database, self.scores(self.came))
        record_published(database, now=lambda: NOW)
        add_endpoint(database, thresholds={"churn_probability": 0.0005})
        self.coarse = add_endpoint(database, [SCORE_CHANGED], thresholds={"churn_probability": COARSE / 1_000})

    def scores(self, keys: Sequence[int] | dict[int, int]) -> dict[int, Scored]:
        segments = ("steady", "at_risk high_value", "high_value", "dormant")
        return {
            key: Scored(segments[self.came[key] % 4], float(self.came[key]), 1.0, self.came[key] / 1_000)
            for key in keys
        }

    def event(self) -> None:
        key = self.random.choice(list(self.came))
        self.came[key] += self.random.choice([1, 1, 2])
        ask(self.database, key, at=self.now)

    def run_step(self, doer: str) -> None:
        """Begin a run, have it read and write, or publish it, whatever is left to be recorded of the one before."""
        if doer not in self.runs:
            self.runs[doer] = queue_run(self.database, as_of=self.now), {}, self.now
            with self.database.write() as session:
                statement = text("UPDATE scoring_run SET started_at = as_of, read_since = as_of WHERE id = :run")
                session.execute(statement, {"run": self.runs[doer][0]})
            return
        run_id, scored, began = self.runs[doer]
        if some := [key for key in self.came if key not in scored][:3]:
            scored.update(self.scores(some))
        else:
            write_scores(self.database, run_id, scored, claimed_at=began)
            publish(
                self.database, run_id, n_customers=len(scored), aggregates={}, now=lambda: self.now, claimed_at=began
            )
            del self.runs[doer]

    def worker_step(self, worker: int) -> None:
        if worker not in self.read:
            self.read[worker] = score_again(
                self.database, self.scores(self.random.sample(list(self.came), 4)), as_of=self.now
            )
        else:
            write(self.database, self.read.pop(worker))

    def record(self, transactions: int) -> None:
        """Record so many transactions of the published run, then be cut off."""
        left, whole_write = [transactions], self.database.write

        def write_some() -> object:
            left[0] -= 1
            if left[0] < 0:
                raise _CutOffError
            return whole_write()

        with self._monkeypatch.context() as patched:
            patched.setattr(self.database, "write", write_some)
            with suppress(_CutOffError):
                record_published(self.database, now=lambda: self.now)

    def step(self) -> None:
        self.now += SECOND
        doer = self.random.choice(["event", "event", "run 1", "run 2", "worker 1", "worker 1", "worker 2", "record"])
        if doer == "event":
            self.event()
        elif doer.startswith("run"):
            self.run_step(doer)
        elif doer == "record":
            self.record(self.random.randrange(4))
        else:
            self.worker_step(int(doer[-1]))

    def come_to_rest(self) -> None:
        self.now += SECOND
        record_published(self.database, now=lambda: self.now)
        self.read.clear()
        while waiting_keys(self.database):
            write(self.database, score_again(self.database, self.scores(self.came), as_of=self.now))


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_whoever_is_at_work_in_whatever_order_each_change_is_told_once_and_ends_where_customers_are(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("store.memberships._CUSTOMERS_A_TRANSACTION", 4)
    monkeypatch.setattr("store.memberships._ROWS_A_TRANSACTION", 7)
    shop = _Shop(database, monkeypatch, seed)
    for _ in range(120):
        shop.step()
    shop.come_to_rest()
    require_agreement(database)
    with database.read() as session:
        scores = {key: stored_score(session, key) for key in shop.came}
        stays = {key: history(session, key) for key in shop.came}
    for key, score in scores.items():
        assert score is not None
        assert score.value_at_risk == shop.came[key]
        staying = [stay.segment for stay in stays[key] if stay.left_at is None]
        assert sorted(staying) == sorted(score.segments.split())
        assert all(stay.left_at is None or stay.entered_at <= stay.left_at for stay in stays[key])
        moves = told(database, key)
        for segment in ("steady", "at_risk", "high_value", "dormant"):
            # In at first: `at_risk high_value`.
            kinds = [kind for kind, of in moves if of == segment]
            first = SEGMENT_LEFT if segment in ("at_risk", "high_value") else SEGMENT_ENTERED
            assert kinds[:1] in ([], [first])
            assert all(kind != following for kind, following in pairwise(kinds))
        changes = [data for kind, data in moves if kind == SCORE_CHANGED]
        before, after = ([data[side]["value_at_risk"] for data in changes] for side in ("before", "after"))
        assert before == [1.0, *after][: len(before)]
        assert [1.0, *after][-1] == shop.came[key]
        assert all(was < now for was, now in zip(before, after, strict=True))
        # What is told of every change says what is to be told of the larger ones.
        last, expected = 1.0, []
        for value in after:
            if value - last >= COARSE:
                expected.append((last, value))
                last = value
        assert [
            (data["before"]["value_at_risk"], data["after"]["value_at_risk"])
            for _, data in told(database, key, shop.coarse)
        ] == expected
    events_told: dict[str, int] = defaultdict(int)
    with database.read() as session:
        for kind in session.scalars(select(OutboxEvent.kind)):
            events_told[kind] += 1
    assert min(events_told.values()) > 5
