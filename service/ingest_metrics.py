"""Figures of live ingest for Prometheus: what came, what was refused and why, how late, how much waits."""

from __future__ import annotations

from collections import Counter as Counts
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from store.ingest.live import LiveResult

__all__ = ["IngestMetrics"]

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0


class IngestMetrics:
    """What the routes that take events tell.

    Labels are few: a source's name is the business's own, results and codes are ours. No metric knows a customer.

    Parameters
    ----------
    registry : CollectorRegistry
        That of the app.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "regulars_events",
            "Calls that came: stored, already there, or rejected.",
            ("source", "result"),
            registry=registry,
        )
        self._rejected = Counter(
            "regulars_events_rejected",
            "Calls that could not be taken, by the code that the sender was given.",
            ("source", "code"),
            registry=registry,
        )
        self._waiting = Gauge(
            "regulars_ingest_waiting",
            "Calls that wait to be stored; full, the answer is 503.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._group_seconds = Histogram(
            "regulars_ingest_group_seconds",
            "Seconds to store a group of requests in one transaction.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0),
            registry=registry,
        )
        self._lags = _Lags(
            "regulars_event_lag_seconds",
            "Seconds from when an event occurred to when it was stored or found to be there already.",
            buckets=_Lags.UP_TO.tolist(),
            registry=registry,
        )

    def observe(self, source: str, result: LiveResult, lags: NDArray[np.float64]) -> None:
        """Count what became of a request.

        Parameters
        ----------
        source : str
            Its name.
        result : LiveResult
        lags : float64
            Seconds from `occurred_at` to stored, of each row that could be taken.
        """
        for name, n in (
            ("stored", result.stored),
            ("already_there", result.already_there),
            ("rejected", len(result.rejected)),
        ):
            if n:
                self._events.labels(source, name).inc(n)
        for code, n in Counts(rejection.code for rejection in result.rejected).items():
            self._rejected.labels(source, code).inc(n)
        self._lags.observe_all(lags)

    def observe_group(self, seconds: float) -> None:
        """Count a transaction that stored a group."""
        self._group_seconds.observe(seconds)

    def show_waiting(self, n: int) -> None:
        """Show how many calls wait."""
        self._waiting.set(n)


class _Lags(Histogram):
    """A histogram that takes many values at once: one by one they would cost 2 to 4 us each, on the event loop.

    It counts where its base class does, which knows how to sum over processes; a test holds it to that one's results.
    """

    UP_TO: ClassVar = np.array(
        [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, _MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 30 * _DAY]
    )

    def observe_all(self, lags: NDArray[np.float64]) -> None:
        """Count lags, in seconds."""
        counts = np.bincount(self.UP_TO.searchsorted(lags)).tolist()
        for bucket, n in zip(self._buckets, counts, strict=False):  # none stands behind the last that one lies in
            if n:
                bucket.inc(n)
        self._sum.inc(float(lags.sum()))
