"""Stores for a moment are each one's own, and nothing is left of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from store.scratch import Scratch, ScratchStores
from store.tables import Event, Source
from tests.store.ingest.live_requests import RECEIVED_AT, request, track


def tell(scratch: Scratch, events: int) -> int:
    """Store some events and return how many are stored then."""
    told = request(*(track("ada", f"event {number}") for number in range(events)))
    assert scratch.tell(told.calls, received_at=RECEIVED_AT).stored == events
    with scratch.database.read() as session:
        return session.scalar(select(func.count()).select_from(Event)) or 0


def test_each_is_ones_own_and_several_may_be_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.scratch._IN_MEMORY", tmp_path)
    stores = ScratchStores()

    def run(events: int) -> int:
        with stores.open() as scratch:
            return tell(scratch, events)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(run, range(1, 9))) == list(range(1, 9))
    stores.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_told_twice_goes_on_from_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.scratch._IN_MEMORY", tmp_path)
    stores = ScratchStores()
    with stores.open() as scratch:
        assert tell(scratch, 2) == 2
        told = request(track("ada", "event 0"), track("ada", "event 5"))
        assert scratch.tell(told.calls, received_at=RECEIVED_AT).stored == 1
        with scratch.database.read() as session:
            assert session.scalar(select(func.count()).select_from(Source)) == 1
    stores.close()


def test_where_none_was_opened_there_is_nothing_to_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.scratch._IN_MEMORY", tmp_path)
    ScratchStores().close()
    assert list(tmp_path.iterdir()) == []
