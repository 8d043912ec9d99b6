"""The worker: executes queued training and scoring runs, one at a time, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from store import runs
from store.engine import Database
from store.settings import Settings
from store.tables import ScoringRun, TrainingRun
from training.execution import EXPECTED_ERRORS, executing
from training.score_all import run_scoring
from training.train import run_training

__all__ = ["run_next", "work"]

_log = structlog.get_logger()


def work(database: Database, settings: Settings, *, stop: Event, now: Callable[[], datetime]) -> None:
    """Execute queued runs until `stop` is set; runs whose process is gone are queued again."""
    while not stop.is_set():
        try:
            _requeue_gone(database, now=now)
            while not stop.is_set() and run_next(database, settings, now=now):
                pass
        except DBAPIError as error:
            # A database that is away, or locked for long, may be back at the next look.
            _log.warning("database_unavailable", error=str(error.orig))
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
        _log.warning("run_failed", table=kind.__tablename__, run=run.id, error=str(error))
    except Exception:  # noqa: BLE001  # a worker outlives whatever one run does, and the log keeps it
        _log.exception("run_broke", table=kind.__tablename__, run=run.id)
    else:
        _log.info("run_completed", table=kind.__tablename__, run=run.id)
