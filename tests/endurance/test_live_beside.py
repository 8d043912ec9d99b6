"""Live events are answered in under a second while a large file is ingested, and while every customer is scored."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from sqlalchemy import text

from benchmarks.ingest_memory import write_rows
from benchmarks.scored_shop import LATER, store_shop
from benchmarks.simulated_purchases import AS_OF
from models.bundle import save_bundle
from models.segment_policy import SegmentPolicy
from store import policies, registry
from store.engine import Database
from store.settings import Settings
from tests.reliability.killing import require_sound
from tests.reliability.senders import Answer, Sender, told_facts
from tests.reliability.server_process import make_key, serving, settings_in
from tests.reliability.workers import Waits, send_to_workers

LINES = int(os.environ.get("BESIDE_LINES", "5000000"))
BATCHES_OF_A_SENDER = int(os.environ.get("WORKERS_BATCHES", "500"))
ROOT = Path(__file__).resolve().parents[2]
_SENDERS, _REQUESTS_A_SECOND = 4, 20
_CUSTOMERS_TO_FIT = 2_000
_MOST_SECONDS = 1.0
_COLUMNS = [
    *("--customer-id", "customer", "--occurred-at", "at", "--order-id", "order"),
    *("--product", "product", "--quantity", "quantity", "--value", "value"),
]


def test_live_events_are_answered_in_under_a_second_beside_a_large_file_and_a_scoring_run(
    database_url: str, tmp_path: Path
) -> None:
    database = Database(database_url)
    settings = settings_in(tmp_path, database_url)
    _make_champion(database, settings, tmp_path / "shop")
    key = make_key(database)
    senders = [Sender(key, number) for number in range(_SENDERS)]
    file = tmp_path / "lines.csv"
    write_rows(file, LINES)
    waits = []
    with serving(settings, tmp_path / "server.log") as server:
        # What a process does once, at its first request, is no wait for others.
        senders[0].send(server.port)
        for command in (["ingest", "events", str(file), *_COLUMNS], ["score"]):
            begun = time.monotonic()
            waits.append(Waits.of(_send_beside(command, settings, tmp_path, senders, server.port)))
            seconds = time.monotonic() - begun
            print(f"{_engine(database)}: {LINES:,} lines, {command[0]} in {seconds:.0f} s: {waits[-1]}")  # noqa: T201
    require_sound(database)
    assert _n_events(database, "shop") == len(told_facts(senders))
    assert _n_lines(database, "file") == LINES
    database.close()
    assert [waited.refused for waited in waits] == [0, 0]
    assert max(waited.p99 for waited in waits) < _MOST_SECONDS


def test_each_of_several_workers_has_its_turn(database_url: str, tmp_path: Path) -> None:
    waits = send_to_workers(database_url, tmp_path, workers=2, batches=BATCHES_OF_A_SENDER)
    for number, waited in enumerate(waits, start=1):
        print(f"{database_url.partition(':')[0]}, worker {number}: {waited}")  # noqa: T201
    assert max(waited.p99 for waited in waits) < _MOST_SECONDS


def _make_champion(database: Database, settings: Settings, folder: Path) -> None:
    """Make a model that judges everybody the champion; it is fitted to a shop of its own."""
    folder.mkdir()
    bundle = store_shop(folder, _CUSTOMERS_TO_FIT)
    name, bundle_hash = save_bundle(bundle, settings.bundle_dir)
    with database.write() as session:
        policy, _ = policies.ensure_policy(session, SegmentPolicy().to_dict(), now=LATER)
        version = registry.register(
            session,
            bundle=name,
            bundle_hash=bundle_hash,
            report=bundle.report,
            test_metrics={},
            training_run_id=None,
            now=LATER,
        ).version
        policies.write_cutoffs(session, bundle.cutoffs.to_dict(), model_version=version, policy_version=policy)
        registry.promote(session, version, now=LATER)


def _send_beside(
    command: Sequence[str], settings: Settings, folder: Path, senders: Sequence[Sender], port: int
) -> list[Answer]:
    """Send at a moderate rate for as long as a command of ours takes; return the answers."""
    given = {
        "REGULARS_DATABASE_URL": settings.database_url,
        "REGULARS_BUNDLE_DIR": str(settings.bundle_dir),
        "REGULARS_SECRET_FILE": str(settings.secret_file),
        "REGULARS_AS_OF": AS_OF.isoformat(),
        "REGULARS_TIMEZONE": "UTC",
        "PYTHONPATH": str(ROOT),
    }
    ended = Event()
    with (folder / f"{command[0]}.log").open("w") as log, ThreadPoolExecutor(len(senders)) as pool:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", *command], cwd=folder, env=os.environ | given, stdout=log, stderr=log
        )
        try:
            sending = [pool.submit(_send_steadily, sender, port, ended) for sender in senders]
            status = process.wait()
        finally:
            ended.set()
    assert status == 0, (folder / f"{command[0]}.log").read_text()
    return [answer for sent in sending for answer in sent.result()]


def _send_steadily(sender: Sender, port: int, ended: Event) -> list[Answer]:
    """Send a batch at each moment that is due, or at once where the one before took longer."""
    answers: list[Answer] = []
    due = time.monotonic()
    while not ended.wait(max(due - time.monotonic(), 0.0)):
        answers += sender.send(port)
        due += _SENDERS / _REQUESTS_A_SECOND
    return answers


def _engine(database: Database) -> str:
    return "SQLite" if database.is_sqlite else "PostgreSQL"


def _n_events(database: Database, source: str) -> int:
    return _count(
        database, "SELECT count(*) FROM event e JOIN source s ON s.id = e.source_id WHERE s.name = :s", source
    )


def _n_lines(database: Database, source: str) -> int:
    of_source = "SELECT e.id FROM event e JOIN source s ON s.id = e.source_id WHERE s.name = :s"
    return _count(database, f"SELECT count(*) FROM order_line WHERE event_id IN ({of_source})", source)


def _count(database: Database, query: str, source: str) -> int:
    with database.read() as session:
        return int(session.execute(text(query), {"s": source}).scalar_one())
