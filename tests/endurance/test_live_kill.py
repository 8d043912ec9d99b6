"""A server that is killed 200 times while it stores, and PostgreSQL's own server with it; `CYCLES` says how often."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.reliability.killing import Outcome, kill_again_and_again
from tests.reliability.postgresql_server import StoppableServer, stoppable_server

CYCLES = int(os.environ.get("CYCLES", "200"))
SENDERS = 4
# So often the database is killed before the server is.
CYCLES_A_STOP = 10


def test_sqlite_keeps_what_was_acknowledged_through_200_kills(sqlite_template: Path, tmp_path: Path) -> None:
    file = shutil.copy(sqlite_template, tmp_path)
    tell("SQLite", kill_again_and_again(f"sqlite:///{file}", tmp_path, cycles=CYCLES, seed=1))


def test_postgresql_keeps_what_was_acknowledged_through_200_kills_of_the_service_and_20_of_its_own(
    tmp_path: Path,
) -> None:
    with stoppable_server() as own:
        strike = _strike(own)
        tell("PostgreSQL", kill_again_and_again(own.database_url, tmp_path, cycles=CYCLES, seed=2, strike=strike))


def tell(engine: str, outcome: Outcome) -> None:
    """Print what happened, and fail unless the kills came while something was stored."""
    print(f"{engine}: {outcome}")  # noqa: T201
    assert outcome.cut_off == SENDERS * CYCLES
    assert outcome.acknowledged > CYCLES
    assert outcome.stored_all_the_same > 0


def _strike(own: StoppableServer) -> Callable[[int], None]:
    def strike(cycle: int) -> None:
        if cycle % CYCLES_A_STOP == CYCLES_A_STOP - 1:
            own.stop()
            own.start()

    return strike
