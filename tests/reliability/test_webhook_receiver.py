"""A receiver of webhooks that is down, slow and lies is told everything in the end, in order per customer."""

from __future__ import annotations

import pytest

from store.engine import Database
from tests.reliability.lying_receiver import DELAYS, tell_through_a_lying_receiver


def test_a_lying_receiver_is_told_every_change_in_order(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.retry_schedule.DELAYS", DELAYS)
    told = tell_through_a_lying_receiver(database, customers=20, changes=80, downs=1, seed=3)
    assert told.requests >= told.changes == 80
