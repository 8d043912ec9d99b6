"""Retention: what is too old goes, what is needed to read the rest stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from store.engine import Database
from store.memberships import record_published
from store.retention import Pruned, prune
from store.scores import published_run
from store.tables import (
    Campaign,
    CampaignAssignment,
    Customer,
    CustomerAttribute,
    Event,
    OrderLine,
    RejectedRow,
    RescoreRequest,
    Score,
    ScoringRun,
    SourceActivity,
)
from store.tables.base import from_microseconds
from tests.store.builders import NOW, Scored, add_customers, publish_run
from tests.store.held import ANNA, FIRST, add_events, fill

CUT = NOW - timedelta(days=100)


def _count(database: Database, table: type) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def _pruned_campaigns(database: Database) -> list[datetime | None]:
    with database.read() as session:
        return list(session.scalars(select(Campaign.pruned_at)))


@pytest.mark.parametrize(("made_days_ago", "assigned_days_ago"), [(10, 300), (300, 10)])
def test_a_campaign_is_settled_where_assignments_go_and_only_there(
    database: Database, made_days_ago: int, assigned_days_ago: int
) -> None:
    fill(database)
    with database.write() as session:
        session.execute(update(Campaign).values(assigned_at=NOW - timedelta(days=made_days_ago)))
        session.execute(update(CampaignAssignment).values(assigned_at=NOW - timedelta(days=assigned_days_ago)))
    prune(database, before=CUT)
    assert _pruned_campaigns(database) == [CUT if assigned_days_ago == 300 else None]


def test_what_is_older_goes_and_is_counted(database: Database) -> None:
    fill(database)
    expected = Pruned(
        events=2,
        order_lines=2,
        attribute_versions=4,
        memberships=0,
        rejected_rows=1,
        source_hours=1,
        scores=0,
        listings=0,
        assignments=1,
        contacts=1,
        deliveries=0,
        outbox_events=0,
    )
    assert prune(database, before=CUT, dry_run=True) == expected
    assert _pruned_campaigns(database) == [None]
    assert _count(database, Event) == 4
    assert prune(database, before=CUT) == expected
    assert (_count(database, Event), _count(database, OrderLine)) == (2, 2)
    assert (_count(database, RejectedRow), _count(database, SourceActivity)) == (4, 1)
    assert _count(database, Customer) == 3
    assert prune(database, before=CUT) == Pruned(*[0] * 12)
    assert _pruned_campaigns(database) == [CUT]


def test_the_version_of_an_attribute_that_held_at_the_cut_stays(database: Database) -> None:
    keys = fill(database)
    prune(database, before=CUT)
    with database.read() as session:
        kept = session.execute(
            select(CustomerAttribute.name, CustomerAttribute.learnt_at)
            .where(CustomerAttribute.customer_key == keys[ANNA])
            .order_by(CustomerAttribute.name, CustomerAttribute.learnt_at)
        ).all()
    assert [(name, at and from_microseconds(at)) for name, at in kept] == [
        ("age", FIRST + timedelta(days=5)),
        ("city", FIRST),
        ("city", NOW),
        ("email", 0),
    ]


def test_what_names_an_old_order_goes_with_it_and_a_young_order_stays(database: Database) -> None:
    keys = fill(database)
    old, young = CUT - timedelta(days=1), CUT + timedelta(days=1)
    add_events(database, keys[ANNA], [old, young], orders=[77, 78])
    add_events(database, keys[ANNA], [young, old], orders=[77, 78], event_type=2)
    prune(database, before=CUT)
    with database.read() as session:
        kept = session.execute(
            select(Event.order_key, Event.event_type_id).where(Event.customer_key == keys[ANNA], Event.order_key > 70)
        ).all()
    assert kept == [(78, 1)]


def test_old_runs_lose_their_scores_and_the_published_one_keeps_them(database: Database) -> None:
    fill(database)
    with database.read() as session:
        run = published_run(session)
        assert run is not None
        of_published = session.scalar(select(func.count()).where(Score.scoring_run_id == run.id))
        runs = session.scalar(select(func.count()).select_from(ScoringRun))
    counted = prune(database, before=NOW + timedelta(days=1), dry_run=True)
    deleted = prune(database, before=NOW + timedelta(days=1))
    assert deleted == counted
    assert (deleted.scores, deleted.listings) == (2, 2)
    assert _count(database, Score) == of_published == 2
    assert _count(database, ScoringRun) == runs


def test_runs_may_be_kept_for_less_long_than_what_they_were_made_from(database: Database) -> None:
    fill(database)
    late = NOW + timedelta(days=1)
    others = {table: _count(database, table) for table in (Event, OrderLine, CampaignAssignment, RejectedRow)}
    counted = prune(database, before=None, runs_before=late, dry_run=True)
    assert counted == Pruned(scores=2, listings=2)
    assert prune(database, before=CUT, runs_before=late, dry_run=True) == replace(
        prune(database, before=CUT, dry_run=True), scores=2, listings=2
    )
    # Runs may be kept for longer, too.
    assert prune(database, before=late, runs_before=CUT, dry_run=True).scores == 0
    assert prune(database, before=None, runs_before=late) == counted
    assert {table: _count(database, table) for table in others} == others
    assert prune(database, before=None) == Pruned()


def test_a_run_stays_until_what_the_next_one_has_changed_has_been_told(database: Database) -> None:
    late = NOW + timedelta(days=1)
    add_customers(database, ["ada", "bob"])
    publish_run(database, dict.fromkeys((1, 2), Scored("new")))
    record_published(database, now=lambda: NOW)
    second = publish_run(database, dict.fromkeys((1, 2), Scored("new")), as_of=NOW + timedelta(hours=1))
    assert prune(database, before=late).scores == 0
    with database.write() as session:
        session.add(RescoreRequest(customer_key=2, requested_at=NOW, times=1))
    record_published(database, now=lambda: NOW)
    # What was told of bob is still what the first run said.
    assert prune(database, before=late).scores == 0
    with database.write() as session:
        session.execute(delete(RescoreRequest))
    assert prune(database, before=late).scores == 2
    with database.read() as session:
        assert set(session.scalars(select(Score.scoring_run_id))) == {second}


def test_stays_in_segments_go_once_they_have_ended(database: Database) -> None:
    keys = fill(database)
    publish_run(database, {keys[ANNA]: Scored("steady")}, as_of=NOW + timedelta(days=2))
    record_published(database, now=lambda: NOW)
    assert prune(database, before=NOW + timedelta(days=2)).memberships == 0
    assert prune(database, before=NOW + timedelta(days=3)).memberships == 3


@pytest.mark.parametrize("customers_a_read", [1, 2, 1_000])
def test_the_result_does_not_depend_on_how_much_is_read_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, customers_a_read: int
) -> None:
    keys = fill(database)
    add_events(database, keys[ANNA], [FIRST + timedelta(minutes=i) for i in range(50)])
    monkeypatch.setattr("store.retention._CUSTOMERS_A_READ", customers_a_read)
    monkeypatch.setattr("store.retention._ROWS_A_READ", 2)
    monkeypatch.setattr("store.retention._EVENTS_A_COUNT", 3)
    told: list[float] = []
    assert prune(database, before=CUT, dry_run=True) == prune(database, before=CUT, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert (_count(database, Event), _count(database, RejectedRow)) == (2, 4)
