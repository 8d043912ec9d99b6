"""A scoring run whose process is killed at random moments, and the workers that go on with it."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.run_aggregates import RunAggregates
from store import runs
from store.engine import Database
from store.events import key_ranges
from store.lists import iterate_segment
from store.runs import GONE_AFTER
from store.scores import SCORE_COLUMNS, require_published_run
from store.settings import Settings
from store.tables import OutboxEvent, Score, ScoringPart, ScoringRun, SegmentListing, SegmentMembership
from tests.service.shop import AS_OF, NOW
from training import score_all as job
from training.run_part import PartScorer
from training.run_sums import RunSums
from training.score_all import score_all
from training.worker import work

__all__ = ["Killed", "kill_scoring"]

# Seconds that a process goes on for behind the range of customers after which it is to be killed.
_LONGEST_MORE = 0.05
_SECONDS_A_RANGE = 0.03
_CUSTOMERS_A_RANGE = 10
_LATER = AS_OF + timedelta(days=45)
_SECONDS_TO_END = 120


@dataclass(frozen=True)
class Killed:
    """What came about, for a report.

    Attributes
    ----------
    kills : int
    while_running : int
        Kills that found the run begun and not completed.
    ranges : int
        Of customers.
    kept : int
        Those that the last of these kills found done: they were not scored again.
    """

    kills: int
    while_running: int
    ranges: int
    kept: int


def kill_scoring(settings: Settings, *, kills: int, seed: int) -> Killed:
    """Kill the process of a queued scoring run again and again, let a worker end it, and compare with a whole run.

    Parameters
    ----------
    settings : Settings
        Of a shop with a published run; its database must be open nowhere.
    kills, seed : int
        How often, and what decides when.

    Raises
    ------
    AssertionError
        A list was ever half, a range of customers that was done was given up, or what is published differs from what a
        run gives that nobody disturbs.
    """
    by, while_running = random.Random(seed), 0
    kept: dict[int, bytes] = {}
    database = Database(settings.database_url)
    score_all(database, settings, now=lambda: NOW, as_of=AS_OF + timedelta(days=20))
    n_ranges = len(key_ranges(database, _CUSTOMERS_A_RANGE))
    with database.write() as session:
        run_id = runs.queue_scoring(session, now=NOW, as_of=_LATER).id
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    for kill in range(kills + 1):
        # Each comes when the one before counts as gone.
        began = NOW + (kill + 1) * 2 * GONE_AFTER
        process = context.Process(target=_work, args=(settings, run_id, began, kill == kills))
        process.start()
        if kill < kills:
            _wait_until_running(database, run_id, process)
            _wait_until_done(database, run_id, process, len(kept) + by.randint(0, n_ranges // (kills + 1)))
            process.join(by.uniform(0.0, _LONGEST_MORE))
        else:
            process.join(_SECONDS_TO_END)
        process.kill()
        process.join()
        _assert_lists_are_whole(database)
        with database.read() as session:
            if session.get_one(ScoringRun, run_id).status == "running":
                while_running += 1
                done = _parts(session, run_id)
                assert kept.items() <= done.items()
                kept = done
    found = _published(database, run_id)
    score_all(database, settings, now=lambda: NOW + timedelta(days=1), as_of=_LATER)
    with database.read() as session:
        whole = require_published_run(session).id
    assert whole != run_id
    assert found == _published(database, whole)
    _assert_recorded_once(database, run_id)
    database.close()
    return Killed(kills, while_running, n_ranges, len(kept))


def _work(settings: Settings, run_id: int, began: datetime, to_the_end: bool) -> None:
    """Be a worker until the run is done; each look at the clock is a moment later."""
    database, stop, looks = Database(settings.database_url), Event(), 0

    def now() -> datetime:
        nonlocal looks
        looks += 1
        with database.read() as session:
            if to_the_end and session.get_one(ScoringRun, run_id).memberships_recorded:
                stop.set()
        return began + timedelta(milliseconds=looks)

    with _small_ranges():
        work(database, settings, stop=stop, now=now)


@contextmanager
def _small_ranges() -> Iterator[None]:
    """Let runs score customers in many ranges, each of which takes a while."""
    whole = PartScorer.score

    def slow_score(scorer: PartScorer, low: int, high: int) -> RunSums:
        time.sleep(_SECONDS_A_RANGE)
        return whole(scorer, low, high)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartScorer, "score", slow_score)
        patch.setattr(job, "key_ranges", lambda of: key_ranges(of, customers_a_chunk=_CUSTOMERS_A_RANGE))
        yield


def _wait_until_running(database: Database, run_id: int, process: BaseProcess) -> None:
    """Wait until a process has taken the run, or the run is done."""
    end = time.monotonic() + _SECONDS_TO_END
    with database.read() as session:
        before = session.get_one(ScoringRun, run_id).started_at
    while process.is_alive() and time.monotonic() < end:
        with database.read() as session:
            run = session.get_one(ScoringRun, run_id)
            if run.status == "completed" or (run.status == "running" and run.started_at != before):
                return
        time.sleep(0.005)


def _wait_until_done(database: Database, run_id: int, process: BaseProcess, n_parts: int) -> None:
    """Wait until so many ranges of customers are done, or the process has ended."""
    end = time.monotonic() + _SECONDS_TO_END
    while process.is_alive() and time.monotonic() < end:
        with database.read() as session:
            if len(_parts(session, run_id)) >= n_parts or session.get_one(ScoringRun, run_id).status == "completed":
                return
        time.sleep(0.002)


def _parts(session: Session, run_id: int) -> dict[int, bytes]:
    """What the attempts at a run have added up, by the first key of the range."""
    parts = select(ScoringPart.lowest_key, ScoringPart.sums).where(ScoringPart.scoring_run_id == run_id)
    return dict(session.execute(parts).all())


def _assert_lists_are_whole(database: Database) -> None:
    with database.read() as session:
        run = require_published_run(session)
    assert run.status == "completed"
    for segment, totals in RunAggregates.of(run).segments.items():
        assert len(list(iterate_segment(database, segment, run_id=run.id))) == totals.customers


def _published(database: Database, run_id: int) -> dict[str, Any]:
    """What a run says, without what tells it from another."""
    with database.read() as session:
        run = session.get_one(ScoringRun, run_id)
        assert run.status == "completed"
        scores = session.scalars(select(Score).where(Score.scoring_run_id == run_id).order_by(Score.customer_key)).all()
        places = select(SegmentListing.segment, SegmentListing.rank_value, SegmentListing.customer_key)
        return {
            "n_customers": run.n_customers,
            "segments": {name: _rounded(sums) for name, sums in (run.aggregates or {})["segments"].items()},
            "scores": [(row.customer_key, *(getattr(row, name) for name in SCORE_COLUMNS)) for row in scores],
            "places": sorted(
                tuple(row) for row in session.execute(places.where(SegmentListing.scoring_run_id == run_id))
            ),
        }


def _rounded(sums: dict[str, Any]) -> dict[str, Any]:
    # The last bit of a sum depends on where the ranges of customers end.
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in sums.items()}


def _assert_recorded_once(database: Database, run_id: int) -> None:
    """Who stays in a segment is who the run has in it, each once, and nobody was told anything twice."""
    with database.read() as session:
        assert session.get_one(ScoringRun, run_id).memberships_recorded
        stays = session.execute(
            select(SegmentMembership.customer_key, SegmentMembership.segment).where(SegmentMembership.left_at.is_(None))
        ).all()
        scored = session.execute(select(Score.customer_key, Score.segments).where(Score.scoring_run_id == run_id))
        members = {(key, segment) for key, segments in scored for segment in segments.split()}
        told = Counter(
            (event.kind, event.customer_key, repr(sorted(event.data.items())))
            for event in session.scalars(select(OutboxEvent))
        )
        # A stay that ended and began by one run would be two rows of the same.
        begun = Counter(
            session.execute(
                select(SegmentMembership.customer_key, SegmentMembership.segment, SegmentMembership.entered_at)
            ).all()
        )
    assert sorted(map(tuple, stays)) == sorted(members)
    assert max(begun.values()) == 1
    assert all(n == 1 for n in told.values())
