"""Local days against zoneinfo, and where a clock set back across midnight makes zoneinfo's dates run backwards."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from features.calendar import MICROSECONDS_PER_DAY, LocalCalendar
from tests.features.strategies import EPOCH, TIMEZONES, microseconds

# Havana and São Paulo changed clocks at midnight, Casablanca four times a year; Apia and Kiritimati left out a day.
_ZONES = (*TIMEZONES, "America/Havana", "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia", "Pacific/Kiritimati")
# In Canada's east clocks changed at one minute past midnight, so that an evening came twice.
_TWICE_AN_EVENING = ("America/St_Johns", "America/Goose_Bay")


def _day(year: int, month: int, day: int) -> int:
    return (date(year, month, day) - EPOCH.date()).days


_LEFT_OUT = {"Pacific/Apia": {_day(2011, 12, 30)}, "Pacific/Kiritimati": {_day(1994, 12, 31), _day(1995, 1, 1)}}


@pytest.mark.parametrize("timezone", _ZONES)
def test_the_day_of_an_instant_is_the_date_that_zoneinfo_gives(timezone: str) -> None:
    random = Random(1)
    hours = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(2 * 365 * 24)]
    anytime = [datetime(1960, 1, 1, tzinfo=UTC) + timedelta(days=36_500 * random.random()) for _ in range(5_000)]
    instants = [*hours, *anytime]
    days = LocalCalendar(timezone).days(np.array([microseconds(at) for at in instants], dtype=np.int64))
    zone = ZoneInfo(timezone)
    assert days.tolist() == [(at.astimezone(zone).date() - EPOCH.date()).days for at in instants]


@pytest.mark.parametrize("timezone", _ZONES)
def test_the_hour_of_an_instant_is_the_one_that_zoneinfo_gives(timezone: str) -> None:
    random = Random(2)
    instants = [datetime(2010, 1, 1, tzinfo=UTC) + timedelta(days=5_000 * random.random()) for _ in range(5_000)]
    hours = LocalCalendar(timezone).hours(np.array([microseconds(at) for at in instants], dtype=np.int64))
    zone = ZoneInfo(timezone)
    # Where the clock is set back at midnight, the hour before comes twice, and the second one counts to the new day.
    shown = [(at.astimezone(zone), hour) for at, hour in zip(instants, hours.tolist(), strict=True)]
    assert all(hour == local.hour or (local.hour, local.fold, hour) == (23, 1, 0) for local, hour in shown)


def test_one_instant_has_the_day_that_it_has_among_many() -> None:
    calendar = LocalCalendar("America/New_York")
    evening = datetime(1997, 1, 2, 3, tzinfo=UTC)
    assert calendar.day(microseconds(evening)) == _day(1997, 1, 1)
    assert calendar.day_of(evening) == date(1997, 1, 1)


@pytest.mark.parametrize("timezone", [*_ZONES, *_TWICE_AN_EVENING])
def test_a_day_begins_at_its_midnight_and_not_before(timezone: str) -> None:
    calendar = LocalCalendar(timezone)
    left_out = _LEFT_OUT.get(timezone, set())
    for first, last in ((_day(1993, 1, 1), _day(1996, 1, 1)), (_day(2009, 1, 1), _day(2012, 6, 1))):
        for day in range(first, last):
            if not {day, day - 1} & left_out:
                midnight = calendar.midnight(day)
                assert (calendar.day(midnight), calendar.day(midnight - 1)) == (day, day - 1)


@pytest.mark.parametrize("timezone", _TWICE_AN_EVENING)
def test_days_never_run_backwards_where_zoneinfo_has_an_evening_twice(timezone: str) -> None:
    step = MICROSECONDS_PER_DAY // 48
    instants = np.arange(_day(1985, 1, 1) * MICROSECONDS_PER_DAY, _day(2012, 1, 1) * MICROSECONDS_PER_DAY, step)
    assert (np.diff(LocalCalendar(timezone).days(instants)) >= 0).all()


def test_a_clock_set_back_across_midnight_does_not_bring_yesterday_back() -> None:
    # Newfoundland, 2009-11-01 00:01 became 2009-10-31 23:01.
    calendar = LocalCalendar("America/St_Johns")
    after = datetime(2009, 11, 1, 2, 45, tzinfo=UTC)  # 23:15 again
    assert after.astimezone(ZoneInfo("America/St_Johns")).date() == date(2009, 10, 31)
    assert calendar.day_of(after - timedelta(minutes=15)) == calendar.day_of(after) == date(2009, 11, 1)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(KeyError, match="No time zone found with key Nowhere/At_All"):
        LocalCalendar("Nowhere/At_All")
