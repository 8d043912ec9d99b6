"""Several workers on one database: all that they are sent at once is stored once, and each has its turn."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.workers import send_to_workers


def test_what_several_workers_are_sent_at_once_is_stored_once(database_url: str, tmp_path: Path) -> None:
    waits = send_to_workers(database_url, tmp_path, workers=2, batches=25)
    assert max(wait.longest for wait in waits) < 3.0
