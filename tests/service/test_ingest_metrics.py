"""Figures of live ingest, as Prometheus reads them."""

from __future__ import annotations

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from service.ingest_metrics import IngestMetrics
from store.ingest.live import LiveResult
from store.ingest.rejections import Rejection


def _told(registry: CollectorRegistry) -> set[str]:
    return set(generate_latest(registry).decode().splitlines())


def test_events_are_counted_by_source_and_result_and_rejections_by_code() -> None:
    registry = CollectorRegistry()
    metrics = IngestMetrics(registry)
    rejected = [Rejection(i, "timestamp", "soon", "occurred_at", "is no date") for i in range(2)]
    metrics.observe("web", LiveResult(3, 1, rejected), np.array([0.2, 0.3, 7.0, 90_000.0]))
    metrics.observe("web", LiveResult(2, 0, []), np.array([0.2, 0.1]))
    told = _told(registry)
    assert {
        'regulars_events_total{result="stored",source="web"} 5.0',
        'regulars_events_total{result="already_there",source="web"} 1.0',
        'regulars_events_total{result="rejected",source="web"} 2.0',
        'regulars_events_rejected_total{code="occurred_at",source="web"} 2.0',
        'regulars_event_lag_seconds_bucket{le="0.1"} 1.0',
        'regulars_event_lag_seconds_bucket{le="0.5"} 4.0',
        'regulars_event_lag_seconds_bucket{le="10.0"} 5.0',
        'regulars_event_lag_seconds_bucket{le="86400.0"} 5.0',
        'regulars_event_lag_seconds_bucket{le="+Inf"} 6.0',
        "regulars_event_lag_seconds_count 6.0",
    } <= told
    assert "soon" not in str(told)


def test_a_request_without_a_row_that_could_be_taken_has_no_lag() -> None:
    registry = CollectorRegistry()
    IngestMetrics(registry).observe("web", LiveResult(0, 0, []), np.empty(0))
    assert "regulars_event_lag_seconds_count 0.0" in _told(registry)


def test_what_waits_is_asked_for_when_somebody_looks() -> None:
    registry = CollectorRegistry()
    metrics, waiting = IngestMetrics(registry), [3]
    metrics.watch_waiting(lambda: waiting[0])
    assert "regulars_ingest_waiting 3.0" in _told(registry)
    waiting[0] = 0
    metrics.observe_group(0.03)
    assert {
        "regulars_ingest_waiting 0.0",
        'regulars_ingest_group_seconds_bucket{le="0.02"} 0.0',
        'regulars_ingest_group_seconds_bucket{le="0.05"} 1.0',
    } <= _told(registry)
