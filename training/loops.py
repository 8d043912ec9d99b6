"""What a worker does beside the queue of runs: small jobs, each looked for over and over in a thread of its own.

A training takes minutes; what these do is to be done within a second.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from store.exceptions import StoreError

__all__ = ["MAY_PASS", "Loop", "places", "running"]

# Of a database or a disk; later it may be over.
MAY_PASS = (DBAPIError, NoConnectionError, StoreError, OSError)

_SECONDS_AFTER_A_FAILURE = 1.0
# What is not expected is mended by somebody, if at all.
_SECONDS_AFTER_A_BREAK = 30.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loop:
    """One job.

    Attributes
    ----------
    name : str
        In the log.
    step : callable
        Does some of it, in about a second at most; returns whether there may be more to do at once.
    seconds : float
        After how long to look again where there was nothing.
    """

    name: str
    step: Callable[[], bool]
    seconds: float


@contextmanager
def running(loops: Sequence[Loop], *, stop: Event) -> Iterator[None]:
    """Run loops beside the body until `stop` is set, and wait for the step that each is at; the body's end sets it."""
    threads = [Thread(target=_run, args=(loop, stop), name=loop.name, daemon=True) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def places(error: BaseException) -> list[str]:
    """Return where an error came about; its text may hold customers' ids and is not for the log."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]


def _run(loop: Loop, stop: Event) -> None:
    while not stop.is_set():
        try:
            seconds = 0.0 if loop.step() else loop.seconds
        except MAY_PASS as error:
            _log.warning("loop_interrupted", loop=loop.name, error=type(error).__name__, at=places(error))
            seconds = _SECONDS_AFTER_A_FAILURE
        except Exception as error:  # noqa: BLE001  # a worker outlives whatever one job does, and the log keeps it
            _log.error("loop_broke", loop=loop.name, error=type(error).__name__, at=places(error))
            seconds = _SECONDS_AFTER_A_BREAK
        stop.wait(seconds)
