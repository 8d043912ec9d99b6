"""Processes that write to a database, for tests of many at once: `python -m tests.store.writers KIND URL NAME`."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from sqlalchemy import text

from store.engine import Database

__all__ = ["THREADS", "WRITES"]

THREADS, WRITES = 8, 5


def _write(database: Database, name: str, seconds: float = 0.0) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO source (name) VALUES (:name)"), {"name": name})
        time.sleep(seconds)


def _from_many_threads(database: Database, name: str) -> None:
    """Write a few times from each of some threads, then end."""
    with ThreadPoolExecutor(THREADS) as threads:
        for done in [threads.submit(_write, database, f"{name} {i}") for i in range(THREADS * WRITES)]:
            done.result()


def _greedily(database: Database, name: str) -> None:
    """Take turn after turn without a pause, until killed; each fifth is as long as a write may be."""
    for turn in count():
        _write(database, f"{name} {turn}", 0.1 if turn % 5 == 0 else 0.02)


if __name__ == "__main__":
    {"threads": _from_many_threads, "greedy": _greedily}[sys.argv[1]](Database(sys.argv[2]), sys.argv[3])
