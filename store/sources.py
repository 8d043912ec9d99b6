"""What each source has sent: its last event, how much of late, and how much of it could not be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from store.tables import Source, SourceActivity
from store.tables.base import MICROSECONDS_AN_HOUR, to_microseconds

__all__ = ["HOURS_A_DAY", "HOURS_A_WEEK", "HourOfSource", "SourceSeen", "hour_of", "read_hours", "read_sources"]

HOURS_A_DAY = 24
HOURS_A_WEEK = 7 * HOURS_A_DAY


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """One source, as it was seen.

    Attributes
    ----------
    name : str
    last_received_at, last_occurred_at : datetime or None
        Of its last hour with an event that was stored or there already; None before the first.
    events_an_hour_of_day, events_an_hour_of_week : float
        New events an hour over the last 24 hours and 7 days; the present hour is one of them.
    received_of_week : int
        What came in the last 7 days: new, there already or rejected.
    rejected_of_week : int
        How many of those were rejected.
    """

    name: str
    last_received_at: datetime | None
    last_occurred_at: datetime | None
    events_an_hour_of_day: float
    events_an_hour_of_week: float
    received_of_week: int
    rejected_of_week: int

    @property
    def rejected_share(self) -> float | None:
        """Share of what came in the last 7 days that was rejected; None if nothing came."""
        return self.rejected_of_week / self.received_of_week if self.received_of_week else None


@dataclass(frozen=True, slots=True)
class HourOfSource:
    """What came from a source in one hour; `last_received_at` in microseconds, `hour` in hours since 1970-01-01 UTC."""

    hour: int
    stored: int
    already_there: int
    rejected: int
    last_received_at: int

    @property
    def events(self) -> int:
        """What could be taken: new, or there already."""
        return self.stored + self.already_there

    @property
    def received(self) -> int:
        """All that came."""
        return self.events + self.rejected


def hour_of(instant: datetime) -> int:
    """Return the hour of an instant, in hours since 1970-01-01 UTC."""
    return to_microseconds(instant) // MICROSECONDS_AN_HOUR


def read_sources(session: Session, *, now: datetime) -> Sequence[SourceSeen]:
    """Read what was seen of every source, ascending by name; by index, however long the sources have been sending.

    Parameters
    ----------
    session : Session
    now : datetime
        The hours counted end with that of this instant.
    """
    this_hour = hour_of(now)
    with_events = aliased(SourceActivity)
    last_hour = (
        select(with_events.hour)
        .where(with_events.source_id == Source.id, with_events.last_occurred_at.is_not(None))
        .order_by(with_events.hour.desc())
        .limit(1)
        .scalar_subquery()
    )
    lasts = session.execute(
        select(Source.id, Source.name, SourceActivity.last_received_at, SourceActivity.last_occurred_at)
        .outerjoin(SourceActivity, (SourceActivity.source_id == Source.id) & (SourceActivity.hour == last_hour))
        .order_by(Source.name)
    ).all()

    def came_since(hours: int) -> dict[int, tuple[int, int, int]]:
        stored, there, rejected = SourceActivity.stored, SourceActivity.already_there, SourceActivity.rejected
        rows = session.execute(
            select(Source.id, func.sum(stored), func.sum(there), func.sum(rejected))
            .join(SourceActivity, (SourceActivity.source_id == Source.id) & (SourceActivity.hour > this_hour - hours))
            .group_by(Source.id)
        )
        # PostgreSQL sums into decimals.
        return {source: (int(sums[0]), int(sums[1]), int(sums[2])) for source, *sums in rows}

    nothing = (0, 0, 0)
    day, week = came_since(HOURS_A_DAY), came_since(HOURS_A_WEEK)
    return [
        SourceSeen(
            name=name,
            last_received_at=received_at,
            last_occurred_at=occurred_at,
            events_an_hour_of_day=day.get(source, nothing)[0] / HOURS_A_DAY,
            events_an_hour_of_week=week.get(source, nothing)[0] / HOURS_A_WEEK,
            received_of_week=sum(week.get(source, nothing)),
            rejected_of_week=week.get(source, nothing)[2],
        )
        for source, name, received_at, occurred_at in lasts
    ]


def read_hours(session: Session) -> dict[str, list[HourOfSource]]:
    """Read all that was counted, by the name of the source; of each source its hours ascending, [] if it never sent."""
    rows = session.execute(
        select(Source.name, SourceActivity)
        .outerjoin(SourceActivity, SourceActivity.source_id == Source.id)
        .order_by(Source.name, SourceActivity.hour)
    )
    hours: dict[str, list[HourOfSource]] = {}
    for name, row in rows:
        of_source = hours.setdefault(name, [])
        if row is not None:
            received_at = to_microseconds(row.last_received_at)
            of_source.append(HourOfSource(row.hour, row.stored, row.already_there, row.rejected, received_at))
    return hours
