"""Carrying out erasures after they were answered: by one thread at a time, however many are asked for."""

from __future__ import annotations

from threading import Event, Lock
from typing import Any

from sqlalchemy.exc import DBAPIError

from store.engine import Database
from store.erasure import resume_erasures
from store.exceptions import StoreError

__all__ = ["Erasures"]


class Erasures:
    """Deletes what is stored of customers who are hidden already.

    Parameters
    ----------
    database : Database
    log : structlog logger
    """

    def __init__(self, database: Database, log: Any) -> None:
        self._database = database
        self._log = log
        self._is_at_work = Lock()
        self._are_due = Event()

    def resume(self) -> None:
        """Delete what is stored of all who are hidden by now; where a thread is at it, it will, and we don't wait."""
        self._are_due.set()
        # Asked again after the lock is free: whoever came meanwhile has left it to us.
        while self._are_due.is_set() and self._is_at_work.acquire(blocking=False):
            try:
                self._are_due.clear()
                self._resume()
            finally:
                self._is_at_work.release()

    def _resume(self) -> None:
        try:
            left = resume_erasures(self._database)
        except (DBAPIError, StoreError, OSError) as error:
            # The customers are hidden, and a worker or the next erasure takes this up again.
            self._log.warning("erasures_interrupted", error=type(error).__name__)
        else:
            self._log.info("erasures_resumed", left=left)
