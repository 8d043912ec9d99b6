"""A scoring run killed ten times; `KILLS` says how often."""

from __future__ import annotations

import os
from pathlib import Path

from tests.reliability.scored_shop import store_shop
from tests.reliability.scoring_killed import kill_scoring

KILLS = int(os.environ.get("KILLS", "10"))


def test_a_scoring_run_killed_ten_times_gives_one_whole_result(database_url: str, tmp_path: Path) -> None:
    settings = store_shop(database_url, tmp_path).model_copy(update={"scoring_processes": 1})
    found = kill_scoring(settings, kills=KILLS, seed=7)
    print(f"{database_url.partition(':')[0]}: {found}")  # noqa: T201
    assert found.while_running > 0
    assert found.kept > 0
