"""A disk that fills up again and again, and a database that is locked or stopped for long, while events come."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from tests.reliability.killing import assert_stored_once, require_sound
from tests.reliability.postgresql_server import stoppable_server
from tests.reliability.senders import Sender, Served, assert_away, served
from tests.reliability.small_disk import ballast, postgresql_on_a_small_disk, sqlite_on_a_small_disk
from tests.reliability.test_locked import locked

ROUNDS = int(os.environ.get("ROUNDS", "20"))
SENDERS = 4
SECONDS_AWAY = 15.0


def test_a_disk_under_sqlite_is_full_again_and_again_and_nothing_is_lost(sqlite_template: Path, tmp_path: Path) -> None:
    with sqlite_on_a_small_disk(sqlite_template, tmp_path) as (shop, disk):
        fill_again_and_again(shop, disk)


def test_a_disk_under_postgresql_is_full_again_and_again_and_nothing_is_lost(
    postgresql_template: str, tmp_path: Path
) -> None:
    with postgresql_on_a_small_disk(postgresql_template, tmp_path) as (shop, disk):
        fill_again_and_again(shop, disk)


def test_a_database_that_is_locked_for_long_is_a_503_all_the_time(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path) as shop:
        senders = senders_to(shop)
        with sending(shop, senders), locked(shop.database):
            time.sleep(SECONDS_AWAY)
        tell(shop, senders)


def test_a_postgresql_that_is_stopped_and_started_is_a_503_in_between(tmp_path: Path) -> None:
    with stoppable_server() as own, served(own.database_url, tmp_path) as shop:
        senders = senders_to(shop)
        with sending(shop, senders):
            for _ in range(3):
                own.stop()
                time.sleep(SECONDS_AWAY / 3)
                own.start()
                time.sleep(SECONDS_AWAY / 3)
        # What saw it before it was stopped has lost its connections.
        shop.database.close()
        tell(shop, senders)


def fill_again_and_again(shop: Served, disk: Path) -> None:
    """Fill a disk and make room, and fail if anybody is answered late, or anything is lost."""
    senders = senders_to(shop)
    for _ in range(ROUNDS):
        refused = sum(len(sender.refused) for sender in senders)
        with sending(shop, senders), ballast(disk):
            while sum(len(sender.refused) for sender in senders) < refused + SENDERS:
                time.sleep(0.05)
    tell(shop, senders)


def senders_to(shop: Served) -> list[Sender]:
    """Return senders, the first of which has been at work already."""
    return [shop.sender, *(Sender(shop.key, number) for number in range(1, SENDERS))]


@contextmanager
def sending(shop: Served, senders: Sequence[Sender]) -> Iterator[None]:
    """Let senders send until the end of the body."""
    enough = Event()

    def send(sender: Sender) -> None:
        while not enough.is_set():
            if sender.send(shop.server.port)[0].status == 503:
                time.sleep(0.1)

    with ThreadPoolExecutor(SENDERS) as pool:
        sent = [pool.submit(send, sender) for sender in senders]
        try:
            yield
        finally:
            enough.set()
        for each in sent:
            each.result()


def tell(shop: Served, senders: Sequence[Sender]) -> None:
    """Let senders end, print what happened, and fail if a refusal came late or what was stored is not as told."""
    for sender in senders:
        assert [answer.status for answer in sender.send(shop.server.port, batches=2)] == [200, 200]
    refused = [answer for sender in senders for answer in sender.refused]
    stored = sum(len(sender.acknowledged) for sender in senders)
    slowest = max(answer.seconds for answer in refused)
    print(f"{stored:,} batches stored, {len(refused):,} refusals, the slowest after {slowest:.1f} s")  # noqa: T201
    assert_away(refused)
    require_sound(shop.database)
    assert_stored_once(shop.database, list(senders))
