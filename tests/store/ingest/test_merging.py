"""Merges: one id's history becomes that of another, which everything finds from then on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from features.calendar import LocalCalendar
from store.campaign_assignments import assign
from store.campaigns import NewCampaign, add_campaign
from store.contacts import NewContact, add_contacts
from store.customer_keys import find_customer, find_customers
from store.engine import Database
from store.erasure import hide_customer, resume_erasures
from store.events import read_chunks, read_events
from store.exceptions import UnknownCustomerError
from store.ingest.live import LiveWriter
from store.keyed_hash import KeyedHash
from store.lists import iterate_segment, list_segment
from store.memberships import history, record_published
from store.outbox import SEGMENT_ENTERED, SEGMENT_LEFT, Audience
from store.rescore_requests import forget_before_first_run
from store.scores import stored_score
from store.tables import (
    CampaignAssignment,
    Contact,
    Customer,
    OutboxEvent,
    Score,
    SegmentListing,
    ToldScore,
    WebhookDelivery,
)
from tests.store.builders import NOBODY, NOW, Scored, add_endpoint, publish_run
from tests.store.ingest.live_requests import (
    AT,
    RECEIVED_AT,
    alias,
    identify,
    live_writer,
    order,
    request,
    root_ids,
    track,
)
from tests.store.ingest.stored import stored_attributes, stored_events

UTC_DAYS = LocalCalendar("UTC")


@pytest.fixture
def writer(database: Database) -> Iterator[LiveWriter]:
    with live_writer(database) as writer:
        yield writer


def key_of(database: Database, customer_id: str) -> int:
    with database.read() as session:
        return session.scalars(select(Customer.id).where(Customer.customer_id == customer_id)).one()


def n_events(database: Database) -> dict[str, int]:
    """Return how many events each customer has, as they are read for all."""
    return {
        customer_id: int(n)
        for customers, log, _ in read_chunks(database, UTC_DAYS)
        for customer_id, n in zip(customers.customer_ids, log.offsets[1:] - log.offsets[:-1], strict=True)
    }


def test_a_visitors_history_becomes_the_customers(writer: LiveWriter, database: Database) -> None:
    writer.write([request(track("v1", message="m1"), order("v1", "o1", "pen", message="m2"))])
    identities = [row[6] for row in stored_events(database)]
    (result,) = writer.write([request(identify("ada", visitor="v1"), track("v1", message="m3"))])
    assert (result.stored, result.already_there) == (2, 0)
    assert n_events(database) == {"ada": 3}
    assert {row[0] for row in stored_events(database)} == {"ada"}
    assert set(identities) < {row[6] for row in stored_events(database)}


def test_merges_act_before_the_events_of_their_request(writer: LiveWriter, database: Database) -> None:
    writer.write([request(track("v1", message="m1"), identify("ada", visitor="v1"), track("ada", message="m2"))])
    assert n_events(database) == {"ada": 2}
    assert root_ids(database) == {"v1": "ada", "ada": "ada"}


def test_a_fact_without_a_message_id_told_again_under_the_old_id_is_found(
    writer: LiveWriter, database: Database
) -> None:
    told = request(track("v1", value=3), order("v1", "o1", "pen", "ink"))
    writer.write([told])
    writer.write([request(alias("v1", "ada"))])
    stored = stored_events(database)
    (again,) = writer.write([told])
    assert (again.stored, again.already_there) == (0, 2)
    assert stored_events(database) == stored


def test_an_id_is_merged_once_and_whoever_came_first_has_it(writer: LiveWriter, database: Database) -> None:
    writer.write([request(identify("ada", visitor="v1"))])
    (result,) = writer.write([request(identify("ben", visitor="v1"), track("v1", message="m1"), alias("ada", "v1"))])
    assert (result.stored, result.already_there) == (2, 1)  # ben is new
    assert root_ids(database) == {"ada": "ada", "v1": "ada", "ben": "ben"}
    assert n_events(database) == {"ada": 1, "ben": 0}


def test_whoever_stands_for_others_takes_them_along(writer: LiveWriter, database: Database) -> None:
    writer.write([request(identify("ada", visitor="v1"), identify("ada", visitor="v2"), track("v1", message="m1"))])
    writer.write([request(alias("ada", "lovelace"))])
    writer.write([request(track("v2", message="m2"), track("ada", message="m3"))])
    assert root_ids(database) == dict.fromkeys(("ada", "v1", "v2", "lovelace"), "lovelace")
    assert n_events(database) == {"lovelace": 3}


def test_ids_that_are_merged_in_a_circle_are_one_customer(writer: LiveWriter, database: Database) -> None:
    writer.write([request(alias("a", "b"), alias("b", "c"), alias("c", "a"), track("a", message="m1"))])
    assert set(root_ids(database).values()) == {"c"}
    assert n_events(database) == {"c": 1}


def test_attributes_of_both_are_the_customers_and_where_both_tell_the_same_instant_hers_stays(
    writer: LiveWriter, database: Database
) -> None:
    writer.write(
        [
            request(
                identify("v1", plan="tin", size=3),
                identify("v1", plan="lead", day=1),
                identify("ada", plan="gold", town="London"),
                identify("ada", plan="iron", day=2),
            )
        ]
    )
    writer.write([request(alias("v1", "ada"))])
    first = int(AT.timestamp()) * 1_000_000
    day = 86_400_000_000
    assert stored_attributes(database) == [
        ("ada", "plan", first, "category", None, "gold"),
        ("ada", "plan", first + day, "category", None, "lead"),
        ("ada", "plan", first + 2 * day, "category", None, "iron"),
        ("ada", "size", first, "number", 3.0, None),
        ("ada", "town", first, "category", None, "London"),
    ]


def test_the_old_id_finds_the_customer_and_an_erased_one_finds_nobody(writer: LiveWriter, database: Database) -> None:
    writer.write([request(identify("ada", visitor="v1"), track("ben", message="m1"), identify("eve", visitor="v2"))])
    with database.write() as session:
        session.execute(text("UPDATE customer SET erased_at = 1 WHERE customer_id = 'eve'"))
    with database.read() as session:
        found = find_customers(session, ["v1", "ben", "nobody", "eve", "v2"])
        assert found.customer_ids == ("ada", "ben")
        assert [found.id_of(asked) for asked in ("v1", "ada", "ben")] == ["ada", "ada", "ben"]
        assert find_customers(session, ["v1", "ada"]).customer_ids == ("ada",)
        assert find_customer(session, "v1").keys.tolist() == find_customer(session, "ada").keys.tolist()
        for hidden in ("eve", "v2"):
            with pytest.raises(UnknownCustomerError, match="No customer has the id"):
                find_customer(session, hidden)


def test_whoever_is_being_erased_is_in_no_chunk_though_events_are_left(writer: LiveWriter, database: Database) -> None:
    writer.write(
        [
            request(
                *(order(customer, f"o-{customer}", "pen", message=customer) for customer in ("ada", "eve", "zoe")),
                *(identify(customer, plan=customer) for customer in ("ada", "eve", "zoe")),
            )
        ]
    )
    with database.write() as session:
        session.execute(text("UPDATE customer SET erased_at = 1 WHERE customer_id IN ('eve', 'zoe')"))
    assert n_events(database) == {"ada": 1}
    ((customers, log, _),) = read_chunks(database, UTC_DAYS)
    with database.read() as session:
        one = read_events(session, find_customer(session, "ada"), UTC_DAYS)
    assert customers.customer_ids == one.customer_ids == log.customer_ids
    assert log.attributes.columns["plan"].texts == ("ada",)


def test_whoever_was_merged_is_in_no_list_and_no_segment_any_more(writer: LiveWriter, database: Database) -> None:
    writer.write([request(*(track(customer, message=customer) for customer in ("ada", "v1", "ben", "eve")))])
    keys = {customer: key_of(database, customer) for customer in ("ada", "v1", "ben", "eve")}
    scored = {
        keys["ada"]: Scored("at_risk", 5.0, 9.0, 0.5),
        keys["v1"]: Scored("at_risk high_value", 4.0, 8.0, 0.5, {"upsell": 0.25}),
        keys["ben"]: Scored("at_risk", 3.0, 7.0, 0.5),
        keys["eve"]: Scored("at_risk", 2.0, 7.0, 0.5),
    }
    forget_before_first_run(database, 1)
    for as_of in (NOW, NOW + timedelta(days=1)):
        publish_run(database, dict(sorted(scored.items())), as_of=as_of)
    record_published(database, now=lambda: RECEIVED_AT)
    writer.write([request(alias("v1", "ada"))])
    with database.write() as session:
        session.execute(text("UPDATE customer SET erased_at = 1 WHERE customer_id = 'eve'"))
    with database.read() as session:
        rows = list_segment(session, "at_risk", limit=10).rows
        assert [(row.position, row.customer_id) for row in rows] == [(1, "ada"), (2, "ben")]
        assert stored_score(session, keys["v1"]) is None
        for table in (Score, SegmentListing):
            assert not session.scalars(select(table).where(table.customer_key == keys["v1"])).all()
            assert session.scalars(select(table).where(table.customer_key == keys["ada"])).all()
        assert {stay.left_at for stay in history(session, keys["v1"])} == {RECEIVED_AT}
        assert {stay.left_at for stay in history(session, keys["ada"])} == {None}
    assert [row.customer_id for row in iterate_segment(database, "at_risk", rows_a_page=1)] == ["ada", "ben"]


@pytest.fixture
def visitor_in_two(writer: LiveWriter, database: Database) -> int:
    """A visitor v1 who is in two segments, and v2 who was never scored; the key of v1."""
    writer.write([request(*(track(customer, message=customer) for customer in ("ada", "v1", "v2")))])
    keys = {customer: key_of(database, customer) for customer in ("ada", "v1")}
    forget_before_first_run(database, 1)
    publish_run(database, {keys["ada"]: Scored("new"), keys["v1"]: Scored("new at_risk")})
    record_published(database, now=lambda: NOW)
    return keys["v1"]


def told(database: Database) -> list[tuple[int, str, int | None, Any]]:
    """To which endpoint, of what kind, of which customer, and what."""
    query = select(WebhookDelivery, OutboxEvent).join(OutboxEvent, OutboxEvent.id == WebhookDelivery.event_id)
    with database.read() as session:
        rows = session.execute(query.order_by(WebhookDelivery.id)).all()
    assert all(delivery.customer_key == event.customer_key for delivery, event in rows)
    return [(delivery.endpoint_id, event.kind, event.customer_key, event.data) for delivery, event in rows]


def test_an_id_that_is_merged_is_told_to_have_left_its_segments_and_what_it_was_told_goes(
    writer: LiveWriter, database: Database, visitor_in_two: int
) -> None:
    endpoints = [add_endpoint(database), add_endpoint(database, [SEGMENT_LEFT])]
    add_endpoint(database, [SEGMENT_ENTERED])
    add_endpoint(database, disabled_at=NOW)
    with database.write() as session:
        for key in (visitor_in_two, key_of(database, "ada")):
            session.add(ToldScore(customer_key=key, endpoint_id=1, clv=1.0))
    writer.write([request(alias("v2", "ada"))])
    assert told(database) == []
    # Under an id that itself stands for another.
    writer.write([request(alias("v1", "v2"))])
    data = {
        "customer_id": "v1",
        "merged_into": "ada",
        "model_version": None,
        "policy_version": None,
        "scoring_run_id": None,
        "as_of": "2024-06-01T12:00:00Z",
    }
    assert told(database) == [
        (endpoint, SEGMENT_LEFT, visitor_in_two, {**data, "segment": segment})
        for segment in ("at_risk", "new")
        for endpoint in endpoints
    ]
    with database.read() as session:
        assert session.scalars(select(ToldScore.customer_key)).all() == [key_of(database, "ada")]
    writer.write([request(alias("v1", "ada"))])
    assert len(told(database)) == 4


def test_without_an_endpoint_that_asks_for_leavers_a_merge_tells_nothing(
    writer: LiveWriter, database: Database, visitor_in_two: int
) -> None:
    add_endpoint(database, [SEGMENT_ENTERED])
    writer.write([request(alias("v1", "ada"))])
    with database.read() as session:
        assert session.scalars(select(OutboxEvent)).all() == []
        assert {stay.left_at for stay in history(session, visitor_in_two)} == {RECEIVED_AT}


def test_a_merge_that_ends_no_stay_does_not_ask_who_is_to_be_told(
    writer: LiveWriter, database: Database, monkeypatch: pytest.MonkeyPatch, visitor_in_two: int
) -> None:
    def refuse(_: object) -> Audience:
        raise AssertionError("asked")

    monkeypatch.setattr("store.ingest.merging.Audience.of", refuse)
    writer.write([request(alias("v2", "ada"))])
    assert root_ids(database)["v2"] == "ada"
    with pytest.raises(AssertionError, match="asked"):
        writer.write([request(alias("v1", "ada"))])
    assert root_ids(database)["v1"] == "v1"


@pytest.mark.parametrize("erased", ["ada", "v1", "eve"])
def test_what_was_told_of_a_merge_is_erased_with_the_customer(
    writer: LiveWriter, database: Database, visitor_in_two: int, erased: str
) -> None:
    add_endpoint(database)
    # First into ada, who is then merged herself.
    writer.write([request(alias("v1", "ada"))])
    writer.write([request(alias("ada", "eve"), track("eve", message="eve"))])
    assert [(data["customer_id"], data["merged_into"]) for _, _, _, data in told(database)] == [
        ("v1", "ada"),
        ("v1", "ada"),
        ("ada", "eve"),
    ]
    writer.close()
    hide_customer(database, erased, KeyedHash(b"k" * 32), now=NOW + timedelta(days=60))
    assert resume_erasures(database) == 0
    with database.read() as session:
        assert session.scalars(select(OutboxEvent)).all() == []
        assert session.scalars(select(WebhookDelivery)).all() == []
        assert session.scalars(select(Customer.customer_id)).all() == ["v2"]


def test_a_history_of_ten_thousand_events_is_merged_in_a_second(writer: LiveWriter, database: Database) -> None:
    writer.write([request(*(track("v1", message=f"m{i}", day=i % 30) for i in range(10_000)))])
    begun = time.process_time(), time.monotonic()
    writer.write([request(alias("v1", "ada"))])
    # Of our own time on SQLite; PostgreSQL works in a process of its own, beside which other tests may run.
    assert time.process_time() - begun[0] < 1.0
    assert time.monotonic() - begun[1] < 5.0
    assert n_events(database) == {"ada": 10_000}


def test_what_another_process_has_merged_meanwhile_is_noticed(writer: LiveWriter, database: Database) -> None:
    writer.write([request(track("v1", message="m1"), track("ada", message="m2"))])
    with live_writer(database) as other:
        other.write([request(alias("v1", "ada"))])
        writer.write([request(track("v1", message="m3"))])
        other.write([request(alias("ada", "lovelace"))])
        writer.write([request(track("ada", message="m4"), identify("v1", plan="gold"))])
    assert n_events(database) == {"lovelace": 4}
    assert [row[0] for row in stored_attributes(database)] == ["lovelace"]


def test_arms_and_contacts_of_campaigns_become_the_customers_and_where_both_have_an_arm_hers_stays(
    writer: LiveWriter, database: Database
) -> None:
    writer.write([request(track("visitor"), track("ada"))])
    for name, arms in (("both", [("visitor", "mail"), ("ada", "none")]), ("one", [("visitor", "mail")])):
        new = NewCampaign(name=name, segment=None, outcome_event=None, outcome_days=9, assigned_at=NOW)
        with database.write() as session:
            campaign_id = add_campaign(session, new, now=NOW).id
        assert assign(database, campaign_id, arms, assigned_at=NOW, now=NOW).stored == len(arms)
    contact = NewContact(customer_id="visitor", campaign="one", contacted_at=NOW, channel="mail")
    assert add_contacts(database, {0: contact}, NOBODY, latest=NOW, now=NOW).stored == 1
    writer.write([request(alias("visitor", "ada"))])
    ada = key_of(database, "ada")
    with database.read() as session:
        found = session.execute(select(CampaignAssignment.customer_key, CampaignAssignment.arm)).all()
        assert sorted(map(tuple, found)) == [(ada, "mail"), (ada, "none")]
        assert session.scalars(select(Contact.customer_key)).all() == [ada]
    # Told again under the old id it is the same contact.
    assert add_contacts(database, {0: contact}, NOBODY, latest=NOW, now=NOW).already_there == 1
