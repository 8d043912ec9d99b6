"""Deliveries as people see them: pages, one with its event, replay."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

from store import webhooks
from store.engine import Database
from store.exceptions import CursorError, UnknownWebhookError, WebhookStateError
from store.webhook_deliveries import list_deliveries, read_delivery, replay_dead, replay_delivery
from store.webhook_queue import LEASE, Ended, claim_due, record
from tests.store.builders import NOW, add_customers
from tests.store.webhook_rows import add_endpoint, deliveries, tell


def _end_all(database: Database, *, error: str | None) -> None:
    """Have everything of the first endpoint delivered, or given up."""
    while True:
        with database.write() as session:
            claimed = claim_due(session, 1, limit=100, now=NOW)
            record(session, [Ended(each, NOW, 200, error, None) for each in claimed], now=NOW)
        if not claimed:
            return


def test_deliveries_are_listed_the_newest_first_page_by_page(database: Database) -> None:
    for _ in range(2):
        add_endpoint(database)
    dead = tell(database, 1, [None] * 3)
    _end_all(database, error="It answered 500.")
    delivered = tell(database, 1, [None] * 3)
    _end_all(database, error=None)
    pending = tell(database, 1, [None])
    tell(database, 2, [None])
    for status, expected in ((None, dead + delivered + pending), ("dead", dead), ("pending", pending)):
        seen: list[int] = []
        cursor: str | None = None
        while True:
            with database.read() as session:
                page = list_deliveries(session, 1, limit=2, status=status, cursor=cursor)  # type: ignore[arg-type]
            seen += [row.delivery.id for row in page.rows]
            assert len(page.rows) <= 2
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == sorted(expected, reverse=True)


def test_a_cursor_that_is_not_of_the_list_is_refused(database: Database) -> None:
    for _ in range(2):
        add_endpoint(database)
    tell(database, 1, [None] * 3)
    with database.read() as session:
        cursor = list_deliveries(session, 1, limit=1).next_cursor
        assert cursor is not None
        made_up = [[1, None], [1, None, "x"], [1, None, -1], [1, None, 2**63], [1, "pending", 3], {}, 7]
        for text in (
            "",
            "!",
            cursor + "x",
            *(base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in made_up),
        ):
            with pytest.raises(CursorError, match="The cursor was not made by this service"):
                list_deliveries(session, 1, limit=1, cursor=text)
        with pytest.raises(CursorError, match="or for another list"):
            list_deliveries(session, 2, limit=1, cursor=cursor)


def test_one_delivery_is_read_with_what_it_tells_by_its_own_endpoint_only(database: Database) -> None:
    add_customers(database, ["ada"])
    for _ in range(2):
        add_endpoint(database)
    (told,) = tell(database, 1, [1])
    with database.read() as session:
        found = read_delivery(session, 1, told)
        assert (found.event.kind, found.event.data["number"]) == ("customer.segment_entered", 0)
        for endpoint, delivery in ((2, told), (1, 99), (3, told)):
            with pytest.raises(UnknownWebhookError, match="There is no"):
                read_delivery(session, endpoint, delivery)


@pytest.mark.parametrize("error", [None, "It answered 500."])
def test_a_delivery_that_has_ended_is_replayed_with_all_its_attempts(database: Database, error: str | None) -> None:
    add_customers(database, ["ada"])
    add_endpoint(database)
    (told,) = tell(database, 1, [1])
    _end_all(database, error=error)
    later = NOW + timedelta(hours=1)
    with database.write() as session:
        assert replay_delivery(session, 1, told, now=later).delivery.status == "pending"
    (again,) = deliveries(database)
    assert (again.status, again.attempts, again.next_attempt_at) == ("pending", 0, later)
    assert (again.last_error, again.last_attempt_at, again.delivered_at) == (None, None, None)
    with database.write() as session:
        webhooks.disable_endpoint(session, 1, why="It answered 410 Gone.", now=NOW)
        with pytest.raises(WebhookStateError, match="Enable it first"):
            replay_delivery(session, 1, told, now=later)


def test_a_delivery_that_waits_is_sent_at_once_and_one_on_the_wire_is_left_alone(database: Database) -> None:
    add_customers(database, ["ada"])
    add_endpoint(database)
    (told,) = tell(database, 1, [1])
    with database.write() as session:
        (claimed,) = claim_due(session, 1, limit=9, now=NOW)
    with database.write() as session:
        sending = replay_delivery(session, 1, told, now=NOW + timedelta(seconds=1)).delivery
        assert sending.next_attempt_at == claimed.lease_until
    tomorrow = NOW + timedelta(days=1)
    with database.write() as session:
        record(session, [Ended(claimed, NOW, 500, "It answered 500.", tomorrow)], now=NOW)
    later = NOW + timedelta(hours=1)
    with database.write() as session:
        assert claim_due(session, 1, limit=9, now=later) == []
        waiting = replay_delivery(session, 1, told, now=later).delivery
        assert (waiting.next_attempt_at, waiting.attempts, waiting.last_error) == (later, 1, "It answered 500.")
        assert [each.delivery_id for each in claim_due(session, 1, limit=9, now=later)] == [told]


def test_all_dead_ones_since_an_instant_are_replayed_in_order_and_no_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.webhook_deliveries._REPLAYED_A_TRANSACTION", 2)
    add_customers(database, ["ada", "bob"])
    add_endpoint(database)
    tell(database, 1, [1], at=NOW - timedelta(days=2))
    dead = tell(database, 1, [1, 2, 1, 2, 1], at=NOW - timedelta(days=1))
    _end_all(database, error="It answered 500.")
    tell(database, 1, [2], at=NOW)
    _end_all(database, error=None)
    assert replay_dead(database, 1, since=NOW - timedelta(days=1), now=NOW) == 5
    assert [each.id for each in deliveries(database) if each.status == "pending"] == dead
    with database.write() as session:
        assert [claim.delivery_id for claim in claim_due(session, 1, limit=9, now=NOW)] == dead[:2]
    assert replay_dead(database, 1, since=NOW - timedelta(days=1), now=NOW) == 0
    with pytest.raises(UnknownWebhookError, match="There is no webhook 9"):
        replay_dead(database, 9, since=NOW, now=NOW)


def test_a_replay_waits_for_what_is_on_the_wire_of_the_same_customer(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database)
    dead = tell(database, 1, [1, 2])
    _end_all(database, error="It answered 500.")
    tell(database, 1, [1])
    with database.write() as session:
        (on_the_wire,) = claim_due(session, 1, limit=9, now=NOW)
    assert replay_dead(database, 1, since=NOW, now=NOW) == 2
    with database.write() as session:
        assert [claim.delivery_id for claim in claim_due(session, 1, limit=9, now=NOW)] == dead[1:]
        record(session, [Ended(on_the_wire, NOW, 200, None, None)], now=NOW)
        assert next(claim.delivery_id for claim in claim_due(session, 1, limit=9, now=NOW + LEASE)) == dead[0]
