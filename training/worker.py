"""The worker: executes queued training and scoring runs, one at a time, until it is told to stop.

In threads of their own it scores customers again of whom something new has come, and delivers webhooks. Between runs it
counts the effect of campaigns, looks whether scores of runs whose horizon has passed came true, goes on with erasures
that were cut off, and once a day deletes what is older than may be kept.

Texts of errors may hold customers' ids, so that only their type and place are logged; the text of what a run fails with
stands in its row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import structlog

from store import runs
from store.campaigns import due_campaigns, put_off
from store.engine import Database
from store.erasure import resume_erasures
from store.exceptions import RunLostError
from store.memberships import record_published
from store.retention import prune
from store.settings import Settings
from store.tables import ScoringRun, TrainingRun
from training.delivery import deliver
from training.execution import EXPECTED_ERRORS, PASSING_ERRORS, executing
from training.loops import MAY_PASS, Loop, places, running
from training.measure import measure_campaign
from training.rescoring import Rescorer
from training.score_all import run_scoring
from training.stored_quality import compare_due
from training.train import run_training

__all__ = ["measure_due", "run_next", "work"]

_BETWEEN_PRUNINGS = timedelta(days=1)
# Whoever asks for an erasure begins it; a worker is there for what was cut off.
_BETWEEN_ERASURES, _WHILE_ERASURES_WAIT = timedelta(hours=1), timedelta(minutes=1)
_BETWEEN_COMPARISONS = timedelta(days=1)
_AFTER_A_FAILURE = timedelta(minutes=1)
# What is not expected is mended by somebody, if at all.
_AFTER_A_BREAK = timedelta(minutes=1)
# From then on a scoring that something stood in the way of is failed, so that somebody looks.
_LONGEST_INTERRUPTION = timedelta(days=1)
_AFTER_NOT_MEASURED = timedelta(hours=1)
# Between looks for customers to be scored again: a list is so much behind, and the time that it takes.
_SECONDS_BETWEEN_RESCORES = 0.25

_log = structlog.get_logger()


def work(database: Database, settings: Settings, *, stop: Event, now: Callable[[], datetime]) -> None:
    """Execute queued runs until `stop` is set; runs whose process is gone are queued again."""

    def deliver_until_stopped() -> bool:
        deliver(database, settings, stop=stop, now=now)
        return False

    beside = [
        Loop("rescoring", Rescorer(database, settings, now=now).step, _SECONDS_BETWEEN_RESCORES),
        Loop("delivery", deliver_until_stopped, settings.worker_poll_seconds),
    ]
    with running(beside, stop=stop):
        _execute_runs(database, settings, stop=stop, now=now)


def _execute_runs(database: Database, settings: Settings, *, stop: Event, now: Callable[[], datetime]) -> None:
    """Execute queued runs, and between them what is due."""

    def execute_all() -> timedelta:
        while not stop.is_set() and run_next(database, settings, now=now):
            # What is being erased may have waited for this run, which began before.
            erasures.due = now()
        return timedelta()

    def record() -> timedelta:
        record_published(database, now=now)
        return timedelta()

    def prune_what_was_compared() -> timedelta:
        # Until no other run waits to be compared: its scores might go, or what came about.
        return timedelta() if comparison.due <= now() else _prune(database, settings, now=now())

    begun = now()
    comparison = _Duty("comparison", lambda: _compare(database, settings, now=now()), begun)
    erasures = _Duty("erasures", lambda: _go_on_with_erasures(database), begun)
    duties = [
        erasures,
        comparison,
        _Duty("pruning", prune_what_was_compared, begun),
        _Duty("gone runs", lambda: _requeue_gone(database, now=now), begun),
        # Of a run whose process ended just after it was published; mostly it is one look.
        _Duty("recording", record, begun),
        _Duty("runs", execute_all, begun),
        _Duty("campaigns", lambda: measure_due(database, settings, now=now), begun),
    ]
    while not stop.is_set():
        for duty in duties:
            if not stop.is_set():
                duty.attempt(now)
        stop.wait(settings.worker_poll_seconds)


@dataclass(slots=True)
class _Duty:
    """Something to be done again and again; whatever happens in it, the others go on.

    Attributes
    ----------
    name : str
        In the log.
    step : callable
        Does what is to be done, and returns after how long to look again.
    due : datetime
    """

    name: str
    step: Callable[[], timedelta]
    due: datetime

    def attempt(self, now: Callable[[], datetime]) -> None:
        """Do it if it is due."""
        if now() < self.due:
            return
        try:
            self.due = now() + self.step()
        except MAY_PASS as error:
            # A database that is away, or locked for long, may be back at the next look.
            _log.warning("database_unavailable", duty=self.name, error=type(error).__name__, at=places(error))
        except Exception as error:  # noqa: BLE001  # a worker outlives whatever one duty does, and the log keeps it
            _log.error("duty_broke", duty=self.name, error=type(error).__name__, at=places(error))
            self.due = now() + _AFTER_A_BREAK


def run_next(database: Database, settings: Settings, *, now: Callable[[], datetime]) -> bool:
    """Execute the oldest queued run, trainings first; return whether there was one.

    Whatever a run does, it ends as completed or failed, and the worker lives on.
    """
    jobs: tuple[tuple[type[Any], Callable[..., object]], ...] = (
        (TrainingRun, run_training),
        (ScoringRun, run_scoring),
    )
    for kind, execute in jobs:
        with database.write() as session:
            run = runs.claim(session, kind, now=now())
        if run is not None:
            _execute(database, settings, kind, run, execute, now=now)
            return True
    return False


def measure_due(database: Database, settings: Settings, *, now: Callable[[], datetime]) -> timedelta:
    """Count the effect of the campaigns that are due; one that can't be counted is due again in an hour.

    Returns
    -------
    timedelta
        After how long to look again.
    """
    with database.read() as session:
        due = due_campaigns(session, now=now())
    for campaign_id in due:
        try:
            measured = measure_campaign(database, settings, campaign_id, now=now())
        except EXPECTED_ERRORS as error:
            _log.warning("campaign_not_measured", campaign=campaign_id, error=type(error).__name__)
            with database.write() as session:
                put_off(session, campaign_id, until=now() + _AFTER_NOT_MEASURED)
        else:
            _log.info("campaign_measured", campaign=campaign_id, open=measured.effect.open)
    return timedelta()


def _go_on_with_erasures(database: Database) -> timedelta:
    """Do what can be done of erasures, and return after how long to look again."""
    try:
        left = resume_erasures(database)
    except MAY_PASS as error:
        _log.warning("erasures_interrupted", error=type(error).__name__, at=places(error))
        return _AFTER_A_FAILURE
    if left:
        _log.info("erasures_wait", customers=left)
    return _WHILE_ERASURES_WAIT if left else _BETWEEN_ERASURES


def _compare(database: Database, settings: Settings, *, now: datetime) -> timedelta:
    """Compare one run whose horizon has passed with what came about; return after how long to look for another."""
    try:
        compared = compare_due(database, settings, now=now, most=1)
    except EXPECTED_ERRORS as error:
        _log.warning("comparison_failed", error=type(error).__name__, at=places(error))
        return _BETWEEN_COMPARISONS
    for run_id in compared:
        _log.info("run_compared", run=run_id)
    # Others may wait; between them is time for what was queued.
    return timedelta() if compared else _BETWEEN_COMPARISONS


def _prune(database: Database, settings: Settings, *, now: datetime) -> timedelta:
    """Delete what is older than may be kept, and return after how long to look again."""
    before, runs_before = (
        None if days is None else now - timedelta(days=days)
        for days in (settings.retention_days, settings.run_retention_days)
    )
    if before is not None or runs_before is not None:
        try:
            pruned = prune(database, before=before, runs_before=runs_before)
        except MAY_PASS as error:
            _log.warning("pruning_interrupted", error=type(error).__name__, at=places(error))
            return _AFTER_A_FAILURE
        _log.info("pruned", rows=pruned.total)
    return _BETWEEN_PRUNINGS


def _is_left(run: TrainingRun | ScoringRun, error: BaseException, *, now: datetime) -> bool:
    """Whether a run waits for what may pass: a scoring goes on where it was as soon as it counts as gone."""
    may_pass = isinstance(error, PASSING_ERRORS) and isinstance(run, ScoringRun)
    return may_pass and now - run.requested_at < _LONGEST_INTERRUPTION


def _requeue_gone(database: Database, *, now: Callable[[], datetime]) -> timedelta:
    with database.write() as session:
        for kind in (TrainingRun, ScoringRun):
            if n := runs.requeue_gone(session, kind, now=now()):
                _log.warning("runs_queued_again", table=kind.__tablename__, runs=n)
    return timedelta()


def _execute(
    database: Database,
    settings: Settings,
    kind: type[Any],
    run: Any,
    execute: Callable[..., object],
    *,
    now: Callable[[], datetime],
) -> None:
    _log.info("run_started", table=kind.__tablename__, run=run.id)
    try:
        with executing(database, run, now=now, is_left=lambda error: _is_left(run, error, now=now())):
            execute(database, settings, run, now=now)
    except RunLostError:
        _log.warning("run_lost", table=kind.__tablename__, run=run.id)
    except PASSING_ERRORS as error:
        _log.warning(
            "run_interrupted", table=kind.__tablename__, run=run.id, error=type(error).__name__, at=places(error)
        )
    except EXPECTED_ERRORS as error:
        _log.warning("run_failed", table=kind.__tablename__, run=run.id, error=type(error).__name__)
    except Exception as error:  # noqa: BLE001  # a worker outlives whatever one run does, and the log keeps it
        _log.error("run_broke", table=kind.__tablename__, run=run.id, error=type(error).__name__, at=places(error))
    else:
        _log.info("run_completed", table=kind.__tablename__, run=run.id)
