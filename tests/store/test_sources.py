"""What was seen of sources: last events, rates, shares, over any number of years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from store.engine import Database
from store.sources import hour_of, read_hours, read_sources
from store.tables import Source, SourceActivity
from tests.store.statements import statements_of

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def _fill(database: Database) -> None:
    """Of `web` an event an hour and a rejection a day for ten days, of `file` something long ago, of `new` nothing."""
    rows = []
    for ago in range(240):
        at = NOW - timedelta(hours=ago)
        rows.append(_hour(1, at, stored=1, rejected=int(ago % 24 == 0), occurred=at - timedelta(seconds=2)))
    rows.append(_hour(2, NOW - timedelta(days=400), stored=500, there=20, occurred=NOW - timedelta(days=900)))
    rows.append(_hour(2, NOW - timedelta(days=2), rejected=12))
    with database.write() as session:
        session.execute(insert(Source), [{"id": i, "name": name} for i, name in enumerate(("web", "file", "new"), 1)])
        session.execute(insert(SourceActivity), rows)


def _hour(
    source: int, at: datetime, *, stored: int = 0, there: int = 0, rejected: int = 0, occurred: datetime | None = None
) -> dict[str, object]:
    return {
        "source_id": source,
        "hour": hour_of(at),
        "stored": stored,
        "already_there": there,
        "rejected": rejected,
        "last_received_at": at,
        "last_occurred_at": occurred,
    }


def test_of_each_source_the_last_event_rates_and_the_share_rejected_are_told(database: Database) -> None:
    _fill(database)
    with database.read() as session:
        file, new, web = read_sources(session, now=NOW)
    assert [seen.name for seen in (file, new, web)] == ["file", "new", "web"]
    assert (web.last_received_at, web.last_occurred_at) == (NOW, NOW - timedelta(seconds=2))
    assert (web.events_an_hour_of_day, web.events_an_hour_of_week) == (1.0, 1.0)
    assert (web.received_of_week, web.rejected_of_week, web.rejected_share) == (168 + 7, 7, 7 / 175)
    # What was rejected since is no event.
    assert (file.last_received_at, file.last_occurred_at) == (NOW - timedelta(days=400), NOW - timedelta(days=900))
    assert (file.events_an_hour_of_week, file.rejected_share) == (0.0, 1.0)
    assert (new.last_received_at, new.events_an_hour_of_day, new.rejected_share) == (None, 0.0, None)


def test_sources_are_read_by_index(database: Database) -> None:
    _fill(database)
    with statements_of(database) as statements, database.read() as session:
        read_sources(session, now=NOW)
    plans = [plan for _, plan in statements.plans(database)]
    assert len(plans) == 3
    assert not [plan for plan in plans if "SCAN source_activity" in plan or "Seq Scan on source_activity" in plan]


def test_all_hours_are_read_by_source_ascending(database: Database) -> None:
    _fill(database)
    with database.read() as session:
        hours = read_hours(session)
    assert list(hours) == ["file", "new", "web"]
    assert hours["new"] == []
    assert [(hour.events, hour.received) for hour in hours["file"]] == [(520, 520), (0, 12)]
    assert [hour.hour for hour in hours["web"]] == list(range(hour_of(NOW) - 239, hour_of(NOW) + 1))


def test_a_database_without_sources_has_none(database: Database) -> None:
    with database.read() as session:
        assert read_sources(session, now=NOW) == []
        assert read_hours(session) == {}
