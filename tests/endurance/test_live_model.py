"""What is stored of live calls, again, late, by files and after erasures, is what a plain model says, in many runs."""

from __future__ import annotations

import os
from pathlib import Path

from store.engine import Database
from tests.reliability.telling import check_model

RUNS = int(os.environ.get("MODEL_RUNS", "500"))


def test_what_is_stored_is_what_a_plain_model_says_in_many_runs(database: Database, tmp_path: Path) -> None:
    check_model(database, tmp_path, runs=RUNS)
