"""The worker: executes queued training and scoring runs, one at a time, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Event, Thread
from typing import Any

import structlog

from features.exceptions import FeatureError
from models.exceptions import ModelError
from store import runs
from store.engine import Database
from store.exceptions import StoreError
from store.settings import Settings
from store.tables import ScoringRun, TrainingRun
from training.exceptions import TrainingError
from training.score_all import run_scoring
from training.train import run_training

__all__ = ["run_next", "work"]

_log = structlog.get_logger()
_EXPECTED = (TrainingError, FeatureError, ModelError, StoreError)


def work(database: Database, settings: Settings, *, stop: Event, now: Callable[[], datetime]) -> None:
    """Execute queued runs until `stop` is set; runs whose process is gone are queued again."""
    while not stop.is_set():
        with database.write() as session:
            for kind in (TrainingRun, ScoringRun):
                if n := runs.requeue_gone(session, kind, now=now()):
                    _log.warning("runs_queued_again", table=kind.__tablename__, runs=n)
        while not stop.is_set() and run_next(database, settings, now=now):
            pass
        stop.wait(settings.worker_poll_seconds)


def run_next(database: Database, settings: Settings, *, now: Callable[[], datetime]) -> bool:
    """Execute the oldest queued run, trainings first; return whether there was one."""
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
    finished = Event()
    beating = Thread(target=_beat, args=(database, kind, run.id, finished, now), daemon=True)
    beating.start()
    try:
        execute(database, settings, run, now=now)
    except _EXPECTED as error:
        _log.warning("run_failed", table=kind.__tablename__, run=run.id, error=str(error))
        with database.write() as session:
            runs.fail_run(session, kind, run.id, str(error), now=now())
    except Exception:  # noqa: BLE001  # a worker outlives whatever one run does, and the log keeps it
        _log.exception("run_broke", table=kind.__tablename__, run=run.id)
        with database.write() as session:
            runs.fail_run(session, kind, run.id, "An unexpected error; the worker's log has it.", now=now())
    else:
        _log.info("run_completed", table=kind.__tablename__, run=run.id)
    finally:
        finished.set()
        beating.join()


def _beat(database: Database, kind: type[Any], run_id: int, finished: Event, now: Callable[[], datetime]) -> None:
    """Give a sign of life every few seconds while a run is executed."""
    while not finished.wait(runs.GONE_AFTER.total_seconds() / 6):
        with database.write() as session:
            runs.heartbeat(session, kind, run_id, now=now())
