"""Workers that are killed 200 times while changes are written and told; `CYCLES` says how often."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.clones import Clones
from tests.reliability.worker_process import Killed, kill_workers

CYCLES = int(os.environ.get("CYCLES", "200"))


def test_sqlite_tells_every_change_in_order_through_200_kills(sqlite_template: Path, tmp_path: Path) -> None:
    file = shutil.copy(sqlite_template, tmp_path)
    tell("SQLite", kill_workers(f"sqlite:///{file}", tmp_path, cycles=CYCLES, seed=1))


def test_postgresql_tells_every_change_in_order_through_200_kills(postgresql_clones: Clones, tmp_path: Path) -> None:
    url = postgresql_clones.next()
    tell("PostgreSQL", kill_workers(url, tmp_path, cycles=CYCLES, seed=2))
    postgresql_clones.drop(url)


def tell(engine: str, killed: Killed) -> None:
    """Print what happened, and fail unless everything came in order, though kills cut some of it off."""
    print(f"{engine}: {killed}")  # noqa: T201
    assert (killed.lost, killed.out_of_order) == (0, 0)
    assert killed.changes > CYCLES
    assert killed.between_kills > 0
    assert killed.doubled > 0
