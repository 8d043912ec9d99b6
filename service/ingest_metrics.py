"""Figures of live ingest for Prometheus: what came, what was refused and why, how late, how much waits."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterator
from threading import Lock
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

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
            "regulars_ingest_waiting", "Calls that wait to be stored; full, the answer is 503.", registry=registry
        )
        self._group_seconds = Histogram(
            "regulars_ingest_group_seconds",
            "Seconds to store a group of requests in one transaction.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0),
            registry=registry,
        )
        self._lags = _Lags()
        registry.register(self._lags)

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
        self._lags.observe(lags)

    def observe_group(self, seconds: float) -> None:
        """Count a transaction that stored a group."""
        self._group_seconds.observe(seconds)

    def watch_waiting(self, waiting: Callable[[], int]) -> None:
        """Show what this gives, asked whenever somebody looks, as the number of calls that wait."""
        self._waiting.set_function(waiting)


class _Lags(Collector):
    """A histogram that takes many values at once: one by one they would cost 2 us each, on the event loop."""

    UP_TO: ClassVar = np.array(
        [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, _MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 30 * _DAY]
    )

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = np.zeros(len(self.UP_TO) + 1, dtype=np.int64)
        self._sum = 0.0

    def observe(self, lags: NDArray[np.float64]) -> None:
        """Count lags, in seconds."""
        buckets = np.searchsorted(self.UP_TO, lags)
        with self._lock:
            self._counts += np.bincount(buckets, minlength=len(self._counts))
            self._sum += float(lags.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram as it stands."""
        with self._lock:
            cumulative, total = np.cumsum(self._counts).tolist(), self._sum
        bounds = [*(str(bound) for bound in self.UP_TO.tolist()), "+Inf"]
        yield HistogramMetricFamily(
            "regulars_event_lag_seconds",
            "Seconds from when an event occurred to when it was stored or found to be there already.",
            buckets=list(zip(bounds, cumulative, strict=True)),
            sum_value=total,
        )
