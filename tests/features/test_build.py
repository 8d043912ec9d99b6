"""Features against a pandas oracle, the frame around them, and how long they take."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.one_customer import one_customer
from features.attributes import AttributeColumn, AttributeKind, Attributes
from features.build import PURCHASES, FeatureFrame, FeaturePlan, build_features
from features.calendar import LocalCalendar
from features.catalogue import CATALOGUE, features_for
from features.exceptions import UnknownFeatureError
from features.families.attributes import attribute_feature_of
from features.families.events import event_features
from features.reference import AttributeReference, Reference
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
    assert set(frame.names) == {feature.name for feature in CATALOGUE.values() if feature.needs == "purchases"}
    for customer, values in zip(frame.customer_ids, frame.values, strict=True):
        expected = expected_features([row for row in rows if row.customer == customer], as_of, timezone)
        if expected is None:
            assert np.isnan(values).all()
        else:
            computed = dict(zip(frame.names, values.tolist(), strict=True))
            assert {name: computed[name] for name in expected} == {
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
        *("total_value", "mean_order_value", "mean_order_value_90d"),
        *(f"value_change_{days}d" for days in (30, 90, 180)),
        *(f"value_{days}d" for days in (7, 30, 90, 180, 365)),
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


@pytest.fixture
def plan() -> FeaturePlan:
    return FeaturePlan.of(tuple(CATALOGUE.values()))


def test_a_plan_measures_each_aggregate_once_and_leaves_out_what_the_purchase_model_gives(plan: FeaturePlan) -> None:
    assert plan.features == tuple(feature for feature in CATALOGUE.values() if feature.source == "log")
    assert len(set(plan.aggregates)) == len(plan.aggregates)
    assert set(plan.aggregates) == {a for feature in CATALOGUE.values() for a in feature.inputs}


def test_features_of_many_customers_at_once_are_those_of_each_alone_bit_for_bit(plan: FeaturePlan) -> None:
    generator = np.random.default_rng(5)
    n_customers = 2_500
    measured = generator.normal(5, 10, (plan.n_rows, n_customers, 2))
    measured[generator.random(measured.shape) < 0.1] = np.nan
    together, singly = np.empty((2, 2, n_customers, len(plan.features)))
    plan.evaluate(measured, together)
    for row in range(n_customers):
        alone = slice(row, row + 1)
        plan.evaluate(np.ascontiguousarray(measured[:, alone]), singly[:, alone])
    assert together.tobytes() == singly.tobytes()
    position = {a: i for i, a in enumerate(plan.aggregates)}
    for column, feature in enumerate(plan.features):
        for snapshot in range(2):
            by_itself = feature.column([measured[position[a], :, snapshot] for a in feature.inputs])
            assert np.array_equal(together[snapshot, :, column], by_itself, equal_nan=True)


@pytest.mark.parametrize(
    ("days_of_data", "missing"),
    [
        (0, {"days_since", "count_7d", "count_30d", "count_90d", "days_90d", "change_30d"}),
        (1, {"count_7d", "count_30d", "count_90d", "days_90d", "change_30d"}),
        (6, {"count_7d", "count_30d", "count_90d", "days_90d", "change_30d"}),
        (7, {"count_30d", "count_90d", "days_90d", "change_30d"}),
        (30, {"count_90d", "days_90d", "change_30d"}),
        (60, {"count_90d", "days_90d"}),
        (90, set()),
    ],
)
def test_a_window_is_missing_until_its_data_has_been_there_for_its_length(days_of_data: int, missing: set[str]) -> None:
    snapshot = Snapshot.at_midnight(20_000, LocalCalendar("UTC"))
    # The last day is 19,999; data of one day began on it.
    reference = Reference(first_days={"event.visit": 20_000 - days_of_data})
    plan = FeaturePlan.of(event_features("visit"))
    found = {
        plan.features[position].name.removeprefix("event.visit.") for position in plan.missing(reference, snapshot)
    }
    assert found == missing


def test_a_kind_of_data_that_the_business_does_not_have_is_missing_and_purchases_never_are(plan: FeaturePlan) -> None:
    missing = plan.missing(Reference(first_days={}), Snapshot.at_midnight(20_000, LocalCalendar("UTC")))
    assert {plan.features[position] for position in missing} == set(plan.features) - set(PURCHASES.features)


def test_a_ratio_waits_for_both_of_its_events() -> None:
    snapshot = Snapshot.at_midnight(20_000, LocalCalendar("UTC"))
    plan = FeaturePlan.of([CATALOGUE["sent_to_opened_90d"]])
    for sent, opened, is_missing in ((0, 0, False), (0, 19_911, True), (19_911, 0, True), (19_910, 19_910, False)):
        reference = Reference(first_days={"event.email_sent": sent, "event.email_opened": opened})
        assert bool(len(plan.missing(reference, snapshot))) is is_missing


def _column(kind: AttributeKind, values: list[float | None], texts: tuple[str, ...] = ()) -> AttributeColumn:
    known = [value is not None for value in values]
    return AttributeColumn(
        kind,
        np.concatenate(([0], np.cumsum(known))).astype(np.int64),
        np.zeros(sum(known), dtype=np.int64),
        np.array([value for value in values if value is not None], dtype=np.float64),
        texts,
    )


def test_attributes_are_numbers_codes_of_the_reference_and_days_since_dates() -> None:
    log = to_log([bought(_day(0), 5.0, customer="a")], customer_ids=["b", "c"])
    snapshot = Snapshot.at(_day(9, 0), log.calendar)
    columns = {
        "Plan type": _column("category", [0.0, 1.0, 2.0], ("Basic", "Gold", "Pro")),
        "renewal": _column("date", [snapshot.last_day - 12.0, snapshot.last_day + 3.0, None]),
        "seats": _column("number", [3.0, None, 5.5]),
        "unknown to the reference": _column("number", [1.0, 1.0, 1.0]),
    }
    reference = Reference(
        first_days={},
        attributes={
            "Plan type": AttributeReference("category", ("Basic", "Pro")),
            "renewal": AttributeReference("date"),
            "seats": AttributeReference("number"),
            "nobody has it": AttributeReference("number"),
        },
    )
    plan = FeaturePlan.of(features_for(reference))
    frame = build_features(replace(log, attributes=Attributes(columns, 3)), snapshot, reference, plan)
    assert frame.names == (
        *("attribute.Plan_type", "attribute.nobody_has_it", "attribute.renewal.days_since", "attribute.seats"),
    )
    expected = [[0.0, np.nan, 12.0, 3.0], [np.nan, np.nan, -3.0, np.nan], [1.0, np.nan, np.nan, 5.5]]
    assert np.array_equal(frame.values, expected, equal_nan=True)
    later = FeaturePlan.of([attribute_feature_of("gone by now", "number")])
    assert np.isnan(build_features(log, snapshot, reference, later).values).all()


def test_the_whole_catalogue_for_one_customer_with_500_events_and_300_lines_takes_less_than_a_millisecond() -> None:
    log, snapshot, reference = one_customer()
    plan = FeaturePlan.of(features_for(reference))
    assert set(plan.features) == set(FeaturePlan.of(tuple(CATALOGUE.values())).features)
    seconds = []
    for _ in range(200):
        start = time.perf_counter()
        build_features(log, snapshot, reference, plan)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.001


def test_an_attribute_that_was_of_one_kind_and_is_of_another_is_planned_once_as_the_last() -> None:
    plan = FeaturePlan.of([attribute_feature_of("plan", "number"), attribute_feature_of("plan", "category")])
    assert [(feature.name, feature.categorical) for feature in plan.features] == [("attribute.plan", True)]
