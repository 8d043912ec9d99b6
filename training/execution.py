"""What surrounds the work of a claimed run, whoever executes it: signs of life meanwhile, its error if it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Thread

import structlog
from sqlalchemy.exc import DBAPIError

from features.exceptions import FeatureError
from models.exceptions import ModelError
from store import runs
from store.engine import Database
from store.exceptions import StoreError
from store.tables import ScoringRun, TrainingRun
from training.exceptions import TrainingError

__all__ = ["EXPECTED_ERRORS", "executing"]

# Their texts are fit for whoever asked for the run.
EXPECTED_ERRORS = (TrainingError, FeatureError, ModelError, StoreError)

_SIGNS_BEFORE_GONE = 6

_log = structlog.get_logger()


@contextmanager
def executing(
    database: Database, kind: type[TrainingRun | ScoringRun], run_id: int, *, now: Callable[[], datetime]
) -> Iterator[None]:
    """Keep a claimed run alive while the body executes it, and end it as failed if the body raises.

    Parameters
    ----------
    database : Database
    kind : type
        The table of the run.
    run_id : int
    now : callable
        Called from a second thread too.
    """
    finished = Event()
    beating = Thread(target=_beat, args=(database, kind, run_id, finished, now), daemon=True)
    beating.start()
    try:
        yield
    except BaseException as error:
        with database.write() as session:
            runs.fail_run(session, kind, run_id, _in_words(error), now=now())
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
    finished: Event,
    now: Callable[[], datetime],
) -> None:
    """Give a sign of life every few seconds until the run is finished."""
    while not finished.wait(runs.GONE_AFTER.total_seconds() / _SIGNS_BEFORE_GONE):
        try:
            with database.write() as session:
                runs.heartbeat(session, kind, run_id, now=now())
        except DBAPIError as error:
            # One sign may be missed: the run counts as gone only after several.
            _log.warning("heartbeat_missed", table=kind.__tablename__, run=run_id, error=type(error.orig).__name__)
