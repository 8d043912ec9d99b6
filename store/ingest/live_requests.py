"""Live requests: what they tell, and what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.event_rows import ORDER_COMPLETED
from store.ingest.calls import Calls
from store.ingest.canonical import CanonicalRows
from store.ingest.erased_ids import rejection_of_erased
from store.ingest.identity import identify
from store.ingest.ordinals import OrdinalCounter
from store.ingest.prepared_rows import PreparedRows, Sender
from store.ingest.rejections import Rejection
from store.tables.base import to_microseconds

__all__ = ["Fate", "LiveRequest", "LiveResult", "PreparedRequest"]


@dataclass(frozen=True, slots=True, eq=False)
class LiveRequest:
    """One request as it came.

    Attributes
    ----------
    source_id : int
    source : str
        Its name.
    received_at : datetime
        Aware.
    calls : Calls
    body_hash : bytes
        SHA-256 of the body: the same body again replaces what was kept of its rejected calls.
    n_bytes : int
        Of the body, unpacked.
    """

    source_id: int
    source: str
    received_at: datetime
    calls: Calls
    body_hash: bytes
    n_bytes: int


@dataclass(frozen=True, slots=True)
class LiveResult:
    """What became of the calls of one request; the three add up to them.

    Attributes
    ----------
    stored : int
        Calls that brought anything new.
    already_there : int
    rejected : list of Rejection
        One a call, ascending by position. Of an order with several lines the others are stored.
    """

    stored: int
    already_there: int
    rejected: list[Rejection]


class PreparedRequest(NamedTuple):
    """A request with all that can be worked out before a transaction begins.

    Attributes
    ----------
    request : LiveRequest
    rows : list of PreparedRows
        To be written one after another: a call that tells an order again is compared with what the one before stored.
    """

    request: LiveRequest
    rows: list[PreparedRows]

    @classmethod
    def of(cls, request: LiveRequest) -> PreparedRequest:
        """Work it out."""
        rows = request.calls.rows
        if not len(rows):
            return cls(request, [])
        order, identities = identify(rows, request.source, OrdinalCounter()).by_head()
        prepared = PreparedRows.of(rows.take(order), identities)
        times_told = _times_told(prepared.rows)
        if not times_told.any():
            return cls(request, [prepared])
        return cls(request, [prepared.only(times_told == times) for times in np.unique(times_told)])

    def customer_ids(self) -> set[str]:
        """Return all ids that the request names."""
        calls = self.request.calls
        ids = {customer_id for customer_id in calls.rows.customer_id.tolist() if customer_id is not None}
        ids.update(learnt.customer_id for learnt in calls.learnt)
        for merge in calls.merges:
            ids.update((merge.merged, merge.into))
        return ids

    @property
    def sender(self) -> Sender:
        """Who sent the request, and when it came."""
        return Sender(self.request.source_id, to_microseconds(self.request.received_at))


def _times_told(rows: CanonicalRows) -> NDArray[np.int64]:
    """Return, for each row, how many calls of the request before its own tell the same completed order."""
    times = np.zeros(len(rows), dtype=np.int64)
    orders = np.flatnonzero(rows.order_id.given & rows.event.where(ORDER_COMPLETED.__eq__))
    calls = sorted(set(zip(rows.line[orders].tolist(), rows.order_id.codes[orders].tolist(), strict=True)))
    told: Counter[int] = Counter()
    for call, order in calls:
        if told[order]:
            times[rows.line == call] = told[order]
        told[order] += 1
    return times


class Fate:
    """What becomes of the calls of one request.

    Attributes
    ----------
    stored : set of int
        Positions of calls that bring anything new.
    erased : set of int
        Positions of calls of erased customers.
    """

    def __init__(self, calls: Calls) -> None:
        self._n_calls = calls.n_read
        self._rejected: dict[int, Rejection] = {}
        self.stored: set[int] = set()
        self.erased: set[int] = set()
        self.reject(calls.rejections)

    def reject(self, rejections: Iterable[Rejection]) -> None:
        """Reject calls; of several reasons the first counts."""
        for rejection in rejections:
            self._rejected.setdefault(rejection.line, rejection)

    def result(self) -> LiveResult:
        """Return it, with calls of erased customers rejected."""
        self.reject(map(rejection_of_erased, sorted(self.erased)))
        stored = len(self.stored - self._rejected.keys())
        rejected = [self._rejected[position] for position in sorted(self._rejected)]
        return LiveResult(stored, self._n_calls - stored - len(rejected), rejected)
