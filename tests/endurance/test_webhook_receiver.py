"""Thousands of changes for a receiver that is down, slow and lies; `CHANGES` says how many."""

from __future__ import annotations

import os

import pytest

from store.engine import Database
from tests.reliability.lying_receiver import DELAYS, tell_through_a_lying_receiver

CHANGES = int(os.environ.get("CHANGES", "3000"))


def test_a_lying_receiver_is_told_thousands_of_changes_in_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.retry_schedule.DELAYS", DELAYS)
    told = tell_through_a_lying_receiver(database, customers=300, changes=CHANGES, downs=5, seed=4)
    print(f"{database.engine.dialect.name}: {told}")  # noqa: T201
    assert told.doubled > 0
