"""Interrupted and run again, ingestion ends where one run would have."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from store.engine import Database
from store.ingest import ingest_events
from store.ingest.write import EventWriter
from store.settings import load_settings
from tests.store.ingest.conftest import LINES, RECEIVED_AT, Ingest, at_most, lines
from tests.store.ingest.stored import stored_events, stored_lines, stored_rejections

MAPPING = replace(LINES, cancelled_order_prefix="C")


def many_lines(n: int, seed: int = 5) -> str:
    """Return lines with equals, refunds, rows that can't be taken, and orders that spread over the whole file."""
    generator = np.random.default_rng(seed)
    rows = zip(
        generator.integers(0, n // 20, n).tolist(),
        generator.integers(0, n // 10, n).tolist(),
        generator.integers(1, 29, n).tolist(),
        generator.integers(-1, 6, n).tolist(),
        strict=True,
    )
    return lines(
        *(
            f"{customer if order % 50 else ''},2024-02-{day:02d},{'' if order % 9 else 'C'}{order},p{day},{n_bought},1"
            for customer, order, day, n_bought in rows
        )
    )


def everything(database: Database) -> tuple[Any, ...]:
    return stored_events(database), stored_lines(database), stored_rejections(database)


def test_a_failure_in_the_middle_changes_nothing_in_the_end(
    ingest: Ingest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = many_lines(8_000)
    at_most(monkeypatch, 1_000)
    insert_lines = EventWriter._insert_lines
    calls = 0

    def fails_once(self: EventWriter, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise OSError("no space left on device")
        return insert_lines(self, *arguments)

    monkeypatch.setattr(EventWriter, "_insert_lines", fails_once)
    with pytest.raises(OSError, match="no space left"):
        ingest(content, MAPPING)
    with database.read() as session:
        half = session.scalar(text("SELECT count(*) FROM order_line"))
    assert half is not None
    assert half > 3_000

    again = ingest(content, MAPPING)
    assert again.already_there == half
    interrupted = everything(database)
    with database.write() as session:
        for table in ("order_line", "replaced_head", "event", "rejected_row", "customer"):
            session.execute(text(f"DELETE FROM {table}"))
    clean = ingest(content, MAPPING)
    assert clean.stored == again.stored + again.already_there
    assert clean.unmatched_refunds >= again.unmatched_refunds
    assert everything(database) == interrupted


def test_a_killed_process_changes_nothing_in_the_end(
    ingest: Ingest, database: Database, database_url: str, tmp_path: Path
) -> None:
    content = many_lines(6_000)
    path = tmp_path / "killed.csv"
    path.write_text(content)
    program = (
        "import sys; from datetime import datetime; from pathlib import Path\n"
        "from store.engine import Database; from store.ingest import EventMapping, ingest_events\n"
        "from store.settings import load_settings\n"
        "import store.ingest.pace as pace\n"
        "pace.FEWEST_ROWS = pace.FIRST_ROWS = pace.MOST_ROWS = 50\n"
        f"mapping = {MAPPING!r}\n"
        "ingest_events(Database(sys.argv[1]), load_settings(), Path(sys.argv[2]), mapping,\n"
        f"              received_at=datetime.fromisoformat({RECEIVED_AT.isoformat()!r}))\n"
    )
    root = Path(__file__).resolve().parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", program, database_url, str(path)], env={**os.environ, "PYTHONPATH": str(root)}
    )
    deadline = time.monotonic() + 60
    stored = 0
    while stored < 500 and child.poll() is None and time.monotonic() < deadline:
        with database.read() as session:
            stored = session.scalar(text("SELECT count(*) FROM order_line")) or 0
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the process ended before it could be killed"
    assert 500 <= stored < 5_500

    again = ingest(content, MAPPING)
    assert again.already_there >= stored
    interrupted = everything(database)
    with database.write() as session:
        for table in ("order_line", "replaced_head", "event", "rejected_row", "customer"):
            session.execute(text(f"DELETE FROM {table}"))
    ingest(content, MAPPING)
    assert everything(database) == interrupted


def test_the_whole_of_a_file_that_ended_in_the_middle_doubles_nothing(ingest: Ingest, database: Database) -> None:
    content = many_lines(8_000)
    packed = gzip.compress(content.encode())
    part = ingest(packed[: len(packed) // 2], MAPPING, name="x.csv.gz")
    assert part.damage is not None
    assert part.stored > 1_000
    whole = ingest(packed, MAPPING, name="x.csv.gz")
    assert whole.already_there == part.stored
    stored = stored_events(database), stored_lines(database)
    assert ingest(content, MAPPING).stored == 0
    assert (stored_events(database), stored_lines(database)) == stored


def test_two_at_once_store_the_same_as_one(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    rows = many_lines(4_000).splitlines(keepends=True)
    forward, backward = tmp_path / "forward.csv", tmp_path / "backward.csv"
    forward.write_text("".join(rows))
    backward.write_text("".join([rows[0], *reversed(rows[1:])]))

    def run(path: Path) -> int:
        report = ingest_events(database, load_settings(), path, MAPPING, received_at=RECEIVED_AT)
        return report.stored

    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(run, [forward, backward, forward, backward]))
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM order_line")) == sum(stored)
    at_once = stored_events(database), stored_lines(database)
    with database.write() as session:
        for table in ("order_line", "replaced_head", "event"):
            session.execute(text(f"DELETE FROM {table}"))
    ingest("".join(rows), MAPPING)
    assert (stored_events(database), stored_lines(database)) == at_once
