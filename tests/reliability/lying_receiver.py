"""A receiver of webhooks that is down, slow, lies about what it took, and is back; and what it was told in the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event, Thread

from sqlalchemy import select

from store.engine import Database
from store.settings import load_settings
from store.tables import OutboxEvent, WebhookDelivery
from tests.receivers import Received, Receiver, Reply, reply, says
from tests.store.builders import add_customers
from tests.store.webhook_rows import add_endpoint, write_change
from training.delivery import deliver

__all__ = ["DELAYS", "Told", "numbers_by_customer", "tell_through_a_lying_receiver"]

# Instead of three days: some twelve seconds, in which a receiver that is down for two is back.
DELAYS = tuple(timedelta(seconds=seconds) for seconds in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3, 3, 3))
_SECONDS_DOWN = 1.5
_SECONDS_TO_END = 400


@dataclass(frozen=True)
class Told:
    """What came, for a report.

    Attributes
    ----------
    changes : int
        That were written.
    requests : int
        That came; those beyond the changes are of receivers that lied, or could not be heard.
    doubled : int
    downs : int
        How often nobody listened.
    seconds : float
    """

    changes: int
    requests: int
    doubled: int
    downs: int
    seconds: float


def tell_through_a_lying_receiver(database: Database, *, customers: int, changes: int, downs: int, seed: int) -> Told:
    """Write changes while a worker's loop delivers them; `DELAYS` must be the schedule's by then.

    Raises
    ------
    AssertionError
        A change did not come, came out of order within its customer, or was signed by somebody else.
    """
    chance = Random(seed)
    add_customers(database, [f"c{i}" for i in range(customers)])
    there = Receiver()
    endpoint = add_endpoint(database, there.url)
    received = there.received

    def answer(_number: int, _received: Received) -> Reply:
        return _moods(chance)

    there.answer = answer
    there.secret = endpoint.secret
    settings = load_settings(database_url="sqlite:///x", webhook_allow_private=True, worker_poll_seconds=0.05)
    stop = Event()
    worker = Thread(target=deliver, args=(database, settings), kwargs={"stop": stop, "now": lambda: datetime.now(UTC)})
    writer = Thread(target=_write, args=(database, endpoint.id, customers, changes, Random(seed + 1)))
    began = time.monotonic()
    worker.start()
    writer.start()
    for down in range(downs):
        while len(received) < changes * (down + 1) // (downs + 1) and time.monotonic() < began + _SECONDS_TO_END:
            time.sleep(0.02)
        there.close()
        time.sleep(_SECONDS_DOWN)
        there = Receiver(there.port, before=there)
    writer.join()
    while _pending(database) and time.monotonic() < began + _SECONDS_TO_END:
        time.sleep(0.1)
    stop.set()
    worker.join()
    there.close()
    seconds = time.monotonic() - began
    assert there.forged == []
    _require_in_order(database, received)
    doubled = len(received) - len({each.message_id for each in received})
    return Told(changes, len(received), doubled, downs, seconds)


def numbers_by_customer(received: Sequence[Received]) -> Mapping[str, list[int]]:
    """Return what came of each customer, as it came."""
    numbers = defaultdict(list)
    for each in received:
        data = each.json["data"]
        numbers[data["customer_id"]].append(data["number"])
    return numbers


def _require_in_order(database: Database, received: Sequence[Received]) -> None:
    with database.read() as session:
        written = session.scalars(select(OutboxEvent.data).order_by(OutboxEvent.id)).all()
        assert set(session.scalars(select(WebhookDelivery.status).distinct())) == {"delivered"}
    expected = defaultdict(list)
    for data in written:
        expected[data["customer_id"]].append(data["number"])
    for customer, numbers in numbers_by_customer(received).items():
        # What comes twice comes before the next one.
        assert numbers == sorted(numbers), customer
        assert sorted(set(numbers)) == expected.pop(customer)
    assert not expected


def _write(database: Database, endpoint_id: int, customers: int, changes: int, chance: Random) -> None:
    number = 0
    while number < changes:
        with database.write() as session:
            for _ in range(min(chance.randint(1, 20), changes - number)):
                of = chance.randint(1, customers)
                write_change(session, [endpoint_id], of, number, at=datetime.now(UTC))
                number += 1
        time.sleep(chance.uniform(0, 0.05))


def _pending(database: Database) -> bool:
    with database.read() as session:
        return (
            session.scalar(select(WebhookDelivery.id).where(WebhookDelivery.status == "pending").limit(1)) is not None
        )


def _moods(chance: Random) -> Reply:
    draw = chance.random()
    if draw < 0.06:
        return reply(500, b"taken all the same")
    if draw < 0.10:
        return reply(503, retry_after="0")
    if draw < 0.14:
        return says(b"")
    if draw < 0.18:
        return says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    if draw < 0.22:
        return says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nno gzip")
    if draw < 0.25:
        return says(b"no HTTP at all\r\n\r\n")
    if draw < 0.28:
        time.sleep(0.2)
    return reply(200, b"{")
