"""Nothing at or after the snapshot is seen, and windows begin and end at local midnights."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.build import build_features
from features.calendar import LocalCalendar
from features.windows import Snapshot
from tests.features.strategies import (
    EPOCH,
    PROPERTY,
    TIMEZONES,
    Row,
    bought,
    histories,
    microseconds,
    snapshot_days,
    to_log,
)


@PROPERTY
@given(histories(updates=True), snapshot_days(), st.integers(0, 24 * 60), st.sampled_from(TIMEZONES))
def test_events_at_or_after_the_snapshot_change_nothing_bit_for_bit(
    history: list[Row], day: int, minutes: int, timezone: str
) -> None:
    as_of = EPOCH + timedelta(days=day, minutes=minutes)
    everybody = sorted({row.customer for row in history})
    full = to_log(history, timezone)
    known = to_log([row for row in history if row.at < as_of], timezone, everybody)
    snapshot = Snapshot.at(as_of, full.calendar)
    assert build_features(full, snapshot).values.tobytes() == build_features(known, snapshot).values.tobytes()


@PROPERTY
@given(histories(updates=True), st.data())
def test_an_event_at_the_very_instant_of_the_snapshot_is_not_seen(history: list[Row], data: st.DataObject) -> None:
    if not history:
        return
    as_of = data.draw(st.sampled_from([row.at for row in history]))
    everybody = sorted({row.customer for row in history})
    full = to_log(history)
    known = to_log([row for row in history if row.at < as_of], customer_ids=everybody)
    snapshot = Snapshot.at(as_of, full.calendar)
    assert build_features(full, snapshot).values.tobytes() == build_features(known, snapshot).values.tobytes()


@pytest.mark.parametrize("timezone", TIMEZONES)
@pytest.mark.parametrize("snapshot_date", [date(2024, 3, 11), date(2024, 4, 1), date(2024, 11, 4), date(2024, 7, 1)])
@pytest.mark.parametrize("days", [7, 30, 90])
def test_a_window_begins_and_ends_at_local_midnight_across_clock_changes(
    timezone: str, snapshot_date: date, days: int
) -> None:
    zone = ZoneInfo(timezone)
    end = datetime.combine(snapshot_date, datetime.min.time(), zone).astimezone(UTC)
    begin = datetime.combine(snapshot_date - timedelta(days=days), datetime.min.time(), zone).astimezone(UTC)
    tick = timedelta(microseconds=1)
    log = to_log([bought(at, 1.0) for at in (begin - tick, begin, end - tick, end)], timezone)
    frame = build_features(log, Snapshot.at(end, log.calendar))
    assert frame["orders"][0] == 3.0
    assert frame[f"purchase_days_{days}d"][0] == 2.0
    assert frame["days_since_last_purchase"][0] == 0.0
    assert frame["T"][0] == days


def test_at_midday_the_present_day_counts_as_the_last_day() -> None:
    noon = datetime(2024, 5, 10, 12, tzinfo=UTC)
    log = to_log([bought(noon - timedelta(days=6), 1.0), bought(noon - timedelta(hours=1), 1.0)])
    frame = build_features(log, Snapshot.at(noon, log.calendar))
    assert frame["days_since_last_purchase"][0] == 0.0
    assert (frame["T"][0], frame["purchase_days_7d"][0]) == (6.0, 2.0)
    tomorrow = build_features(log, Snapshot.at_midnight(Snapshot.at(noon, log.calendar).last_day + 1, log.calendar))
    assert np.array_equal(frame.values, tomorrow.values, equal_nan=True)


def test_a_first_purchase_on_1997_01_01_is_272_days_old_at_the_snapshot_of_1997_10_01() -> None:
    calendar = LocalCalendar("America/New_York")
    log = to_log([bought(datetime(1997, 1, 1, 20, tzinfo=UTC), 1.0)], calendar.timezone)
    day = (date(1997, 10, 1) - EPOCH.date()).days
    assert build_features(log, Snapshot.at_midnight(day, calendar))["T"][0] == 272.0
    assert microseconds(datetime(1997, 10, 1, 4, tzinfo=UTC)) == calendar.midnight(day)
