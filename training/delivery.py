"""Delivers webhooks: claims what is due, sends it from a few threads, and writes down what came of it.

One thread does all that concerns the database, so that no transaction is open while a receiver is waited for; the
others do nothing but send. Each endpoint has a bounded share of them. One that fails or is slow has a single one until
it answers well again, and all such have half of them together, so that they keep nobody else waiting. One that says
when to come again, as who is overburdened, is sent nothing at all before.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from threading import Event
from typing import NamedTuple

import structlog

from store.engine import Database
from store.settings import Settings
from store.webhook_queue import (
    LEASE,
    Claimed,
    Ended,
    any_pending,
    claim_due,
    drop_unwanted,
    endpoints_with_due,
    record,
    unwanted_endpoints,
)
from training.loops import MAY_PASS
from training.retry_schedule import read_retry_after, retry_at
from training.webhook_client import Answer, WebhookClient
from training.webhook_message import Message, message_of

__all__ = ["Deliverer", "Send", "deliver"]

_THREADS = 8
_THREADS_AN_ENDPOINT = 4
# An attempt that would begin so long after its claim could last beyond the lease, and another worker's overtake it.
_LATEST_START = LEASE - timedelta(seconds=30)
_SLOW = timedelta(seconds=5)
_GONE = 410
# Of these `Retry-After` speaks of the receiver as a whole (RFC 9110, 10.2.3; RFC 6585, 4).
_OVERBURDENED = (429, 503)

Send = Callable[[Message], Answer]

_log = structlog.get_logger()


def deliver(database: Database, settings: Settings, *, stop: Event, now: Callable[[], datetime]) -> None:
    """Deliver webhooks until `stop` is set; what is on the wire then is waited for."""
    client = WebhookClient(allow_private=settings.webhook_allow_private)
    with closing(Deliverer(database, client.send, now=now, randomness=Random())) as deliverer:  # noqa: S311  # jitter
        while not stop.is_set():
            try:
                deliverer.go_on()
            except MAY_PASS as error:
                # What came of attempts is kept, and written down at the next look.
                _log.warning("webhooks_interrupted", error=type(error).__name__)
                stop.wait(settings.worker_poll_seconds)
            if not deliverer.wait(settings.worker_poll_seconds):
                stop.wait(settings.worker_poll_seconds)


class Deliverer:
    """Sends what is due, a few at a time.

    Parameters
    ----------
    database : Database
    send : callable
        Takes a `Message` and returns an `Answer`.
    now : callable
    randomness : Random
        Of the times of retries.
    threads, threads_an_endpoint : int
        So many are on the wire at once, in all and of one endpoint.
    """

    def __init__(
        self,
        database: Database,
        send: Send,
        *,
        now: Callable[[], datetime],
        randomness: Random,
        threads: int = _THREADS,
        threads_an_endpoint: int = _THREADS_AN_ENDPOINT,
    ) -> None:
        self._database = database
        self._send = send
        self._now = now
        self._randomness = randomness
        self._threads = threads
        self._threads_an_endpoint = threads_an_endpoint
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="webhook")
        self._on_the_wire: dict[Future[_Outcome | None], Claimed] = {}
        self._ended: list[Ended] = []
        self._troubled: set[int] = set()
        self._turns = 0
        self._last_turn: dict[int, int] = {}

    def go_on(self) -> int:
        """Write down what has ended, and send what is due as far as there are threads; return how many are at it."""
        self._gather()
        due, unwanted = self._look()
        # What comes next of the customers of those that have ended is due only when that is written down.
        due |= {ended.claimed.endpoint_id for ended in self._ended}
        if due:
            self._record_and_claim(due)
        for endpoint_id in unwanted:
            with self._database.write() as session:
                dropped = drop_unwanted(session, endpoint_id, now=self._now())
            if dropped:
                _log.info("webhooks_dropped", endpoint=endpoint_id, deliveries=dropped)
        return len(self._on_the_wire)

    def wait(self, seconds: float) -> bool:
        """Wait until something on the wire has ended, at most so long; return whether anything was on the wire."""
        if not self._on_the_wire:
            return False
        wait(self._on_the_wire, timeout=seconds, return_when=FIRST_COMPLETED)
        return True

    def close(self) -> None:
        """Wait for what is on the wire, which is not long, and write down what came of it."""
        self._pool.shutdown()
        self._gather()
        try:
            self._record_and_claim(set())
        except MAY_PASS as error:
            # It is sent again when the leases are over.
            _log.warning("webhooks_not_recorded", deliveries=len(self._ended), error=type(error).__name__)

    def _look(self) -> tuple[set[int], list[int]]:
        with self._database.read() as session:
            if not any_pending(session):
                return set(), []
            return set(endpoints_with_due(session, now=self._now())), unwanted_endpoints(session)

    def _gather(self) -> None:
        for future in [future for future in self._on_the_wire if future.done()]:
            del self._on_the_wire[future]
            outcome = future.result()
            if outcome is None:
                continue
            self._ended.append(outcome.ended)
            _tell(outcome.ended)
            endpoint_id = outcome.ended.claimed.endpoint_id
            if outcome.is_well:
                self._troubled.discard(endpoint_id)
            else:
                self._troubled.add(endpoint_id)

    def _record_and_claim(self, due: set[int]) -> None:
        claimed: list[Claimed] = []
        with self._database.write() as session:
            now = self._now()
            record(session, self._ended, now=now)
            busy = Counter(claim.endpoint_id for claim in self._on_the_wire.values())
            for endpoint_id in sorted(due, key=lambda each: (busy[each], self._last_turn.get(each, 0))):
                free = self._free(endpoint_id, busy)
                if free > 0:
                    of_endpoint = claim_due(session, endpoint_id, limit=free, now=now)
                    busy[endpoint_id] += len(of_endpoint)
                    claimed += of_endpoint
                    self._turns += 1
                    self._last_turn[endpoint_id] = self._turns
        self._ended.clear()
        for claim in claimed:
            self._on_the_wire[self._pool.submit(self._attempt, claim)] = claim

    def _free(self, endpoint_id: int, busy: Counter[int]) -> int:
        """Return how many more of an endpoint may be sent at once."""
        free = self._threads - busy.total()
        if endpoint_id not in self._troubled:
            return min(free, self._threads_an_endpoint - busy[endpoint_id])
        of_troubled = sum(n for each, n in busy.items() if each in self._troubled)
        return min(free, 1 - busy[endpoint_id], max(self._threads // 2, 1) - of_troubled)

    def _attempt(self, claimed: Claimed) -> _Outcome | None:
        began = self._now()
        if began - (claimed.lease_until - LEASE) > _LATEST_START:
            # This process stood still. The delivery is due again when its lease is over.
            return None
        try:
            answer = self._send(message_of(claimed, now=began))
        except Exception as error:  # noqa: BLE001  # a delivery that can't be made must not stop the others
            _log.error("webhook_broke", delivery=claimed.delivery_id, error=type(error).__name__, at=_places(error))
            answer = Answer(None, f"It could not be sent: {type(error).__name__}.")
        answered = self._now()
        retry_after = read_retry_after(answer.retry_after, now=answered)
        ended = self._judged(claimed, began, answered, answer, retry_after)
        if retry_after is not None and answer.status in _OVERBURDENED:
            ended = replace(ended, rest_until=answered + retry_after)
        return _Outcome(ended, is_well=ended.error is None and answered - began < _SLOW)

    def _judged(
        self, claimed: Claimed, began: datetime, answered: datetime, answer: Answer, retry_after: timedelta | None
    ) -> Ended:
        if answer.status is not None and 200 <= answer.status < 300:
            return Ended(claimed, began, answer.status, None, None)
        if answer.status == _GONE:
            gone = "It answered 410 Gone."
            return Ended(claimed, began, answer.status, gone, None, disable=gone)
        again = retry_at(
            claimed.attempts + 1,
            failed_at=answered,
            retry_after=retry_after,
            randomness=self._randomness,
        )
        return Ended(claimed, began, answer.status, answer.error or f"It answered {answer.status}.", again)


class _Outcome(NamedTuple):
    """An attempt that has ended, and whether its receiver answered well and soon."""

    ended: Ended
    is_well: bool


def _tell(ended: Ended) -> None:
    """Log an attempt that failed: by numbers alone, since URLs may hold secrets."""
    if ended.error is not None:
        _log.warning(
            "webhook_failed",
            endpoint=ended.claimed.endpoint_id,
            delivery=ended.claimed.delivery_id,
            attempt=ended.claimed.attempts + 1,
            status=ended.status,
            is_last=ended.retry_at is None,
        )


def _places(error: BaseException) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
