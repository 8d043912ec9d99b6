"""Requests of many at once, written as groups: one commit, which waits for the disk, for all that came meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from store.exceptions import DatabaseBusyError, QueueFullError

__all__ = ["GroupCommit", "QueueFullError"]

Q = TypeVar("Q")
R = TypeVar("R")

# Of these no request is to blame, and to write them one by one would only take longer.
_OF_THE_DATABASE = (OperationalError, InterfaceError, InternalError, DatabaseBusyError, OSError)


class _Waiting(NamedTuple, Generic[Q, R]):
    """A request, its size, and what its sender holds."""

    request: Q
    size: int
    future: Future[R]


class GroupCommit(Generic[Q, R]):
    """A thread that takes whatever waits and hands it on as one group.

    A group that fails for another reason than the database is written again request by request, so that one that can't
    be written takes no other with it.

    Parameters
    ----------
    write : callable
        Takes requests in the order in which they came, returns what became of each, and stores all or none of them.
    most_waiting : int
        Size of all that may wait; a single request may always, if nothing else does.
    most_at_once : int
        Size of a group; a larger request goes alone.
    size : callable
        Of a request, at least 1.
    tell_waiting : callable
        Told `waiting` whenever it changes, one at a time and in order; must be quick, since everybody waits for it.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Q]], Sequence[R]],
        *,
        most_waiting: int,
        most_at_once: int,
        size: Callable[[Q], int],
        tell_waiting: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._write = write
        self._most_waiting = most_waiting
        self._most_at_once = most_at_once
        self._size = size
        self._tell_waiting = tell_waiting
        self._queue: deque[_Waiting[Q, R]] = deque()
        self._waiting = 0
        self._is_closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="group commit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Size of all that waits and is not being written yet."""
        return self._waiting

    def submit(self, request: Q) -> Future[R]:
        """Let a request wait for its turn.

        Returns
        -------
        Future
            What became of it, once that is durable, or the error. Cancelled before its turn, it is not written.

        Raises
        ------
        QueueFullError
            More would wait than may, or it is closed.
        """
        size = self._size(request)
        with self._changed:
            if self._is_closed:
                raise QueueFullError("Nothing is stored any more: the service ends. Send it again in a moment.")
            if self._queue and self._waiting + size > self._most_waiting:
                raise QueueFullError(
                    f"{self._waiting:,} wait to be stored already; at most {self._most_waiting:,} may. Send it again "
                    "in a moment."
                )
            future: Future[R] = Future()
            self._queue.append(_Waiting(request, size, future))
            self._waiting += size
            self._tell_waiting(self._waiting)
            self._changed.notify()
        return future

    def close(self) -> None:
        """Write what waits, then end; nothing is taken any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            begun = [waiting for waiting in group if waiting.future.set_running_or_notify_cancel()]
            if begun:
                self._write_group(begun)

    def _next_group(self) -> list[_Waiting[Q, R]]:
        """Wait for requests and take as many as make a group; none once it is closed and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closed)
            group: list[_Waiting[Q, R]] = []
            size = 0
            while self._queue and (not group or size + self._queue[0].size <= self._most_at_once):
                group.append(self._queue.popleft())
                size += group[-1].size
            self._waiting -= size
            self._tell_waiting(self._waiting)
        return group

    def _write_group(self, group: Sequence[_Waiting[Q, R]]) -> None:
        try:
            results = self._write([waiting.request for waiting in group])
            answers = list(zip(group, results, strict=True))
        except _OF_THE_DATABASE as error:
            for waiting in group:
                waiting.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who wait for the result
            if len(group) == 1:
                group[0].future.set_exception(error)
                return
            for waiting in group:
                self._write_group([waiting])
        else:
            for waiting, result in answers:
                waiting.future.set_result(result)
