"""Processes of `regulars serve --workers 2` killed in turn: nothing they counted is lost; `KILLS` says how often."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.reliability.scored_shop import store_shop
from tests.reliability.side_by_side import Connection, serving_side_by_side

KILLS = int(os.environ.get("KILLS", "6"))
_CALLS = 5


def test_what_a_process_counted_before_it_was_killed_stays_in_the_sum(database_url: str, tmp_path: Path) -> None:
    settings = store_shop(database_url, tmp_path)
    with serving_side_by_side(settings, tmp_path) as served, ThreadPoolExecutor(1) as pool:
        stop = threading.Event()
        asking = pool.submit(_statuses, served.port, stop)
        sent = 0
        for kill in range(KILLS):
            pids = served.wait_for_processes(2)
            for pid in pids:
                connection = served.connect_to(pid)
                connection.ask("/v1/batch", {"batch": [_call(f"{kill}-{pid}-{n}") for n in range(_CALLS)]})
                sent += _CALLS
                assert _told(connection) == (sent, sent, 0)
            os.kill(pids[kill % 2], signal.SIGKILL)
            served.wait_for_processes(2, but=pids[kill % 2])
            for _ in range(8):
                connection = Connection(served.port)
                assert _told(connection) == (sent, sent, 0)
                connection.close()
        stop.set()
        statuses = asking.result(60)
        files = len(list(served.folder.iterdir()))
        n_bytes = sum(file.stat().st_blocks * 512 for file in served.folder.iterdir())
    engine = "SQLite" if database_url.startswith("sqlite") else "PostgreSQL"
    print(f"{engine}: {KILLS} kills, /metrics meanwhile {dict(statuses)}, {files} files of {n_bytes:,} bytes")  # noqa: T201
    assert set(statuses) <= {200, 0}
    assert statuses[200] > 0


def _statuses(port: int, stop: threading.Event) -> Counter[int]:
    """Ask for metrics over and over; 0 counts requests to a process that was killed before it answered."""
    found: Counter[int] = Counter()
    while not stop.wait(0.005):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/metrics")
            with connection.getresponse() as response:
                response.read()
                found[response.status] += 1
        except (OSError, http.client.HTTPException):
            found[0] += 1
        finally:
            connection.close()
    return found


def _call(name: str) -> dict[str, str]:
    return {"type": "track", "userId": "c007", "event": "Page Viewed", "messageId": name}


def _told(connection: Connection) -> tuple[float, float, float]:
    samples = connection.samples()
    return (
        samples['regulars_events_total{result="stored",source="live"}'],
        samples["regulars_event_lag_seconds_count"],
        samples["regulars_ingest_waiting"],
    )
