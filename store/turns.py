"""Whose turn it is to write a SQLite file: one writer of all threads and processes, in the order in which they came.

A writer that ends and begins again at once is faster than the one that the kernel wakes, and would take turn after turn
from it on busy cores. So only the first of a queue waits for the lock itself, and whoever comes back finds the queue
closed until that one has had it. Both are locks on files beside the database.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock, Thread

from store.exceptions import DatabaseBusyError

__all__ = ["Turns"]


class Turns:
    """The turns at one database file.

    Parameters
    ----------
    file : Path
        The database; its locks stand beside it.
    """

    def __init__(self, file: Path) -> None:
        self._queue = file.with_name(file.name + ".queue")
        self._lock = file.with_name(file.name + ".lock")
        self._mutex = Lock()
        self._left: list[Future[ExitStack]] = []

    @contextmanager
    def next(self) -> Iterator[None]:
        """Wait for a turn, as long as it takes, and have it."""
        with self._wait():
            yield

    @contextmanager
    def next_within(self, seconds: float) -> Iterator[None]:
        """Wait for a turn and have it; raises `DatabaseBusyError` if it does not come in time."""
        with self._at_once() or self._awaited(seconds):
            yield

    def _wait(self) -> ExitStack:
        with ExitStack() as turn:
            with _exclusive(self._queue):
                turn.enter_context(_exclusive(self._lock))
            return turn.pop_all()

    def _at_once(self) -> ExitStack | None:
        with ExitStack() as turn:
            try:
                with _exclusive(self._queue, wait=False):
                    turn.enter_context(_exclusive(self._lock, wait=False))
            except BlockingIOError:
                return None
            return turn.pop_all()

    def _awaited(self, seconds: float) -> ExitStack:
        # The kernel has no wait with an end, and whoever asks again and again has no place in its queue. So a thread
        # waits. Whoever gives up leaves it waiting for the next one of us, who then has its place in the queue.
        with self._mutex:
            waiting = self._left.pop() if self._left else self._begin_to_wait()
        try:
            return waiting.result(seconds)
        except TimeoutError:
            with self._mutex:
                if not waiting.done():
                    self._left.append(waiting)
                    raise DatabaseBusyError(
                        f"Somebody else has been writing to the database for {seconds:.0f} s and longer. Try again."
                    ) from None
        return waiting.result()

    def _begin_to_wait(self) -> Future[ExitStack]:
        waiting: Future[ExitStack] = Future()
        Thread(target=self._wait_for, args=(waiting,), name="waits to write", daemon=True).start()
        return waiting

    def _wait_for(self, waiting: Future[ExitStack]) -> None:
        try:
            turn = self._wait()
        except OSError as error:
            with self._mutex:
                if waiting in self._left:
                    self._left.remove(waiting)
                waiting.set_exception(error)
            return
        with self._mutex:
            if waiting not in self._left:
                waiting.set_result(turn)
                return
            self._left.remove(waiting)
        turn.close()


@contextmanager
def _exclusive(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock on a file; those who wait for it get it in the order in which they came.

    Raises `BlockingIOError` where another holds it and we don't wait.
    """
    # A descriptor of its own each time: flock then holds between threads as well as between processes.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        # Closing alone would leave it locked by a child that was forked meanwhile.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
