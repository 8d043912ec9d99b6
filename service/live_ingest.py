"""Live events on their way to the store: a bounded queue, and one thread that commits what waits as one group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import InterfaceError, InternalError

from service.access import Caller
from service.clock import Clock
from service.exceptions import IngestBusyError
from service.ingest_metrics import IngestMetrics
from store.api_keys import find_or_create_source
from store.engine import Database
from store.ingest.group_commit import GroupCommit
from store.ingest.live import LiveRequest, LiveResult, LiveWriter
from store.keyed_hash import KeyedHash
from store.settings import Settings
from store.tables.base import to_microseconds

__all__ = ["LiveIngest"]

# Clients wait some ten seconds and send again; before that they are told to.
_SECONDS_TO_STORE = 4.5
# So many calls that the lock is held for well under 100 ms.
_CALLS_AT_ONCE = 2_500
_ROWS_A_CALL, _BYTES_A_CALL = 4, 4_096
_SECONDS_TO_FIND_A_SOURCE = 3.0
# In whose name everybody sends where no key is asked for.
_OPEN_SOURCE = "live"


class LiveIngest:
    """Stores what clients send, and answers once it is on disk.

    Parameters
    ----------
    database : Database
    settings : Settings
        For how many calls may wait, and the secret of erased ids.
    metrics : IngestMetrics
    now : Clock
        For how late events are when they are stored.
    """

    def __init__(self, database: Database, settings: Settings, metrics: IngestMetrics, now: Clock) -> None:
        self._metrics = metrics
        self._now = now
        self._database = database
        self._open_source: tuple[int, str] | None = None
        self._writer = LiveWriter(database, KeyedHash.open(settings.secret_file))
        self._group: GroupCommit[LiveRequest, LiveResult] = GroupCommit(
            self._write,
            most_waiting=settings.most_waiting_calls,
            most_at_once=_CALLS_AT_ONCE,
            size=_weight,
            tell_waiting=metrics.show_waiting,
        )

    async def source_of(self, caller: Caller) -> tuple[int, str]:
        """Return key and name of the source in whose name somebody sends."""
        if caller.source_id is not None and caller.source is not None:
            return caller.source_id, caller.source
        if self._open_source is None:
            self._open_source = await run_in_threadpool(self._find_open_source)
        return self._open_source

    async def store(self, request: LiveRequest) -> LiveResult:
        """Store a request, and return what became of it once that is durable.

        Raises
        ------
        QueueFullError
            Too many wait already.
        IngestBusyError
            It took too long, or the database refuses it; it may or may not be stored, and sent again it is stored
            once.
        sqlalchemy.exc.OperationalError, DatabaseBusyError
            The database is locked, full or away.
        """
        storing = asyncio.wrap_future(self._group.submit(request))
        try:
            result = await asyncio.wait_for(storing, _SECONDS_TO_STORE)
        except (InterfaceError, InternalError, OSError) as error:  # of which TimeoutError is one
            raise IngestBusyError from error
        lags = (to_microseconds(self._now()) - request.calls.rows.occurred_at) / 1e6
        self._metrics.observe(request.source, result, lags)
        return result

    def close(self) -> None:
        """Store what waits, and end."""
        self._group.close()
        self._writer.close()

    def _find_open_source(self) -> tuple[int, str]:
        with self._database.write(within=_SECONDS_TO_FIND_A_SOURCE) as session:
            source = find_or_create_source(session, _OPEN_SOURCE)
            return source.id, source.name

    def _write(self, requests: Sequence[LiveRequest]) -> Sequence[LiveResult]:
        started = time.perf_counter()
        results = self._writer.write(requests)
        self._metrics.observe_group(time.perf_counter() - started)
        return results


def _weight(request: LiveRequest) -> int:
    """Return how many calls a request counts as.

    One with many products is as much work as several, and a long one takes as much memory while it waits.
    """
    calls = request.calls
    return max(calls.n_read, len(calls.rows) // _ROWS_A_CALL, request.n_bytes // _BYTES_A_CALL, 1)
