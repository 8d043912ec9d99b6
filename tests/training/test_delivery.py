"""Delivering webhooks to real receivers: signatures, retries, order, dead letters, slow and broken ones."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from store import webhooks
from store.engine import Database
from store.tables import WebhookEndpoint
from store.webhook_deliveries import replay_dead
from tests.receivers import Receiver, receiver, reply, unused_port
from tests.store.builders import add_customers
from tests.store.webhook_rows import add_endpoint, deliveries, tell
from tests.training.delivering import START, Clock, client, deliver_all, statuses
from training.delivery import Deliverer
from training.retry_schedule import DELAYS, MOST_ATTEMPTS
from training.webhook_client import WebhookClient


def test_a_change_is_told_as_the_specification_says_and_verified_by_its_package(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_customers(database, ["ada"])
    endpoint = add_endpoint(database, there.url)
    changed = datetime(2026, 3, 1, 6, 0, 0, 250_000, tzinfo=UTC)
    tell(database, endpoint.id, [1], at=changed)
    deliver_all(database, clock)
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
    deliver_all(database, clock)
    clock.go_on(timedelta(minutes=3))
    tell(database, 1, [None], at=clock.time)
    deliver_all(database, clock)
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
    deliver_all(database, clock)
    (waiting,) = deliveries(database)
    assert (waiting.status, waiting.attempts, waiting.last_status) == ("pending", 1, 500)
    assert waiting.last_error == "It answered 500."
    clock.go_on(DELAYS[0] - timedelta(milliseconds=1))
    deliver_all(database, clock)
    assert len(there.received) == 1
    for delay in (DELAYS[0] * 0.1 + timedelta(milliseconds=1), DELAYS[1] * 1.1):
        clock.go_on(delay)
        deliver_all(database, clock)
    assert len(there.received) == 3
    assert len(set(there.ids)) == 1
    assert len({each.body for each in there.received}) == 1
    assert len({each.headers["webhook-timestamp"] for each in there.received}) == 3
    assert statuses(database) == ["delivered"]


def test_what_is_never_taken_is_dead_after_ten_attempts_and_can_be_replayed(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_customers(database, ["ada"])
    down = f"http://127.0.0.1:{unused_port()}/hooks"
    add_endpoint(database, down)
    tell(database, 1, [1, 1], at=clock.time)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        deliver_all(database, clock)
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
    deliver_all(database, clock)
    clock.go_on(timedelta(seconds=5))
    deliver_all(database, clock)
    assert [came.json["data"]["number"] for came in there.received] == [0, 1]
    assert statuses(database) == ["delivered", "delivered"]


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_receiver_that_says_when_to_come_again_is_not_asked_before(
    database: Database, clock: Clock, there: Receiver, status: int
) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None], at=clock.time)
    there.answer = lambda number, _: reply(status, retry_after="600") if number == 0 else reply(200)
    deliver_all(database, clock)
    clock.go_on(timedelta(seconds=599))
    deliver_all(database, clock)
    assert len(there.received) == 1
    clock.go_on(timedelta(seconds=62))
    deliver_all(database, clock)
    assert statuses(database) == ["delivered"]


@pytest.mark.parametrize(("status", "n_at_first"), [(429, 1), (503, 1), (500, 3)])
def test_whoever_is_overburdened_is_sent_nothing_of_anybody_before_the_time_it_asked_for(
    database: Database, clock: Clock, there: Receiver, status: int, n_at_first: int
) -> None:
    add_customers(database, ["ada", "bob", "eve"])
    add_endpoint(database, there.url)
    tell(database, 1, [1, 2, 3], at=clock.time)
    there.answer = lambda number, _: reply(status, retry_after="600") if number < n_at_first else reply(200)
    deliverer = Deliverer(database, client().send, now=clock, randomness=Random(1), threads=1)
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
    assert statuses(database) == ["delivered"] * 3


def test_gone_disables_the_endpoint_and_what_waits_is_dead(database: Database, clock: Clock, there: Receiver) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database, there.url)
    tell(database, 1, [1, 1, 1], at=clock.time)
    there.answer = lambda *_: reply(410)
    deliver_all(database, clock)
    deliver_all(database, clock)
    assert len(there.received) == 1
    assert statuses(database) == ["dead"] * 3
    with database.read() as session:
        endpoint = session.get_one(WebhookEndpoint, 1)
        assert (endpoint.disabled_at, endpoint.disabled_why) == (clock.time, "It answered 410 Gone.")
    assert deliveries(database)[2].last_error == "The webhook is disabled: It answered 410 Gone."
    there.answer = lambda *_: reply(200)
    with database.write() as session:
        webhooks.enable_endpoint(session, 1)
    assert replay_dead(database, 1, since=START, now=clock.time) == 3
    deliver_all(database, clock)
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
        deliver_all(database, clock)
        with database.read() as session:
            endpoint = session.get_one(WebhookEndpoint, 1)
        assert endpoint.failing_since == began
        clock.go_on(timedelta(hours=84, seconds=1))
    assert endpoint.disabled_at is not None
    assert endpoint.disabled_why == f"It has taken nothing since {began:%Y-%m-%d %H:%M} UTC."
    deliver_all(database, clock)
    assert statuses(database) == ["dead", "dead"]
    there.answer = lambda *_: reply(200)
    with database.write() as session:
        assert webhooks.enable_endpoint(session, 1).failing_since is None
    assert replay_dead(database, 1, since=START, now=clock.time) == 2
    deliver_all(database, clock)
    assert statuses(database) == ["delivered", "delivered"]


def test_what_failed_long_ago_with_nothing_sent_since_disables_no_endpoint(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database, there.url)
    there.answer = lambda *_: reply(500)
    tell(database, 1, [1], at=clock.time)
    for _ in range(MOST_ATTEMPTS):
        deliver_all(database, clock)
        clock.go_on(timedelta(hours=8))
    for _ in range(30):
        deliver_all(database, clock)
        clock.go_on(timedelta(hours=1))
    with database.write() as session:
        # As if all attempts had been made within 84 hours.
        endpoint = session.get_one(WebhookEndpoint, 1)
        endpoint.disabled_at = endpoint.disabled_why = None
        endpoint.failing_since = START
    clock.go_on(timedelta(days=20))
    tell(database, 1, [2], at=clock.time)
    deliver_all(database, clock)
    with database.read() as session:
        endpoint = session.get_one(WebhookEndpoint, 1)
    assert (endpoint.disabled_at, endpoint.failing_since) == (None, clock.time)
    there.answer = lambda *_: reply(200)
    clock.go_on(timedelta(hours=1))
    deliver_all(database, clock)
    assert statuses(database)[1] == "delivered"


def test_one_success_begins_the_time_of_failing_anew(database: Database, clock: Clock, there: Receiver) -> None:
    add_customers(database, ["ada", "bob", "cy"])
    add_endpoint(database, there.url)
    for customer, status in ((1, 500), (2, 200), (3, 500)):
        there.answer = lambda *_, status=status: reply(status)
        tell(database, 1, [customer], at=clock.time)
        deliver_all(database, clock)
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
    deliver_all(database, clock)
    there.answer = lambda *_: reply(200)
    tell(database, 1, [2], at=clock.time)
    clock.go_on(timedelta(minutes=59))
    deliver_all(database, clock)  # by another worker
    assert len(there.received) == 1
    with database.write() as session:
        assert webhooks.enable_endpoint(session, 1).rest_until is None
    deliver_all(database, clock)
    assert [came.json["data"]["number"] for came in there.received] == [0, 0]


def test_a_test_waits_for_nothing_that_failed_before(database: Database, clock: Clock, there: Receiver) -> None:
    add_endpoint(database, there.url)
    there.answer = lambda *_: reply(500)
    tell(database, 1, [None, None], at=clock.time)
    for delay in (timedelta(0), *DELAYS[:4]):
        clock.go_on(delay * 1.1 + timedelta(milliseconds=1))
        deliver_all(database, clock)
    there.answer = lambda *_: reply(200)
    with database.write() as session:
        queued = webhooks.queue_test(session, 1, now=clock.time).id
    deliver_all(database, clock)
    assert [(each.id == queued, each.status) for each in deliveries(database)] == [
        (False, "pending"),
        (False, "pending"),
        (True, "delivered"),
    ]
    clock.go_on(timedelta(hours=6))
    deliver_all(database, clock)
    assert [came.json["type"] for came in there.received[-3:]] == ["webhook.test", *["customer.segment_entered"] * 2]


def test_a_redirect_is_a_failure_and_nobody_else_is_asked(database: Database, clock: Clock, there: Receiver) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None], at=clock.time)
    with receiver() as elsewhere:
        there.answer = lambda *_: reply(307, location=elsewhere.url)
        deliver_all(database, clock)
        assert elsewhere.received == []
    (failed,) = deliveries(database)
    assert (failed.status, failed.last_status, failed.last_error) == ("pending", 307, "It answered 307.")


def test_a_private_target_is_refused_and_the_refusal_is_an_attempt(
    database: Database, clock: Clock, there: Receiver
) -> None:
    add_endpoint(database, there.url)
    tell(database, 1, [None], at=clock.time)
    deliver_all(database, clock, WebhookClient(allow_private=False).send)
    (failed,) = deliveries(database)
    assert (failed.status, failed.attempts, failed.last_status) == ("pending", 1, None)
    assert "The host leads to 127.0.0.1" in (failed.last_error or "")
    assert there.received == []
