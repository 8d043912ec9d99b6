"""The snapshot and the days around it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from features.calendar import LocalCalendar
from features.windows import Snapshot
from tests.features.strategies import EPOCH, TIMEZONES, microseconds


@pytest.mark.parametrize("timezone", TIMEZONES)
def test_a_midnight_by_instant_and_by_day_is_one_snapshot(timezone: str) -> None:
    calendar = LocalCalendar(timezone)
    for day in (date(2024, 3, 10), date(2024, 3, 31), date(2024, 11, 3), date(2024, 12, 31)):
        midnight = datetime.combine(day, datetime.min.time(), ZoneInfo(timezone))
        snapshot = Snapshot.at(midnight, calendar)
        assert snapshot == Snapshot.at_midnight((day - EPOCH.date()).days, calendar)
        assert snapshot.as_of == microseconds(midnight)
        assert snapshot.date == day


def test_at_midday_the_last_day_is_the_present_one_and_the_future_begins_tomorrow() -> None:
    snapshot = Snapshot.at(datetime(2024, 5, 10, 12, tzinfo=UTC), LocalCalendar("UTC"))
    assert snapshot.last_day == (date(2024, 5, 10) - EPOCH.date()).days
    assert snapshot.date == date(2024, 5, 11)


@pytest.mark.parametrize("timezone", TIMEZONES)
@pytest.mark.parametrize("days", [-400, -30, 0, 1, 90, 365])
def test_after_counts_local_days_across_clock_changes(timezone: str, days: int) -> None:
    calendar = LocalCalendar(timezone)
    start = Snapshot.at(datetime(2024, 3, 1, tzinfo=ZoneInfo(timezone)), calendar)
    expected = datetime.combine(date(2024, 3, 1) + timedelta(days=days), datetime.min.time(), ZoneInfo(timezone))
    assert start.after(days, calendar) == Snapshot.at(expected, calendar)
