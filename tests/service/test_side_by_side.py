"""`regulars serve --workers 2`: two processes answer alike, and each tells what both have counted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.reliability.side_by_side import Connection, serving_side_by_side
from tests.service.conftest import Bundles
from tests.service.shop import settings_for

_STORED = 'regulars_events_total{result="stored",source="live"}'
_REJECTED = 'regulars_events_total{result="rejected",source="live"}'
_BATCHES = 'http_requests_total{handler="/v1/batch",method="POST",status="2xx"}'
_SCORES = 'http_requests_total{handler="/v1/customers/{customer_id}/score",method="GET",status="2xx"}'
_LAGS = "regulars_event_lag_seconds_count"
_WAITING = "regulars_ingest_waiting"


def test_two_processes_answer_alike_and_each_tells_the_sum_of_both(
    shops: Callable[[], str], bundles: Bundles, tmp_path: Path
) -> None:
    settings = settings_for(shops(), bundles.directory)
    with serving_side_by_side(settings, tmp_path) as served:
        pids = served.wait_for_processes(2)
        connections = [served.connect_to(pid) for pid in pids]
        scores = [_score(connection) for connection in connections for _ in range(2)]
        assert scores == [scores[0]] * 4
        assert scores[0]["model_version"] == 1
        for n, connection in enumerate(connections, start=1):
            for batch in range(3 * n):
                connection.ask("/v1/batch", _batch(f"{n}-{batch}", calls=2 * n))
        # 3 batches of 2 calls and 6 of 4, each with one that is refused.
        expected = {_STORED: 30.0, _REJECTED: 9.0, _LAGS: 30.0, _BATCHES: 9.0, _SCORES: 4.0, _WAITING: 0.0}
        # Each has its part in it.
        assert sorted(served.counted_by(pid, "regulars_events_total") for pid in pids) == [9.0, 30.0]
        # A request is counted once it is answered, which whoever asks the other process may come before.
        _wait_until(lambda: _told(connections[0], expected) == expected)
        for _ in range(3):
            others = [Connection(served.port) for _ in range(3)]
            for connection in (*connections, *others):
                assert _told(connection, expected) == expected
            for connection in others:
                connection.close()
        text = connections[0].ask("/metrics")
        assert "pid=" not in text
        assert "c007" not in text
        assert "process_cpu_seconds_total" not in text


def _score(connection: Connection) -> dict[str, Any]:
    score: dict[str, Any] = json.loads(connection.ask("/v1/customers/c007/score"))
    # Which also tells when it was given.
    del score["receipt"]
    return score


def _batch(name: str, *, calls: int) -> dict[str, object]:
    good = [
        {"type": "track", "userId": "c007", "event": "Page Viewed", "messageId": f"{name}-{call}"}
        for call in range(calls)
    ]
    return {"batch": [*good, {"type": "track", "userId": "c007"}]}


def _told(connection: Connection, names: dict[str, float]) -> dict[str, float | None]:
    samples = connection.samples()
    return {name: samples.get(name) for name in names}


def _wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
