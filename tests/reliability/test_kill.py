"""A server that is killed while it stores loses nothing that it has answered for, and stores nothing twice."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.killing import kill_again_and_again


def test_what_was_answered_with_200_survives_kills_of_the_server(database_url: str, tmp_path: Path) -> None:
    outcome = kill_again_and_again(database_url, tmp_path, cycles=3, seed=20240101)
    assert outcome.acknowledged > 0
    assert outcome.cut_off == 12
