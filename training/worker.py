"""The worker: executes queued training and scoring runs, one at a time, until it is told to stop.

Beside that it goes on with erasures that were cut off, and once a day deletes what is older than may be kept.

Texts of errors may hold customers' ids, so that only their type and place are logged; the text of what a run fails with
stands in its row.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from store import runs
from store.engine import Database
from store.erasure import resume_erasures
from store.exceptions import StoreError
from store.retention import prune
from store.settings import Settings
from store.tables import ScoringRun, TrainingRun
from training.execution import EXPECTED_ERRORS, executing
from training.score_all import run_scoring
from training.train import run_training

__all__ = ["run_next", "work"]

_BETWEEN_PRUNINGS = timedelta(days=1)
# Whoever asks for an erasure begins it; a worker is there for what was cut off.
_BETWEEN_ERASURES, _WHILE_ERASURES_WAIT = timedelta(hours=1), timedelta(minutes=1)
_AFTER_A_FAILURE = timedelta(minutes=1)

# Of a database or a disk; later it may be over, and meanwhile runs are executed.
_MAY_PASS = (DBAPIError, StoreError, OSError)

_log = structlog.get_logger()


def work(database: Database, settings: Settings, *, stop: Event, now: Callable[[], datetime]) -> None:
    """Execute queued runs until `stop` is set; runs whose process is gone are queued again."""
    erasures_due = pruning_due = now()
    while not stop.is_set():
        try:
            if now() >= erasures_due:
                erasures_due = now() + _go_on_with_erasures(database)
            if now() >= pruning_due:
                pruning_due = now() + _prune(database, settings, now=now())
            _requeue_gone(database, now=now)
            while not stop.is_set() and run_next(database, settings, now=now):
                # What is being erased may have waited for this run, which began before.
                erasures_due = now()
        except _MAY_PASS as error:
            # A database that is away, or locked for long, may be back at the next look.
            _log.warning("database_unavailable", error=type(error).__name__)
        stop.wait(settings.worker_poll_seconds)


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


def _go_on_with_erasures(database: Database) -> timedelta:
    """Do what can be done of erasures, and return after how long to look again."""
    try:
        left = resume_erasures(database)
    except _MAY_PASS as error:
        _log.warning("erasures_interrupted", error=type(error).__name__, at=_places(error))
        return _AFTER_A_FAILURE
    if left:
        _log.info("erasures_wait", customers=left)
    return _WHILE_ERASURES_WAIT if left else _BETWEEN_ERASURES


def _prune(database: Database, settings: Settings, *, now: datetime) -> timedelta:
    """Delete what is older than may be kept, and return after how long to look again."""
    if settings.retention_days is not None:
        try:
            pruned = prune(database, before=now - timedelta(days=settings.retention_days))
        except _MAY_PASS as error:
            _log.warning("pruning_interrupted", error=type(error).__name__, at=_places(error))
            return _AFTER_A_FAILURE
        _log.info("pruned", rows=pruned.total)
    return _BETWEEN_PRUNINGS


def _requeue_gone(database: Database, *, now: Callable[[], datetime]) -> None:
    with database.write() as session:
        for kind in (TrainingRun, ScoringRun):
            if n := runs.requeue_gone(session, kind, now=now()):
                _log.warning("runs_queued_again", table=kind.__tablename__, runs=n)


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
        with executing(database, kind, run.id, now=now):
            execute(database, settings, run, now=now)
    except EXPECTED_ERRORS as error:
        _log.warning("run_failed", table=kind.__tablename__, run=run.id, error=type(error).__name__)
    except Exception as error:  # noqa: BLE001  # a worker outlives whatever one run does, and the log keeps it
        _log.error("run_broke", table=kind.__tablename__, run=run.id, error=type(error).__name__, at=_places(error))
    else:
        _log.info("run_completed", table=kind.__tablename__, run=run.id)


def _places(error: BaseException) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
