"""Whatever comes in whatever order, live, again, late, by file or after an erasure: what is stored is what was told."""

from __future__ import annotations

from pathlib import Path

from store.engine import Database
from tests.reliability.telling import check_model


def test_what_is_stored_is_what_a_plain_model_says(database: Database, tmp_path: Path) -> None:
    check_model(database, tmp_path, runs=12)
