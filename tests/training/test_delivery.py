"""Delivering webhooks to real receivers: signatures, retries, order, dead letters, slow and broken ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from threading import Event, Lock, Thread

import pytest
import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError
from standardwebhooks import Webhook, WebhookVerificationError

from store import webhooks
from store.engine import Database
from store.settings import load_settings
from store.tables import OutboxEvent, WebhookDelivery, WebhookEndpoint
from store.webhook_deliveries import replay_dead
from store.webhook_queue import any_pending
from tests.receivers import Received, Receiver, Reply, receiver, reply, unused_port
from tests.store.builders import add_customers
from tests.store.webhook_rows import add_endpoint, deliveries, tell
from training import delivery
from training.delivery import Deliverer, deliver
from training.retry_schedule import DELAYS, MOST_ATTEMPTS
from training.webhook_client import Answer, WebhookClient
from training.webhook_message import Message

START = datetime.now(UTC)


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        # The package verifies against the clock of this machine, five minutes back.
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def go_on(self, wait: timedelta) -> None:
        self.time += wait


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as it:
        yield it


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _client() -> WebhookClient:
    return WebhookClient(allow_private=True, seconds_in_all=1.0)


def _deliver_all(database: Database, clock: Clock, send: Callable[[Message], Answer] | None = None) -> None:
    """Send all that is due now, and what that makes due."""
    deliverer = Deliverer(database, send or _client().send, now=clock, randomness=Random(0))
    while deliverer.go_on():
        assert deliverer.wait(5)
    deliverer.close()


def _statuses(database: Database) -> list[str]:
    return [each.status for each in deliveries(database)]


def test_a_change_is_told_as_the_specification_says_and_verified_by_its_package(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_customers(database, ["ada"])
    endpoint = add_endpoint(database, there.url)
    changed = datetime(2026, 3, 1, 6, 0, 0, 250_000, tzinfo=UTC)
    tell(database, endpoint.id, [1], at=changed)
    _deliver_all(database, clock)
    (came,) = there.received
    said = b'{"type":"customer.segment_entered","timestamp":"2026-03-01T06:00:00.250000Z","data":'
    assert came.body == said + b'{"customer_id":"c1","number":0}}'
    assert came.verified(endpoint.secret) == came.json
    assert came.headers["content-type"] == "application/json"
    assert came.headers["user-agent"].startswith("Regulars/")
    assert came.headers["webhook-timestamp"] == str(int(clock.time.timestamp()))
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(came.body, dict(came.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(came.body + b" ", dict(came.headers))
    (done,) = deliveries(database)
    assert (done.status, done.attempts, done.last_status, done.delivered_at) == ("delivered", 1, 200, clock.time)


def test_during_a_rotation_both_secrets_verify_and_after_it_the_new_one_alone(
    database: Database, clock: Clock, there: Receiver
) -> None:
    old = add_endpoint(database, there.url).secret
    with database.write() as session:
        new = webhooks.rotate_secret(session, 1, previous_valid_for=timedelta(minutes=2), now=clock.time).secret
    tell(database, 1, [None], at=clock.time)
    _deliver_all(database, clock)
    clock.go_on(timedelta(minutes=3))
    tell(database, 1, [None], at=clock.time)
    _deliver_all(database, clock)
    during, after = there.received
    assert during.headers["webhook-signature"].count(" v1,") == 1
    assert during.verified(old) == during.verified(new)
    assert after.verified(new)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        after.verified(old)


def test_what_fails_is_tried_again_under_the_same_id_by_the_schedule_until_it_is_taken(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None], at=clock.time)
    there.answer = lambda number, _: reply(500 if number < 2 else 200)
    _deliver_all(database, clock)
    (waiting,) = deliveries(database)
    assert (waiting.status, waiting.attempts, waiting.last_status) == ("pending", 1, 500)
    assert waiting.last_error == "It answered 500."
    clock.go_on(DELAYS[0] - timedelta(milliseconds=1))
    _deliver_all(database, clock)
    assert len(there.received) == 1
    for delay in (DELAYS[0] * 0.1 + timedelta(milliseconds=1), DELAYS[1] * 1.1):
        clock.go_on(delay)
        _deliver_all(database, clock)
    assert len(there.received) == 3
    assert len(set(there.ids)) == 1
    assert len({each.body for each in there.received}) == 1
    assert len({each.headers["webhook-timestamp"] for each in there.received}) == 3
    assert _statuses(database) == ["delivered"]


def test_what_is_never_taken_is_dead_after_ten_attempts_and_can_be_replayed(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_customers(database, ["ada"])
    down = f"http://127.0.0.1:{unused_port()}/hooks"
    add_endpoint(database, down)
    tell(database, 1, [1, 1], at=clock.time)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        _deliver_all(database, clock)
        first, second = deliveries(database)
        assert first.attempts == attempt
        # Its customer waits until it is dead, and then goes on at once.
        assert second.attempts == (0 if attempt < MOST_ATTEMPTS else 1)
        if attempt < MOST_ATTEMPTS:
            clock.go_on(DELAYS[attempt - 1] * 1.1 + timedelta(milliseconds=1))
    assert (first.status, first.last_error, first.last_status) == ("dead", "The connection was refused.", None)
    clock.go_on(timedelta(minutes=2))
    with database.write() as session:
        session.get_one(WebhookEndpoint, 1).url = there.url
    assert replay_dead(database, 1, since=START, now=clock.time) == 1
    _deliver_all(database, clock)
    clock.go_on(timedelta(seconds=5))
    _deliver_all(database, clock)
    assert [came.json["data"]["number"] for came in there.received] == [0, 1]
    assert _statuses(database) == ["delivered", "delivered"]


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_receiver_that_says_when_to_come_again_is_not_asked_before(
    database: Database, clock: Clock, there: Receiver, status: int
) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None], at=clock.time)
    there.answer = lambda number, _: reply(status, retry_after="600") if number == 0 else reply(200)
    _deliver_all(database, clock)
    clock.go_on(timedelta(seconds=599))
    _deliver_all(database, clock)
    assert len(there.received) == 1
    clock.go_on(timedelta(seconds=62))
    _deliver_all(database, clock)
    assert _statuses(database) == ["delivered"]


@pytest.mark.parametrize(("status", "n_at_first"), [(429, 1), (503, 1), (500, 3)])
def test_whoever_is_overburdened_is_sent_nothing_of_anybody_before_the_time_it_asked_for(
    database: Database, clock: Clock, there: Receiver, status: int, n_at_first: int
) -> None:
    add_customers(database, ["ada", "bob", "eve"])
    add_endpoint(database, there.url)
    tell(database, 1, [1, 2, 3], at=clock.time)
    there.answer = lambda number, _: reply(status, retry_after="600") if number < n_at_first else reply(200)
    deliverer = Deliverer(database, _client().send, now=clock, randomness=Random(1), threads=1)
    with closing(deliverer):

        def go_on() -> None:
            while deliverer.go_on():
                deliverer.wait(5)

        go_on()
        clock.go_on(timedelta(seconds=590))
        go_on()
        assert len(there.received) == n_at_first
        clock.go_on(timedelta(seconds=72))
        go_on()
    assert _statuses(database) == ["delivered"] * 3


def test_gone_disables_the_endpoint_and_what_waits_is_dead(database: Database, clock: Clock, there: Receiver) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database, there.url)
    tell(database, 1, [1, 1, 1], at=clock.time)
    there.answer = lambda *_: reply(410)
    _deliver_all(database, clock)
    _deliver_all(database, clock)
    assert len(there.received) == 1
    assert _statuses(database) == ["dead"] * 3
    with database.read() as session:
        endpoint = session.get_one(WebhookEndpoint, 1)
        assert (endpoint.disabled_at, endpoint.disabled_why) == (clock.time, "It answered 410 Gone.")
    assert deliveries(database)[2].last_error == "The webhook is disabled: It answered 410 Gone."
    there.answer = lambda *_: reply(200)
    with database.write() as session:
        webhooks.enable_endpoint(session, 1)
    assert replay_dead(database, 1, since=START, now=clock.time) == 3
    _deliver_all(database, clock)
    assert [came.json["data"]["number"] for came in there.received[1:]] == [0, 1, 2]


def test_an_endpoint_that_takes_nothing_for_longer_than_all_attempts_last_is_disabled(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database, there.url)
    there.answer = lambda *_: reply(500)
    began = clock.time
    for customer in (1, 2):
        tell(database, 1, [customer], at=clock.time)
        _deliver_all(database, clock)
        with database.read() as session:
            endpoint = session.get_one(WebhookEndpoint, 1)
        assert endpoint.failing_since == began
        clock.go_on(timedelta(hours=84, seconds=1))
    assert endpoint.disabled_at is not None
    assert endpoint.disabled_why == f"It has taken nothing since {began:%Y-%m-%d %H:%M} UTC."
    _deliver_all(database, clock)
    assert _statuses(database) == ["dead", "dead"]
    there.answer = lambda *_: reply(200)
    with database.write() as session:
        assert webhooks.enable_endpoint(session, 1).failing_since is None
    assert replay_dead(database, 1, since=START, now=clock.time) == 2
    _deliver_all(database, clock)
    assert _statuses(database) == ["delivered", "delivered"]


def test_one_success_begins_the_time_of_failing_anew(database: Database, clock: Clock, there: Receiver) -> None:
    add_customers(database, ["ada", "bob", "cy"])
    add_endpoint(database, there.url)
    for customer, status in ((1, 500), (2, 200), (3, 500)):
        there.answer = lambda *_, status=status: reply(status)
        tell(database, 1, [customer], at=clock.time)
        _deliver_all(database, clock)
        with database.read() as session:
            endpoint = session.get_one(WebhookEndpoint, 1)
        assert (endpoint.failing_since is None) == (status == 200)
        clock.go_on(timedelta(seconds=3))
    assert endpoint.failing_since == clock.time - timedelta(seconds=3)


def test_a_rest_that_one_worker_was_asked_for_holds_for_all_until_it_is_enabled(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database, there.url)
    there.answer = lambda *_: reply(503, retry_after="3600")
    tell(database, 1, [1], at=clock.time)
    _deliver_all(database, clock)
    there.answer = lambda *_: reply(200)
    tell(database, 1, [2], at=clock.time)
    clock.go_on(timedelta(minutes=59))
    _deliver_all(database, clock)  # by another worker
    assert len(there.received) == 1
    with database.write() as session:
        assert webhooks.enable_endpoint(session, 1).rest_until is None
    _deliver_all(database, clock)
    assert [came.json["data"]["number"] for came in there.received] == [0, 0]


def test_a_test_waits_for_nothing_that_failed_before(database: Database, clock: Clock, there: Receiver) -> None:
    add_endpoint(database, there.url)
    there.answer = lambda *_: reply(500)
    tell(database, 1, [None, None], at=clock.time)
    for delay in (timedelta(0), *DELAYS[:4]):
        clock.go_on(delay * 1.1 + timedelta(milliseconds=1))
        _deliver_all(database, clock)
    there.answer = lambda *_: reply(200)
    with database.write() as session:
        queued = webhooks.queue_test(session, 1, now=clock.time).id
    _deliver_all(database, clock)
    assert [(each.id == queued, each.status) for each in deliveries(database)] == [
        (False, "pending"),
        (False, "pending"),
        (True, "delivered"),
    ]
    clock.go_on(timedelta(hours=6))
    _deliver_all(database, clock)
    assert [came.json["type"] for came in there.received[-3:]] == ["webhook.test", *["customer.segment_entered"] * 2]


def test_a_redirect_is_a_failure_and_nobody_else_is_asked(database: Database, clock: Clock, there: Receiver) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None], at=clock.time)
    with receiver() as elsewhere:
        there.answer = lambda *_: reply(307, location=elsewhere.url)
        _deliver_all(database, clock)
        assert elsewhere.received == []
    (failed,) = deliveries(database)
    assert (failed.status, failed.last_status, failed.last_error) == ("pending", 307, "It answered 307.")


def test_a_private_target_is_refused_and_the_refusal_is_an_attempt(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None], at=clock.time)
    _deliver_all(database, clock, WebhookClient(allow_private=False).send)
    (failed,) = deliveries(database)
    assert (failed.status, failed.attempts, failed.last_status) == ("pending", 1, None)
    assert "The host leads to 127.0.0.1" in (failed.last_error or "")
    assert there.received == []


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
    assert set(_statuses(database)) == {"delivered"}


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
    deliverer = Deliverer(database, _client().send, now=clock, randomness=Random(0))
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
    assert _statuses(database) == ["delivered"]


def test_a_delivery_that_can_not_be_made_fails_alone(database: Database, clock: Clock, there: Receiver) -> None:
    for _ in range(2):
        add_endpoint(database, there.url)
    with database.write() as session:
        session.get_one(WebhookEndpoint, 1).secret = ""
    tell(database, 1, [None], at=clock.time)
    tell(database, 2, [None], at=clock.time)
    _deliver_all(database, clock)
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
    _deliver_all(database, clock)
    assert len(there.received) == 1
    assert deliveries(database) == []


def test_ids_differ_between_changes_though_the_database_gives_a_number_again(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_endpoint(database, there.url)
    for _ in range(2):
        tell(database, 1, [None], at=clock.time)
        _deliver_all(database, clock)
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
    while "pending" in _statuses(database) and time.monotonic() < end:
        clock.go_on(timedelta(seconds=1))
        time.sleep(0.02)
    stop.set()
    thread.join(20)
    assert _statuses(database) == ["delivered", "delivered"]
    logged = "".join(capfd.readouterr())
    assert "webhooks_interrupted" in logged
    assert "webhook_failed" in logged
    for secret in ("hidden", "ada", "127.0.0.1"):
        assert secret not in logged
    with database.read() as session:
        assert session.scalars(select(WebhookDelivery.last_error)).all() == [None, None]
