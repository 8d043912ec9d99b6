"""Figures of live ingest, as Prometheus reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue

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


def test_many_lags_at_once_are_counted_as_each_alone_would_be() -> None:
    together, alone = CollectorRegistry(), CollectorRegistry()
    metrics = IngestMetrics(together)
    edges = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 600, 3_600, 21_600, 86_400, 7 * 86_400, 30 * 86_400]
    expected = Histogram(
        "regulars_event_lag_seconds",
        "Seconds from when an event occurred to when it was stored or found to be there already.",
        buckets=edges,
        registry=alone,
    )
    rng = np.random.default_rng(5)
    # On an edge, just beside it, before the first and behind the last.
    lags = np.concatenate(
        [edges, np.nextafter(edges, 0), np.nextafter(edges, np.inf), [-1.0, 1e9], rng.gamma(1, 9, 40)]
    )
    rng.shuffle(lags)
    for some in np.array_split(lags, 5):
        metrics.observe("web", LiveResult(len(some), 0, []), some)
    for lag in lags.tolist():
        expected.observe(lag)
    told = [_samples_of_lags(registry) for registry in (together, alone)]
    np.testing.assert_allclose(told[0].pop("sum"), told[1].pop("sum"), rtol=1e-12)
    assert told[0] == told[1]
    assert len(told[0]) == len(edges) + 2


def test_what_waits_is_shown() -> None:
    registry = CollectorRegistry()
    metrics = IngestMetrics(registry)
    assert "regulars_ingest_waiting 0.0" in _told(registry)
    metrics.show_waiting(3)
    assert "regulars_ingest_waiting 3.0" in _told(registry)
    metrics.show_waiting(0)
    metrics.observe_group(0.03)
    assert {
        "regulars_ingest_waiting 0.0",
        'regulars_ingest_group_seconds_bucket{le="0.02"} 0.0',
        'regulars_ingest_group_seconds_bucket{le="0.05"} 1.0',
    } <= _told(registry)


def test_processes_that_share_a_folder_are_summed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for pid, waits in ((1, [4]), (2, [2, 1])):
        value_class = MultiProcessValue(lambda pid=pid: pid)  # type: ignore[no-untyped-call]
        monkeypatch.setattr("prometheus_client.values.ValueClass", value_class)
        # An app that is composed anew in its process goes on where the one before ended.
        for waiting in waits:
            metrics = IngestMetrics(CollectorRegistry())
            metrics.observe("web", LiveResult(3, 0, []), np.array([0.2, 7.0, 90_000.0]))
            metrics.observe_group(0.03)
            metrics.show_waiting(waiting)
        value_class.close_all_files()
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(tmp_path))  # type: ignore[no-untyped-call]
    told = _told(registry)
    assert {
        'regulars_events_total{result="stored",source="web"} 9.0',
        'regulars_event_lag_seconds_bucket{le="0.1"} 0.0',
        'regulars_event_lag_seconds_bucket{le="0.5"} 3.0',
        'regulars_event_lag_seconds_bucket{le="10.0"} 6.0',
        'regulars_event_lag_seconds_bucket{le="+Inf"} 9.0',
        "regulars_event_lag_seconds_count 9.0",
        "regulars_event_lag_seconds_sum 270021.6",
        "regulars_ingest_group_seconds_count 3.0",
        "regulars_ingest_waiting 5.0",
    } <= told
    assert not any("pid" in line for line in told)


def _samples_of_lags(registry: CollectorRegistry) -> dict[str, float]:
    (family,) = (family for family in registry.collect() if family.name == "regulars_event_lag_seconds")
    return {
        sample.labels.get("le", sample.name.rpartition("_")[2]): sample.value
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
