"""Delivering webhooks by several workers, to slow and broken receivers: in order, and nobody waits for others."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise
from random import Random
from threading import Event, Lock, Thread

import pytest
import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError

from store.engine import Database
from store.settings import load_settings
from store.tables import OutboxEvent, WebhookDelivery, WebhookEndpoint
from store.webhook_queue import any_pending
from tests.receivers import Received, Receiver, Reply, receiver, reply, unused_port
from tests.store.builders import add_customers
from tests.store.webhook_rows import add_endpoint, deliveries, tell
from tests.training.delivering import START, Clock, client, deliver_all, statuses
from training import delivery
from training.delivery import Deliverer, deliver
from training.retry_schedule import DELAYS
from training.webhook_client import Answer, WebhookClient
from training.webhook_message import Message


@pytest.mark.parametrize("workers", [1, 3])
def test_each_customer_is_told_in_order_whatever_fails_and_however_many_workers_there_are(
    database: Database, there: Receiver, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock goes on by far less than a lease at a time.
    monkeypatch.setattr("training.retry_schedule.DELAYS", (timedelta(seconds=2),) * len(DELAYS))
    add_customers(database, [f"c{i}" for i in range(6)])
    add_endpoint(database, there.url)
    chance = Random(7)
    customers = [chance.choice([1, 2, 3, 4, 5, 6, None]) for _ in range(60)]
    tell(database, 1, customers, at=START)
    taken: list[int] = []
    on_the_wire: set[str] = set()
    wrong: list[str] = []
    mutex = Lock()
    clock = Clock()

    def send(message: Message) -> Answer:
        said = Received("", {}, message.body, 0.0).json["data"]
        with mutex:
            if said["customer_id"] in on_the_wire:
                wrong.append(said["customer_id"])
            on_the_wire.add(said["customer_id"])
            fails = chance.random() < 0.3
        time.sleep(0.002)
        with mutex:
            on_the_wire.discard(said["customer_id"])
            if fails:
                return Answer(500)
            taken.append(said["number"])
        return Answer(200)

    end = time.monotonic() + 60

    def work(seed: int) -> None:
        deliverer = Deliverer(database, send, now=clock, randomness=Random(seed))
        while len(taken) < len(customers) and time.monotonic() < end:
            if deliverer.go_on():
                deliverer.wait(1)
            else:
                with mutex:
                    clock.go_on(timedelta(seconds=1))
                time.sleep(0.002)
        deliverer.close()

    threads = [Thread(target=work, args=(seed,)) for seed in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert wrong == []
    assert sorted(taken) == list(range(60))
    for customer in {*customers}:
        numbers = [number for number in taken if customers[number] == customer]
        assert all(one < other for one, other in pairwise(numbers))
    assert set(statuses(database)) == {"delivered"}


def test_a_slow_endpoint_and_one_that_is_down_keep_nobody_else_waiting(database: Database, there: Receiver) -> None:
    add_customers(database, [f"c{i}" for i in range(30)])
    with receiver() as slow:

        def stall(*_: object) -> Reply:
            slow.done.wait(9)
            return reply(200)

        slow.answer = stall
        for url in (slow.url, f"http://127.0.0.1:{unused_port()}/", there.url):
            add_endpoint(database, url)
        for endpoint in (1, 2, 3):
            tell(database, endpoint, range(1, 31), at=START)
        deliverer = Deliverer(database, WebhookClient(allow_private=True).send, now=Clock(), randomness=Random(0))
        began = time.monotonic()
        while len(there.received) < 30 and time.monotonic() < began + 9:
            deliverer.go_on()
            deliverer.wait(0.05)
        took = time.monotonic() - began
        slow.done.set()
        deliverer.close()
    assert len(there.received) == 30
    # Before the slow one has answered at all.
    assert took < 9
    assert len(slow.received) <= 4


def test_a_process_that_stood_still_does_not_send_what_another_may_have_taken_over(
    database: Database, clock: Clock
) -> None:
    add_endpoint(database, "http://127.0.0.1/")
    tell(database, 1, [None], at=clock.time)
    sent: list[Message] = []

    def send(message: Message) -> Answer:
        sent.append(message)
        return Answer(200)

    deliverer = Deliverer(database, send, now=clock, randomness=Random(0))
    real = deliverer._attempt

    def late(claimed: object) -> object:
        clock.go_on(timedelta(seconds=40))
        return real(claimed)  # type: ignore[arg-type]

    deliverer._attempt = late  # type: ignore[method-assign, assignment]
    deliverer.go_on()
    deliverer.wait(5)
    deliverer.close()
    assert sent == []
    assert [(each.status, each.attempts) for each in deliveries(database)] == [("pending", 0)]


def test_what_came_of_an_attempt_is_kept_while_the_database_is_away(
    database: Database, clock: Clock, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None], at=clock.time)
    deliverer = Deliverer(database, client().send, now=clock, randomness=Random(0))
    deliverer.go_on()
    deliverer.wait(5)

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "record", fail)
        for _ in range(2):
            with pytest.raises(OperationalError):
                deliverer.go_on()
    deliverer.go_on()
    deliverer.close()
    assert len(there.received) == 1
    assert statuses(database) == ["delivered"]


def test_a_delivery_that_can_not_be_made_fails_alone(database: Database, clock: Clock, there: Receiver) -> None:
    for _ in range(2):
        add_endpoint(database, there.url)
    with database.write() as session:
        session.get_one(WebhookEndpoint, 1).secret = ""
    tell(database, 1, [None], at=clock.time)
    tell(database, 2, [None], at=clock.time)
    deliver_all(database, clock)
    broken, fine = deliveries(database)
    assert (broken.status, broken.last_error) == ("pending", "It could not be sent: EmptyWebhookSecretError.")
    assert fine.status == "delivered"


def test_rows_that_vanish_while_they_are_on_the_wire_are_missed_by_nobody(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None, None], at=clock.time)

    def erase(_number: int, _received: Received) -> Reply:
        with database.write() as session:
            session.execute(delete(WebhookDelivery))
            session.execute(delete(OutboxEvent))
        return reply(200)

    there.answer = erase
    deliver_all(database, clock)
    assert len(there.received) == 1
    assert deliveries(database) == []


def test_ids_differ_between_changes_though_the_database_gives_a_number_again(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_endpoint(database, there.url)
    for _ in range(2):
        tell(database, 1, [None], at=clock.time)
        deliver_all(database, clock)
        with database.write() as session:
            session.execute(delete(WebhookDelivery))
            session.execute(delete(OutboxEvent))
        clock.go_on(timedelta(seconds=1))
    assert len(set(there.ids)) == 2


def test_the_loop_delivers_logs_numbers_alone_and_outlives_the_database(
    database: Database, there: Receiver, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    add_customers(database, ["ada-lovelace"])
    add_endpoint(database, there.url + "?token=hidden")
    there.answer = lambda number, _: reply(500 if number == 0 else 200)
    tell(database, 1, [1, None], at=START)
    settings = load_settings(database_url="sqlite:///x", webhook_allow_private=True, worker_poll_seconds=0.02)
    stop = Event()
    looks: list[int] = []
    real = any_pending

    def away_at_first(*arguments: object) -> bool:
        looks.append(1)
        if len(looks) == 2:
            raise OperationalError("SELECT", {}, Exception("ada-lovelace"))
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(delivery, "any_pending", away_at_first)
    # What structlog has made ready for another test writes where that one wrote.
    structlog.reset_defaults()
    clock = Clock()
    thread = Thread(target=deliver, args=(database, settings), kwargs={"stop": stop, "now": clock})
    thread.start()
    end = time.monotonic() + 20
    while "pending" in statuses(database) and time.monotonic() < end:
        clock.go_on(timedelta(seconds=1))
        time.sleep(0.02)
    stop.set()
    thread.join(20)
    assert statuses(database) == ["delivered", "delivered"]
    logged = "".join(capfd.readouterr())
    assert "webhooks_interrupted" in logged
    assert "webhook_failed" in logged
    for secret in ("hidden", "ada", "127.0.0.1"):
        assert secret not in logged
    with database.read() as session:
        assert session.scalars(select(WebhookDelivery.last_error)).all() == [None, None]
