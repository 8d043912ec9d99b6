"""What surrounds the work of a claimed run, whoever executes it: signs of life meanwhile, its error if it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Thread

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from features.exceptions import FeatureError
from models.exceptions import ModelError
from store import runs
from store.engine import Database
from store.exceptions import DatabaseBusyError, StoreError
from store.tables import ScoringRun, TrainingRun
from training.exceptions import TrainingError
from training.loops import MAY_PASS

__all__ = ["EXPECTED_ERRORS", "PASSING_ERRORS", "executing"]

# Their texts are fit for whoever asked for the run.
EXPECTED_ERRORS = (TrainingError, FeatureError, ModelError, StoreError)

# What stands in the way of a run for a while: a database or a disk, or that the system has killed a process of ours.
PASSING_ERRORS = (OperationalError, InterfaceError, NoConnectionError, DatabaseBusyError, OSError, BrokenExecutor)

_SIGNS_BEFORE_GONE = 6

_log = structlog.get_logger()


@contextmanager
def executing(
    database: Database,
    run: TrainingRun | ScoringRun,
    *,
    now: Callable[[], datetime],
    is_left: Callable[[BaseException], bool] = lambda _: False,
) -> Iterator[None]:
    """Keep a claimed run alive while the body executes it, and end it as failed if the body raises.

    A run that another process has taken meanwhile is that one's: nothing of it is changed any more.

    Parameters
    ----------
    database : Database
    run : TrainingRun or ScoringRun
        As it was claimed.
    now : callable
        Called from a second thread too.
    is_left : callable
        Whether after such an error the run is left as one whose process is gone, for a worker to go on with, instead.
    """
    finished = Event()
    kind, run_id, claimed_at = type(run), run.id, run.started_at
    beating = Thread(target=_beat, args=(database, kind, run_id, claimed_at, finished, now), daemon=True)
    beating.start()
    try:
        yield
    except BaseException as error:
        if not is_left(error):
            with database.write() as session:
                runs.fail_run(session, kind, run_id, _in_words(error), claimed_at=claimed_at, now=now())
        raise
    finally:
        finished.set()
        beating.join()


def _in_words(error: BaseException) -> str:
    if isinstance(error, EXPECTED_ERRORS):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    return f"An unexpected error, {type(error).__name__}; the output of the process that executed the run has it."


def _beat(
    database: Database,
    kind: type[TrainingRun | ScoringRun],
    run_id: int,
    claimed_at: datetime | None,
    finished: Event,
    now: Callable[[], datetime],
) -> None:
    """Give a sign of life every few seconds until the run is finished."""
    while not finished.wait(runs.GONE_AFTER.total_seconds() / _SIGNS_BEFORE_GONE):
        try:
            with database.write() as session:
                runs.heartbeat(session, kind, run_id, claimed_at=claimed_at, now=now())
        except MAY_PASS as error:
            # One sign may be missed: the run counts as gone only after several.
            _log.warning("heartbeat_missed", table=kind.__tablename__, run=run_id, error=type(error).__name__)
