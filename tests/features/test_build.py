"""Features against a pandas oracle, the frame around them, and how long they take."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.build import FeatureFrame, build_features
from features.calendar import LocalCalendar
from features.catalogue import CATALOGUE
from features.exceptions import UnknownFeatureError
from features.windows import Snapshot
from tests.features.oracle import expected_features
from tests.features.strategies import (
    EPOCH,
    PROPERTY,
    TIMEZONES,
    Row,
    as_rows_of_time,
    bought,
    histories,
    refunded,
    snapshot_days,
    to_log,
)


@PROPERTY
@given(histories(), snapshot_days(), st.sampled_from(TIMEZONES), st.integers(0, 24 * 60))
def test_every_feature_from_purchases_equals_the_pandas_oracle(
    history: list[Row], day: int, timezone: str, minutes: int
) -> None:
    as_of = EPOCH + timedelta(days=day, minutes=minutes)
    rows = [history[i] for i in as_rows_of_time(history)]
    log = to_log(rows, timezone)
    frame = build_features(log, Snapshot.at(as_of, log.calendar))
    assert set(frame.names) == {feature.name for feature in CATALOGUE.values() if feature.source == "purchases"}
    for customer, values in zip(frame.customer_ids, frame.values, strict=True):
        expected = expected_features([row for row in rows if row.customer == customer], as_of, timezone)
        if expected is None:
            assert np.isnan(values).all()
        else:
            assert dict(zip(frame.names, values.tolist(), strict=True)) == {
                name: pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True) for name, value in expected.items()
            }


def _day(day: int, hour: int = 12) -> datetime:
    return datetime(2024, 1, 1, hour, tzinfo=UTC) + timedelta(days=day)


def test_several_orders_on_one_day_are_one_purchase_day() -> None:
    log = to_log([bought(_day(0, 9), 1.0), bought(_day(0, 18), 2.0), bought(_day(4), 8.0)])
    frame = build_features(log, Snapshot.at(_day(9, 0), log.calendar))
    assert (frame["frequency"][0], frame["orders"][0], frame["first_day_value"][0]) == (1.0, 3.0, 3.0)


def test_an_order_of_value_zero_is_a_purchase() -> None:
    log = to_log([bought(_day(0), 0.0), bought(_day(4), 0.0)])
    frame = build_features(log, Snapshot.at(_day(9, 0), log.calendar))
    assert (frame["frequency"][0], frame["monetary_value"][0]) == (1.0, 0.0)


def test_an_order_stops_being_a_purchase_when_it_is_refunded_and_not_before() -> None:
    log = to_log([bought(_day(0), 5.0), bought(_day(2), 5.0, order="A"), refunded(_day(6), order="A")])
    before = build_features(log, Snapshot.at(_day(6), log.calendar))
    after = build_features(log, Snapshot.at(_day(6) + timedelta(microseconds=1), log.calendar))
    assert (before["frequency"][0], after["frequency"][0]) == (1.0, 0.0)


def test_an_unmatched_refund_lowers_value_only() -> None:
    rows = [bought(_day(0), 5.0, product=1), bought(_day(3), 7.0, product=1)]
    plain, lowered = to_log(rows), to_log([*rows, refunded(_day(5), 4.0, product=2)])
    at = Snapshot.at(_day(9, 0), plain.calendar)
    one, other = build_features(plain, at), build_features(lowered, at)
    changed = {name for name in one.names if one[name] != other[name] and not np.isnan(one[name])}
    assert changed == {
        *("total_value", "mean_order_value", "value_change_90d", "value_7d"),
        *(f"value_{days}d" for days in (30, 90, 180, 365)),
    }
    assert one["monetary_value"] == other["monetary_value"] == 7.0


def test_equal_values_and_equal_gaps_deviate_by_exactly_nothing() -> None:
    log = to_log([bought(_day(7 * i), 11.77) for i in range(7)])
    frame = build_features(log, Snapshot.at(_day(60, 0), log.calendar))
    assert (frame["day_value_deviation"][0], frame["gap_deviation"][0]) == (0.0, 0.0)


def test_a_customer_without_purchases_is_missing_throughout() -> None:
    log = to_log([bought(_day(0), 5.0)], customer_ids=["nobody"])
    frame = build_features(log, Snapshot.at(_day(9, 0), log.calendar))
    assert np.isnan(frame.values).all(axis=1).tolist() == [False, True]


def test_a_log_of_nobody_gives_no_rows() -> None:
    frame = build_features(to_log([]), Snapshot.at_midnight(20_000, LocalCalendar("UTC")))
    assert frame.values.shape == (0, len(frame.names))


@pytest.fixture
def frame() -> FeatureFrame:
    log = to_log([bought(_day(0), 5.0), bought(_day(3), 7.0, customer="d")])
    return build_features(log, Snapshot.at(_day(9, 0), log.calendar))


def test_columns_are_selected_in_the_order_asked(frame: FeatureFrame) -> None:
    assert frame.select(["total_value", "T"]).tolist() == [[5.0, 8.0], [7.0, 5.0]]


def test_a_column_that_the_frame_does_not_have_is_refused_by_name(frame: FeatureFrame) -> None:
    with pytest.raises(
        UnknownFeatureError, match=r"expected features of this frame \(frequency, .*got p_alive, nonsense"
    ):
        frame.select(["T", "p_alive", "nonsense"])
    with pytest.raises(UnknownFeatureError, match="got p_alive"):
        frame["p_alive"]


def test_columns_are_added_only_if_the_catalogue_declares_them(frame: FeatureFrame) -> None:
    wider = frame.with_columns(["p_alive"], [np.array([0.25, 0.5])])
    assert wider["p_alive"].tolist() == [0.25, 0.5]
    assert np.array_equal(wider.select(frame.names), frame.values, equal_nan=True)
    with pytest.raises(UnknownFeatureError, match="expected features of the catalogue, got nonsense"):
        frame.with_columns(["nonsense"], [np.zeros(2)])


def test_one_customer_with_500_events_takes_less_than_a_millisecond() -> None:
    log = to_log([bought(_day(i), 5.0) for i in range(500)])
    snapshot = Snapshot.at(_day(600, 0), log.calendar)
    seconds = []
    for _ in range(100):
        start = time.perf_counter()
        build_features(log, snapshot)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.001
