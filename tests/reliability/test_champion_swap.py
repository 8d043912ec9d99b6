"""Champions exchanged under load, two server processes: no answer fails, none mixes versions, lists are whole."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from store.engine import Database
from tests.reliability.champion_swap import swap_under_load
from tests.reliability.scored_shop import store_shop
from tests.reliability.server_process import serving


def test_no_answer_fails_or_mixes_versions_while_champions_and_runs_are_exchanged(
    database_url: str, tmp_path: Path
) -> None:
    settings = store_shop(database_url, tmp_path, models=2)
    with ExitStack() as stack:
        ports = [stack.enter_context(serving(settings, tmp_path / "log")).port for _ in range(2)]
        database = Database(database_url)
        found = swap_under_load(database, settings, ports, swaps=4)
        database.close()
    assert (found.not_2xx, found.mixed, found.not_whole) == (0, 0, 0)
    assert found.versions == {1, 2}
    assert min(found.scores, found.lists) > 10
