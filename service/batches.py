"""Scores of many customers at once, in processes of their own.

To put a thousand customers' reasons into words holds Python's lock for near half a second, so that in one process two
batches take as long side by side as one after the other, and whoever asks for a single score waits for both. Large
batches are therefore scored by a few other processes, each with the database and the model open as this one has them.
They are begun when the first one is asked for. What they can't answer, for whatever reason, is answered here.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from threading import Lock
from typing import Self

from pydantic_core import to_json

from service.bundle_cache import BundleCache
from service.clock import utc_now
from service.exceptions import ModelUnavailableError
from service.receipts import Receipts
from service.schemas.scores import computed_fields
from service.scorer import Scorer, warm_up
from store.child_process import end_with_parent
from store.engine import Database
from store.events import find_customers
from store.keyed_hash import KeyedHash
from store.settings import Settings

__all__ = ["Batches", "Scoring"]

# Below that a batch is no longer than a few single scores, and not worth the way.
_MANY = 50
# Longer than a batch waits and takes, unless a process is stopped.
_LONGEST_SECONDS = 60
# A broken pool, and one that was closed, raise RuntimeErrors.
_NOBODY_IS_THERE = (RuntimeError, CancelledError)


@dataclass(frozen=True, slots=True)
class Scoring:
    """All that it takes to score stored customers, opened in one process.

    Attributes
    ----------
    database : Database
    scorer : Scorer
    receipts : Receipts
    """

    database: Database
    scorer: Scorer
    receipts: Receipts

    @classmethod
    def opened(cls, settings: Settings) -> Self:
        """Open it anew, by the clock of the machine, with the champion loaded if there is one that loads."""
        database = Database(settings.database_url)
        bundles = BundleCache(settings.bundle_dir, warm_up=warm_up)
        with database.read() as session, suppress(ModelUnavailableError):
            bundles.current(session)
        return cls(
            database,
            Scorer(bundles, as_of=settings.as_of, now=utc_now),
            Receipts(
                KeyedHash.open(settings.secret_file),
                bundles,
                valid_for=timedelta(days=settings.receipt_days),
                now=utc_now,
            ),
        )

    def answer(self, customer_ids: Sequence[str]) -> bytes:
        """Score customers in the order asked, and return the JSON of a `ScoresAnswer`."""
        with self.database.read() as session:
            customers = find_customers(session, customer_ids)
            scored = self.scorer.score(session, customers)
        known, receipt_of = scored.by_customer, self.receipts.of(scored)
        asked = [(customer_id, customers.id_of(customer_id)) for customer_id in customer_ids]
        return to_json(
            {
                "as_of": scored.as_of,
                "model_version": scored.model.version,
                "policy_version": scored.policy_version,
                "currency": scored.model.bundle.currency,
                "scores": [
                    computed_fields(own_id, scored.explained(own_id), scored, receipt_of[own_id])
                    for _, own_id in asked
                    if own_id in known
                ],
                "unknown": [customer_id for customer_id, own_id in asked if own_id not in known],
            }
        )


class Batches:
    """Answers batches, large ones by other processes as soon as these are ready.

    Parameters
    ----------
    here : Scoring
        Of this process.
    settings : Settings
    n_processes : int
        How many others; 0 for none.
    """

    def __init__(self, here: Scoring, settings: Settings, n_processes: int) -> None:
        self._here = here
        self._settings = settings
        self._n_processes = n_processes
        self._lock = Lock()
        self._pool: _Pool | None = None
        self._is_closed = False

    def answer(self, customer_ids: Sequence[str]) -> bytes:
        """Score customers in the order asked, and return the JSON of a `ScoresAnswer`.

        Raises
        ------
        ModelUnavailableError
            There is no model to score with.
        """
        if self._n_processes and len(customer_ids) >= _MANY:
            pool = self._begun()
            if pool is not None and pool.is_ready() and (found := self._elsewhere(pool, customer_ids)) is not None:
                return found
        return self._here.answer(customer_ids)

    def close(self) -> None:
        """End the other processes."""
        with self._lock:
            self._is_closed = True
            if self._pool is not None:
                self._pool.close(wait=True)
                self._pool = None

    def _elsewhere(self, pool: _Pool, customer_ids: Sequence[str]) -> bytes | None:
        try:
            return pool.answer(customer_ids)
        except TimeoutError:
            return None
        except _NOBODY_IS_THERE:
            # A process was killed, or all are told to end: the next batch begins others.
            with self._lock:
                if self._pool is pool:
                    self._pool = None
                    pool.close(wait=False)
            return None

    def _begun(self) -> _Pool | None:
        with self._lock:
            if self._pool is None and not self._is_closed:
                self._pool = _Pool(self._settings, self._n_processes)
            return self._pool


class _Pool:
    """Some processes that score.

    Parameters
    ----------
    settings : Settings
    n_processes : int
    """

    def __init__(self, settings: Settings, n_processes: int) -> None:
        # Begun anew rather than forked: neither LightGBM's threads nor an open database survives a fork.
        self._executor = ProcessPoolExecutor(n_processes, get_context("spawn"), initializer=_open, initargs=(settings,))
        self._opened: list[Future[bool]] = [self._executor.submit(_is_opened) for _ in range(n_processes)]

    def is_ready(self) -> bool:
        """Say whether there is somebody to ask."""
        return all(opened.done() for opened in self._opened)

    def answer(self, customer_ids: Sequence[str]) -> bytes | None:
        """Let one of them score; None if it could not, for a reason that shows where the same is done here.

        Raises
        ------
        RuntimeError, CancelledError
            There is nobody who does.
        TimeoutError
            Nobody has done it in time, and nobody will.
        """
        answering = self._executor.submit(_answer, list(customer_ids))
        try:
            return answering.result(_LONGEST_SECONDS)
        finally:
            answering.cancel()

    def close(self, *, wait: bool) -> None:
        """End them, once what they are at is done, and wait for that or not."""
        self._executor.shutdown(wait=wait, cancel_futures=True)


# Of a process that was begun to score: what it has open.
_opened: list[Scoring] = []


def _open(settings: Settings) -> None:
    end_with_parent()
    _opened.append(Scoring.opened(settings))
    gc.collect()
    gc.freeze()


def _is_opened() -> bool:
    return bool(_opened)


def _answer(customer_ids: list[str]) -> bytes | None:
    (scoring,) = _opened
    try:
        return scoring.answer(customer_ids)
    except Exception:  # noqa: BLE001 - whatever it is, it is met again, and told, where the answer is given
        return None
