"""A scoring run that is killed and gone on with gives what an undisturbed one gives, and no list is ever half."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.scored_shop import store_shop
from tests.reliability.scoring_killed import kill_scoring


def test_a_killed_scoring_run_gives_one_whole_result(database_url: str, tmp_path: Path) -> None:
    settings = store_shop(database_url, tmp_path).model_copy(update={"scoring_processes": 1})
    assert kill_scoring(settings, kills=2, seed=4).kept > 0
