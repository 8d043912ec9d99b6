"""The queue of deliveries: order per customer, leases, what is set aside and what is dropped, on both engines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from threading import Barrier, Lock, Thread

from sqlalchemy import delete, update

from store import webhooks
from store.engine import Database
from store.tables import Customer, WebhookDelivery
from store.webhook_queue import (
    LEASE,
    Claimed,
    Ended,
    any_pending,
    claim_due,
    drop_unwanted,
    endpoints_with_due,
    record,
    unwanted_endpoints,
)
from tests.store.builders import NOW, add_customers
from tests.store.webhook_rows import add_endpoint, deliveries, tell

SECOND = timedelta(seconds=1)


def _claim(database: Database, *, at: datetime = NOW, limit: int = 100, endpoint: int = 1) -> list[Claimed]:
    with database.write() as session:
        return claim_due(session, endpoint, limit=limit, now=at)


def _numbers(claimed: Sequence[Claimed]) -> list[int]:
    return [claim.data["number"] for claim in claimed]


def _end(
    database: Database,
    claimed: Claimed,
    *,
    error: str | None = None,
    retry_at: datetime | None = None,
    at: datetime = NOW,
    disable: str | None = None,
) -> None:
    status = 200 if error is None else 500
    with database.write() as session:
        record(session, [Ended(claimed, at, status, error, retry_at, disable)], now=at)


def test_only_the_first_of_each_customer_is_claimed_and_the_next_once_it_has_ended(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database)
    tell(database, 1, [1, 2, 1, None, 1, None, 2])
    first = _claim(database)
    assert _numbers(first) == [0, 1, 3]
    assert _claim(database) == []
    _end(database, first[0])
    _end(database, first[1], error="It answered 500.")  # dead
    _end(database, first[2], error="It answered 500.", retry_at=NOW + timedelta(hours=1))
    assert _numbers(_claim(database)) == [2, 6]
    assert [each.status for each in deliveries(database)] == ["delivered", "dead", *["pending"] * 5]


def test_what_fails_keeps_its_customer_waiting_until_its_retry_and_nobody_else(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database)
    tell(database, 1, [1, 1])
    (head,) = _claim(database)
    later = NOW + timedelta(hours=2)
    _end(database, head, error="No answer within 15 s.", retry_at=later)
    assert _claim(database, at=NOW + timedelta(minutes=2)) == []
    # What comes meanwhile waits too, and is looked at once.
    tell(database, 1, [1, 2], at=NOW + timedelta(minutes=3), first=2)
    assert _numbers(_claim(database, at=NOW + timedelta(minutes=3))) == [3]
    with database.read() as session:
        assert endpoints_with_due(session, now=NOW + timedelta(minutes=4)) == [1]  # bob's, if its lease had ended
    assert [each.next_attempt_at >= later for each in deliveries(database)][:3] == [True, True, True]
    (again,) = (claim for claim in _claim(database, at=later) if claim.data["number"] == 0)
    assert again.attempts == 1
    _end(database, again, at=later)
    assert _numbers(_claim(database, at=later)) == [1]


def test_a_lease_ends_and_what_was_claimed_is_due_again(database: Database) -> None:
    add_endpoint(database)
    tell(database, 1, [None])
    (lost,) = _claim(database)
    assert lost.lease_until == NOW + LEASE
    assert _claim(database, at=NOW + LEASE - SECOND) == []
    (again,) = _claim(database, at=NOW + LEASE)
    assert again.delivery_id == lost.delivery_id
    # Whoever lost it records nothing: neither success nor failure.
    _end(database, lost, at=NOW + LEASE + SECOND)
    _end(database, lost, error="It answered 500.", at=NOW + LEASE + SECOND)
    assert [(each.status, each.attempts) for each in deliveries(database)] == [("pending", 0)]
    _end(database, again, at=NOW + LEASE + SECOND)
    (done,) = deliveries(database)
    assert (done.status, done.attempts, done.delivered_at) == ("delivered", 1, NOW + LEASE + SECOND)


def test_each_endpoint_is_told_for_itself(database: Database) -> None:
    add_customers(database, ["ada"])
    for _ in range(2):
        add_endpoint(database)
    tell(database, 1, [1, 1])
    tell(database, 2, [1, 1])
    with database.read() as session:
        assert endpoints_with_due(session, now=NOW) == [1, 2]
        assert endpoints_with_due(session, now=NOW - SECOND) == []
    assert _numbers(_claim(database)) == [0]
    assert _numbers(_claim(database, endpoint=2)) == [0]


def test_a_long_queue_of_one_customer_does_not_hide_the_others(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database)
    tell(database, 1, [1] * 230 + [2])
    assert _numbers(_claim(database, limit=4)) == [0, 230]
    # Those that wait are set aside: nothing is due but what is leased.
    with database.read() as session:
        assert endpoints_with_due(session, now=NOW) == []
        assert any_pending(session)


def test_nothing_goes_to_an_endpoint_that_is_disabled_or_deleted_and_what_waits_is_dead(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    for _ in range(3):
        add_endpoint(database)
    for endpoint in (1, 2, 3):
        tell(database, endpoint, [1, 2, 2])
    (on_the_wire,) = _claim(database, limit=1, endpoint=2)
    with database.write() as session:
        webhooks.delete_endpoint(session, 1, now=NOW)
    _end(database, on_the_wire, error="It answered 410 Gone.", disable="It answered 410 Gone.")
    with database.write() as session:
        assert endpoints_with_due(session, now=NOW) == [3]
        assert unwanted_endpoints(session) == [1, 2]
        assert claim_due(session, 1, limit=9, now=NOW) == []
        assert [drop_unwanted(session, endpoint, now=NOW) for endpoint in (1, 2, 3)] == [3, 2, 0]
    assert {each.last_error for each in deliveries(database, 1)} == {"The webhook was deleted."}
    assert [each.last_error for each in deliveries(database, 2)] == [
        "It answered 410 Gone.",
        *["The webhook is disabled: It answered 410 Gone."] * 2,
    ]
    assert {each.status for each in deliveries(database, 3)} == {"pending"}


def test_what_is_on_the_wire_when_its_endpoint_is_disabled_is_left_to_whoever_sent_it(database: Database) -> None:
    add_endpoint(database)
    tell(database, 1, [None])
    (claimed,) = _claim(database)
    with database.write() as session:
        webhooks.disable_endpoint(session, 1, why="An operator disabled it.", now=NOW)
        assert drop_unwanted(session, 1, now=NOW + SECOND) == 0
    _end(database, claimed, at=NOW + SECOND)
    assert [each.status for each in deliveries(database)] == ["delivered"]


def test_deliveries_that_vanish_or_whose_customer_is_being_erased_harm_nothing(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database)
    tell(database, 1, [1, 2, None])
    with database.write() as session:
        session.execute(update(Customer).where(Customer.id == 2).values(erased_at=NOW))
    gone, stays = _claim(database)
    assert _numbers([gone, stays]) == [0, 2]
    with database.write() as session:
        session.execute(delete(WebhookDelivery).where(WebhookDelivery.customer_key.is_not(None)))
    with database.write() as session:
        record(session, [Ended(gone, NOW, 200, None, None), Ended(stays, NOW, 200, None, None)], now=NOW)
    assert [each.status for each in deliveries(database)] == ["delivered"]


def test_a_customer_who_is_merged_while_something_is_on_the_wire_goes_on_in_order(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database)
    tell(database, 1, [1, 2, 1, 2])
    claimed = _claim(database)
    with database.write() as session:
        session.execute(update(WebhookDelivery).values(customer_key=2))
    assert _claim(database) == []
    for each in claimed:
        _end(database, each)
    assert _numbers(_claim(database)) == [2]


def test_two_workers_at_once_never_hold_two_of_one_customer(database: Database) -> None:
    add_customers(database, ["ada", "bob", "cy"])
    add_endpoint(database)
    customers = [Random(1).choice([1, 2, 3, None]) for _ in range(60)]
    tell(database, 1, customers)
    held: set[int | None] = set()
    told: list[tuple[int | None, int]] = []
    mutex, together = Lock(), Barrier(3)
    wrong: list[str] = []
    end = time.monotonic() + 30

    def work(seed: int) -> None:
        chance = Random(seed)
        together.wait()
        while len(told) < len(customers) and not wrong and time.monotonic() < end:
            for claim in _claim(database, limit=chance.randint(1, 3)):
                customer = customers[claim.data["number"]]
                with mutex:
                    if customer in held:
                        wrong.append(f"{customer} twice")
                    held.add(customer)
                with mutex:
                    told.append((customer, claim.data["number"]))
                    held.discard(customer)
                _end(database, claim)

    threads = [Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert sorted(number for _, number in told) == list(range(60))
    for customer in (1, 2, 3, None):
        numbers = [number for of, number in told if of == customer]
        assert all(one < other for one, other in pairwise(numbers))
