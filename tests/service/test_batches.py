"""Large batches are scored by other processes, which answer as this one does and are missed by nobody."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from typing import Any, ClassVar

import pytest
from sqlalchemy import select

from service.batches import Batches, Scoring
from store.tables import Customer
from tests.service.conftest import Shop

# Two processes that start beside a test on a busy machine.
SECONDS_TO_START = 60


class Here(Scoring):
    """This process's own, which counts what it is asked."""

    asked = 0

    def answer(self, customer_ids: Sequence[str]) -> bytes:
        Here.asked += 1
        return super().answer(customer_ids)


@pytest.fixture
def here(shop: Shop) -> Iterator[Here]:
    opened = Here.opened(shop.settings)
    Here.asked = 0
    yield opened
    opened.database.close()


@pytest.fixture
def batches(here: Here, shop: Shop) -> Iterator[Batches]:
    opened = Batches(here, shop.settings, 1)
    yield opened
    opened.close()


@pytest.fixture
def ids(shop: Shop) -> list[str]:
    with shop.database.read() as session:
        return [*session.scalars(select(Customer.customer_id).order_by(Customer.id).limit(60)), "nobody"]


def plain(answer: bytes) -> dict[str, Any]:
    """Return an answer without its receipts, which say when they were given."""
    told: dict[str, Any] = json.loads(answer)
    return {**told, "scores": [{**score, "receipt": None} for score in told["scores"]]}


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask_elsewhere(batches: Batches, ids: list[str]) -> bytes:
    """Ask until somebody else has answered."""
    found = b""

    def was_elsewhere() -> bool:
        nonlocal found
        before = Here.asked
        found = batches.answer(ids)
        return Here.asked == before

    until(was_elsewhere)
    return found


def test_others_answer_as_this_process_does_and_whoever_kills_them_is_not_noticed(
    shop: Shop, batches: Batches, here: Here, ids: list[str]
) -> None:
    # Nobody waits until they have started.
    own = plain(batches.answer(ids))
    assert Here.asked == 1
    assert own["unknown"] == ["nobody"]
    found = ask_elsewhere(batches, ids)
    assert plain(found) == own
    # The receipts of others are good here.
    with shop.database.read() as session:
        for score in json.loads(found)["scores"][:3]:
            again = here.receipts.replay(session, here.receipts.read(score["receipt"]))
            assert again.by_customer[score["customer_id"]]["clv"] == score["clv"]
    # Small ones stay here.
    before = Here.asked
    batches.answer(ids[:3])
    assert Here.asked == before + 1

    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    assert plain(batches.answer(ids)) == own
    assert plain(ask_elsewhere(batches, ids)) == own
    batches.close()
    assert multiprocessing.active_children() == []
    assert plain(batches.answer(ids)) == own


class Failing:
    """Others who are ready, and of whom nothing comes."""

    begun: ClassVar[list[Failing]] = []
    error: ClassVar[Exception | None] = None

    def __init__(self, *_: object) -> None:
        Failing.begun.append(self)
        self.is_closed = False

    def is_ready(self) -> bool:
        return True

    def answer(self, _: Sequence[str]) -> bytes | None:
        if Failing.error is not None:
            raise Failing.error
        return None

    def close(self, *, wait: bool) -> None:
        assert not wait
        self.is_closed = True


@pytest.mark.parametrize(
    ("error", "n_begun"),
    [
        (None, 1),
        (BrokenProcessPool("killed"), 2),
        (TimeoutError(), 1),
        (CancelledError(), 2),
        (RuntimeError("closed"), 2),
    ],
)
def test_what_others_do_not_answer_is_answered_here_and_whoever_is_gone_is_replaced(
    shop: Shop, here: Here, ids: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception | None, n_begun: int
) -> None:
    monkeypatch.setattr("service.batches._Pool", Failing)
    monkeypatch.setattr(Failing, "begun", [])
    monkeypatch.setattr(Failing, "error", error)
    batches = Batches(here, shop.settings, 2)
    own = plain(here.answer(ids))
    for _ in range(2):
        assert plain(batches.answer(ids)) == own
    assert len(Failing.begun) == n_begun
    assert all(pool.is_closed for pool in Failing.begun) == (n_begun == 2)
    assert Here.asked == 3


def test_whoever_takes_too_long_is_not_waited_for_and_stays(
    here: Here, batches: Batches, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_elsewhere(batches, ids)
    (process,) = multiprocessing.active_children()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr("service.batches._LONGEST_SECONDS", 0.05)
    before = Here.asked
    assert plain(batches.answer(ids)) == plain(here.answer(ids))
    assert Here.asked == before + 2
    os.kill(process.pid, signal.SIGCONT)
    monkeypatch.setattr("service.batches._LONGEST_SECONDS", 60)
    ask_elsewhere(batches, ids)
    assert multiprocessing.active_children() == [process]


def test_without_others_all_is_answered_here(shop: Shop, here: Here, ids: list[str]) -> None:
    assert plain(Batches(here, shop.settings, 0).answer(ids)) == plain(here.answer(ids))
    assert Here.asked == 2
    assert multiprocessing.active_children() == []
