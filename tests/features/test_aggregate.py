"""Measures against a plain oracle, and what must hold of them whatever customers do."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.aggregate import Aggregate, Measure, Program, aggregate, aggregate_at
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.reference import Reference
from features.windows import Snapshot
from tests.features.measure_oracle import MeasuresOfOne
from tests.features.strategies import (
    CATEGORIES,
    EPOCH,
    PROPERTY,
    TIMEZONES,
    Row,
    as_rows_of_time,
    bought,
    did,
    histories,
    refunded,
    snapshot_days,
    to_log,
    updated,
)

PRICES = {"Food": 2.5, "Somewhere else": 1.0}
REFERENCE = Reference(first_days={}, unit_prices=PRICES)
CAKE, TEA, GARDEN = CATEGORIES

_WINDOWS = ((None, 0), (30, 0), (30, 30), (90, 0), (365, 0))
_FAMILIES = (None, "product_viewed", "session_started", "order_completed", "never_heard_of")
_OF_PURCHASES = range(Measure.PURCHASE_DAYS, Measure.YEAR_PHASE + 1)
_OF_EVENTS = range(Measure.EVENTS, Measure.DAYS_SINCE_EVENT + 1)

EVERYTHING = tuple(
    Aggregate(measure, days, ago, family)
    for measure in Measure
    for days, ago in _WINDOWS
    for family in (_FAMILIES if measure in _OF_EVENTS else (None,))
)
PROGRAM = Program.of(EVERYTHING)
_WITH_ORACLE = [(column, a) for column, a in enumerate(EVERYTHING) if a.measure not in _OF_PURCHASES]


def _day(day: int, hour: int = 12) -> datetime:
    return datetime(2024, 1, 1, hour, tzinfo=UTC) + timedelta(days=day)


def measured(rows: list[Row], *aggregates: Aggregate, at: datetime | None = None) -> list[float]:
    """Measure the one customer of some rows at the midnight before day 100, or another instant."""
    log = to_log(rows)
    snapshot = Snapshot.at(_day(100, 0) if at is None else at, log.calendar)
    return [float(value) for value in aggregate(log, snapshot, aggregates, REFERENCE)[0]]


@PROPERTY
@given(histories(updates=True), snapshot_days(), st.sampled_from(TIMEZONES), st.integers(0, 24 * 60))
def test_every_measure_equals_the_plain_oracle(history: list[Row], day: int, timezone: str, minutes: int) -> None:
    as_of = EPOCH + timedelta(days=day, minutes=minutes)
    rows = [history[i] for i in as_rows_of_time(history)]
    log = to_log(rows, timezone)
    found = aggregate(log, Snapshot.at(as_of, log.calendar), PROGRAM, REFERENCE)
    for customer, values in zip(log.customer_ids, found.tolist(), strict=True):
        measure = MeasuresOfOne([row for row in rows if row.customer == customer], as_of, timezone, PRICES)
        for column, each in _WITH_ORACLE:
            assert values[column] == pytest.approx(measure(each), rel=1e-12, abs=1e-9, nan_ok=True), each


@PROPERTY
@given(histories(updates=True), snapshot_days(), st.integers(0, 24 * 60), st.sampled_from(TIMEZONES))
def test_nothing_at_or_after_the_snapshot_changes_any_measure_bit_for_bit(
    history: list[Row], day: int, minutes: int, timezone: str
) -> None:
    as_of = EPOCH + timedelta(days=day, minutes=minutes)
    full = to_log(history, timezone)
    known = to_log([row for row in history if row.at < as_of], timezone, full.customer_ids)
    snapshot = Snapshot.at(as_of, full.calendar)
    assert _bits(full, snapshot) == _bits(known, snapshot)


@PROPERTY
@given(histories(updates=True), st.data())
def test_what_happens_at_the_very_instant_of_the_snapshot_is_not_seen(history: list[Row], data: st.DataObject) -> None:
    if not history:
        return
    as_of = data.draw(st.sampled_from([row.at for row in history]))
    full = to_log(history)
    known = to_log([row for row in history if row.at < as_of], customer_ids=full.customer_ids)
    snapshot = Snapshot.at(as_of, full.calendar)
    assert _bits(full, snapshot) == _bits(known, snapshot)


@PROPERTY
@given(histories(updates=True), snapshot_days())
def test_one_customer_alone_measures_bit_for_bit_as_among_others(history: list[Row], day: int) -> None:
    log = to_log(history)
    snapshot = Snapshot.at_midnight(day, log.calendar)
    alone = [
        to_log([row for row in history if row.customer == customer], customer_ids=[customer])
        for customer in log.customer_ids
    ]
    assert _bits(log, snapshot) == b"".join(_bits(one, snapshot) for one in alone)
    assert _bits(log, snapshot) == b"".join(_bits(log.take([i]), snapshot) for i in range(log.n_customers))


def _bits(log: EventLog, snapshot: Snapshot) -> bytes:
    return aggregate(log, snapshot, PROGRAM, REFERENCE).tobytes()


@PROPERTY
@given(
    histories(updates=True),
    st.lists(st.tuples(snapshot_days(), st.integers(0, 24 * 60)), min_size=1, max_size=4),
    st.sampled_from(TIMEZONES),
)
def test_snapshots_measured_together_are_those_measured_one_by_one_in_any_order_bit_for_bit(
    history: list[Row], instants: list[tuple[int, int]], timezone: str
) -> None:
    log = to_log(history, timezone)
    snapshots = [Snapshot.at(EPOCH + timedelta(days=day, minutes=minutes), log.calendar) for day, minutes in instants]
    together = aggregate_at(log, snapshots, PROGRAM, REFERENCE)
    assert together.shape == (len(snapshots), log.n_customers, len(EVERYTHING))
    for snapshot, values in zip(snapshots, together, strict=True):
        assert values.tobytes() == _bits(log, snapshot)


def test_a_refund_between_two_snapshots_lowers_what_was_bought_before_the_first_at_the_second_only() -> None:
    rows = [bought(_day(1), 8.0, order="A"), bought(_day(3), 2.0, order="B"), refunded(_day(5), 8.0, order="A")]
    log = to_log(rows)
    snapshots = [Snapshot.at(_day(day, 0), log.calendar) for day in (4, 6)]
    aggregates = [Aggregate(m) for m in (Measure.PURCHASE_DAYS, Measure.VALUE, Measure.DAYS_SINCE_FIRST)]
    expected = [[[2.0, 10.0, 2.0]], [[1.0, 2.0, 2.0]]]
    assert aggregate_at(log, snapshots, aggregates).tolist() == expected
    assert aggregate_at(log, snapshots[::-1], aggregates).tolist() == expected[::-1]


def test_a_purchase_day_that_a_snapshot_cuts_is_whole_at_the_next() -> None:
    log = to_log([bought(_day(1, 9), 3.0), bought(_day(1, 15), 4.0)])
    snapshots = [Snapshot.at(at, log.calendar) for at in (_day(1, 12), _day(2, 0))]
    aggregates = [Aggregate(m, 7) for m in (Measure.ORDERS, Measure.VALUE, Measure.LAST_DAY_VALUE)]
    assert aggregate_at(log, snapshots, aggregates).tolist() == [[[1.0, 3.0, 3.0]], [[2.0, 7.0, 7.0]]]


def test_a_day_of_events_that_a_snapshot_cuts_is_one_day_at_the_next() -> None:
    log = to_log([did(_day(1, 9)), did(_day(1, 15), event="Session Started"), did(_day(1, 16))])
    snapshots = [Snapshot.at(at, log.calendar) for at in (_day(2, 0), _day(1, 12), _day(3, 0))]
    of_views = [Aggregate(m, 7, of="product_viewed") for m in (Measure.EVENTS, Measure.EVENT_DAYS)]
    aggregates = [*of_views, *(Aggregate(m, 7) for m in (Measure.EVENTS, Measure.EVENT_DAYS))]
    whole, cut = [2.0, 1.0, 3.0, 1.0], [1.0, 1.0, 1.0, 1.0]
    assert aggregate_at(log, snapshots, aggregates).tolist() == [[whole], [cut], [whole]]


def test_the_last_event_in_a_window_is_found_before_later_ones_and_none_that_is_older() -> None:
    rows = [did(_day(10)), did(_day(50)), did(_day(60), event="Session Started"), did(_day(80))]
    since = [Aggregate(Measure.DAYS_SINCE_EVENT, days, ago, "product_viewed") for days, ago in ((60, 30), (None, 60))]
    assert measured(rows, *since) == [49.0, 89.0]
    assert np.isnan(measured(rows, Aggregate(Measure.DAYS_SINCE_EVENT, 20, 25, "product_viewed"))).all()


def test_the_numbers_of_measures_are_kept_since_bundles_know_features_by_them() -> None:
    assert [measure.name for measure in Measure] == [
        *("PURCHASE_DAYS", "ORDERS", "VALUE", "REPEAT_VALUE", "FIRST_DAY_VALUE", "LAST_DAY_VALUE", "DAY_VALUE_MAX"),
        *("DAY_VALUE_DEVIATION", "DAYS_SINCE_FIRST", "DAYS_SINCE_LAST", "GAP_LAST", "GAP_MAX", "GAP_DEVIATION"),
        *("YEAR_PHASE", "EVENTS", "EVENT_DAYS", "DAYS_SINCE_EVENT", "DAYS_SINCE_ANYTHING", "LINES", "LINE_ORDERS"),
        *("PRODUCTS", "CATEGORIES", "NEW_PRODUCT_LINES", "PRODUCT_TOP_LINES", "CATEGORY_TOP_VALUE"),
        *("CATEGORY_CONCENTRATION", "QUANTITY", "LINE_VALUE", "DISCOUNT", "DISCOUNTED_LINES", "PRICE_LEVEL"),
        *("REFUNDS", "REFUND_DAYS_SINCE", "REFUNDED_VALUE", "ORDERED_VALUE", "CHANNELS", "CHANNEL_TOP_SHARE"),
        *("CHANNEL_ENTROPY", "PREFERRED_WEEKDAY", "PREFERRED_WEEKDAY_SHARE", "WEEKEND_SHARE", "PREFERRED_HOUR"),
        "FIRST_MONTH",
    ]
    assert list(map(int, Measure)) == list(range(len(Measure)))


def test_a_sequence_of_aggregates_measures_as_the_program_made_of_it_in_its_order() -> None:
    log = to_log([bought(_day(1), 5.0, order="A", product=1), did(_day(2)), refunded(_day(3), 1.0)])
    snapshot = Snapshot.at(_day(9), log.calendar)
    some = EVERYTHING[::-7]
    by_program = aggregate(log, snapshot, PROGRAM, REFERENCE)[:, [EVERYTHING.index(a) for a in some]]
    assert aggregate(log, snapshot, some, REFERENCE).tobytes() == by_program.tobytes()


def test_nothing_asked_of_somebody_and_anything_asked_of_nobody_gives_no_numbers() -> None:
    log = to_log([bought(_day(1), 5.0)])
    snapshot = Snapshot.at(_day(9), log.calendar)
    assert aggregate(log, snapshot, ()).shape == (1, 0)
    assert aggregate(log.take([]), snapshot, PROGRAM).shape == (0, len(EVERYTHING))


def test_a_customer_of_whom_nothing_is_known_has_no_events_lines_and_refunds_and_no_purchase_measures() -> None:
    log = to_log([], customer_ids=["nobody"])
    values = aggregate(log, Snapshot.at(_day(9), log.calendar), PROGRAM)[0]
    counted = {a.measure for a, value in zip(EVERYTHING, values, strict=True) if value == 0.0}
    missing = {a.measure for a, value in zip(EVERYTHING, values, strict=True) if math.isnan(value)}
    assert counted | missing == set(Measure)
    assert counted == {
        *(Measure.EVENTS, Measure.EVENT_DAYS, Measure.LINES, Measure.LINE_ORDERS, Measure.PRODUCTS),
        *(Measure.CATEGORIES, Measure.NEW_PRODUCT_LINES, Measure.QUANTITY, Measure.LINE_VALUE, Measure.DISCOUNT),
        *(Measure.DISCOUNTED_LINES, Measure.REFUNDS, Measure.REFUNDED_VALUE, Measure.ORDERED_VALUE, Measure.CHANNELS),
    }


def test_names_that_differ_in_case_and_punctuation_only_are_one_family() -> None:
    rows = [did(_day(1)), did(_day(1), event="product_viewed"), did(_day(5), event="Session Started")]
    of_views = [Aggregate(m, of="product_viewed") for m in (Measure.EVENTS, Measure.EVENT_DAYS)]
    assert measured(rows, *of_views, Aggregate(Measure.EVENTS)) == [2.0, 1.0, 3.0]


def test_orders_and_refunds_are_not_events_but_something_that_happened() -> None:
    rows = [did(_day(1)), bought(_day(5), 3.0, order="A"), refunded(_day(8), 3.0, order="A")]
    assert measured(
        rows,
        Aggregate(Measure.EVENTS),
        Aggregate(Measure.EVENTS, of="order_completed"),
        Aggregate(Measure.DAYS_SINCE_EVENT),
        Aggregate(Measure.DAYS_SINCE_ANYTHING),
    ) == [1.0, 0.0, 98.0, 91.0]


def test_a_product_is_new_with_all_its_lines_of_one_instant_and_never_again() -> None:
    rows = [
        bought(_day(1), 1.0, order="A", product=1),
        bought(_day(1), 1.0, order="A", product=1),
        bought(_day(2), 1.0, order="B", product=1),
        bought(_day(2), 1.0, order="B", product=2),
        bought(_day(2), 1.0, order="B"),
    ]
    assert measured(rows, Aggregate(Measure.NEW_PRODUCT_LINES), Aggregate(Measure.NEW_PRODUCT_LINES, 98)) == [3.0, 1.0]


def test_refunds_leave_lines_as_they_were_ordered() -> None:
    rows = [bought(_day(1), 8.0, order="A", product=1, quantity=2.0), refunded(_day(2), order="A")]
    assert measured(rows, Aggregate(Measure.LINES), Aggregate(Measure.LINE_VALUE), Aggregate(Measure.QUANTITY)) == [
        1.0,
        8.0,
        2.0,
    ]


def test_an_update_replaces_lines_from_its_own_instant_on_and_on_the_day_of_the_order() -> None:
    rows = [
        bought(_day(1), 8.0, order="A", product=1, quantity=2.0),
        bought(_day(40), 3.0, order="B", product=2, quantity=1.0),
        updated(_day(60), 4.0, order="A", product=2, quantity=1.0),
        updated(_day(60), 1.0, order="A", product=3, quantity=5.0),
    ]
    measures = (Measure.LINES, Measure.LINE_ORDERS, Measure.LINE_VALUE, Measure.QUANTITY, Measure.NEW_PRODUCT_LINES)
    ever, recent = [Aggregate(m) for m in measures], [Aggregate(m, 70) for m in measures]
    before, after = _day(60), _day(60) + timedelta(microseconds=1)
    assert measured(rows, *ever, at=before) == [2.0, 2.0, 11.0, 3.0, 2.0]
    # Product 2 was first bought with A now, and no longer with B.
    assert measured(rows, *ever, at=after) == [3.0, 2.0, 8.0, 7.0, 2.0]
    assert measured(rows, *recent) == [1.0, 1.0, 3.0, 1.0, 0.0]


def test_an_update_is_no_refund_and_its_order_is_worth_what_it_says_on_its_own_day() -> None:
    rows = [
        bought(_day(1), 8.0, order="A", product=1),
        bought(_day(50), 5.0),
        refunded(_day(55), 2.0, order="A"),
        updated(_day(60), 4.0, order="A", product=1),
    ]
    measures = (Measure.REFUNDS, Measure.REFUNDED_VALUE, Measure.ORDERED_VALUE, Measure.VALUE, Measure.FIRST_DAY_VALUE)
    assert measured(rows, *(Aggregate(m) for m in measures)) == [1.0, 2.0, 9.0, 7.0, 2.0]
    assert measured(rows, Aggregate(Measure.ORDERED_VALUE, 60), Aggregate(Measure.PURCHASE_DAYS, 60)) == [5.0, 1.0]


def test_concentration_is_one_for_one_category_and_the_sum_of_squared_shares_of_several() -> None:
    rows = [
        bought(_day(1), 3.0, category=CAKE),
        bought(_day(1), 3.0, category=TEA),
        bought(_day(2), 2.0, category=GARDEN),
        bought(_day(3), 9.0, product=1),
    ]
    concentration = Aggregate(Measure.CATEGORY_CONCENTRATION)
    assert measured(rows[:2], concentration) == [1.0]
    assert measured(rows, concentration) == [0.75**2 + 0.25**2]
    assert measured(rows, Aggregate(Measure.CATEGORY_TOP_VALUE), Aggregate(Measure.CATEGORIES)) == [6.0, 2.0]


def test_favourites_among_lines_without_product_category_or_value_are_missing() -> None:
    rows = [bought(_day(1), order="A"), bought(_day(1), 0.0, order="A", category=TEA)]
    measures = (Measure.PRODUCT_TOP_LINES, Measure.CATEGORY_TOP_VALUE, Measure.CATEGORY_CONCENTRATION)
    assert np.isnan(measured(rows, *(Aggregate(measure) for measure in measures))).all()


def test_the_price_level_is_the_mean_log_ratio_to_the_usual_price_of_the_category() -> None:
    rows = [
        bought(_day(1), 10.0, quantity=2.0, category=TEA),  # twice the usual 2.5
        bought(_day(2), 2.5, quantity=1.0, category=CAKE),
        bought(_day(3), 7.0, quantity=1.0, category=GARDEN),  # no usual price is known
        bought(_day(3), 0.0, quantity=1.0, category=TEA),
    ]
    assert measured(rows, Aggregate(Measure.PRICE_LEVEL)) == [pytest.approx(math.log(2.0) / 2.0, rel=1e-15)]
    assert np.isnan(measured(rows[2:], Aggregate(Measure.PRICE_LEVEL))).all()


def test_a_sum_over_a_window_without_lines_is_exactly_nothing_whatever_went_before() -> None:
    rows = [bought(_day(day), 0.1 * day, product=1, quantity=0.3, discount=0.7) for day in range(60)]
    sums = [Aggregate(m, 30) for m in (Measure.LINE_VALUE, Measure.QUANTITY, Measure.DISCOUNT, Measure.REFUNDED_VALUE)]
    assert measured(rows, *sums) == [0.0] * 4


def test_a_refund_of_several_lines_and_orders_at_one_instant_is_one_refund() -> None:
    rows = [
        bought(_day(1), 5.0, order="A", product=1, quantity=1.0),
        bought(_day(2), 6.0, order="B", product=1, quantity=1.0),
        refunded(_day(4), 11.0, product=1, quantity=2.0),
        refunded(_day(4), 2.0, product=7),
        refunded(_day(5), 1.0),
    ]
    assert measured(
        rows,
        Aggregate(Measure.REFUNDS),
        Aggregate(Measure.REFUNDED_VALUE),
        Aggregate(Measure.REFUND_DAYS_SINCE),
        Aggregate(Measure.ORDERED_VALUE),
        Aggregate(Measure.REFUNDS, days=94, ago=1),
    ) == [2.0, 14.0, 94.0, 11.0, 1.0]


def test_a_late_line_is_no_refund_and_belongs_to_the_day_of_its_order() -> None:
    rows = [bought(_day(1), 5.0, order="A"), bought(_day(50), 3.0, order="A")]
    assert measured(
        rows,
        Aggregate(Measure.REFUNDS),
        Aggregate(Measure.ORDERED_VALUE),
        Aggregate(Measure.ORDERED_VALUE, 60),
    ) == [0.0, 8.0, 0.0]


def test_entropy_is_nothing_for_one_channel_and_log_two_for_two_used_alike() -> None:
    web, store = did(_day(1), channel="web"), bought(_day(2), 1.0, channel="store")
    entropy = Aggregate(Measure.CHANNEL_ENTROPY)
    assert measured([web, did(_day(3))], entropy) == [0.0]
    assert measured([web, store], entropy, Aggregate(Measure.CHANNELS)) == [pytest.approx(math.log(2.0)), 2.0]
    assert measured([web, store, web], Aggregate(Measure.CHANNEL_TOP_SHARE)) == [2.0 / 3.0]


def test_of_weekdays_and_hours_used_alike_the_earlier_one_is_preferred() -> None:
    # 2024-01-01 was a Monday.
    rows = [bought(_day(5, 20), 1.0), bought(_day(2, 9), 1.0)]
    assert measured(
        rows,
        Aggregate(Measure.PREFERRED_WEEKDAY),
        Aggregate(Measure.PREFERRED_WEEKDAY_SHARE),
        Aggregate(Measure.WEEKEND_SHARE),
        Aggregate(Measure.PREFERRED_HOUR),
    ) == [2.0, 0.5, 0.5, 9.0]


def test_an_order_wholly_refunded_prefers_no_weekday() -> None:
    rows = [bought(_day(1), 1.0, order="A"), refunded(_day(2), order="A")]
    times = [m for m in Measure if m >= Measure.PREFERRED_WEEKDAY]
    assert np.isnan(measured(rows, *(Aggregate(measure) for measure in times))).all()


def test_the_month_of_the_first_purchase_is_that_of_its_date_from_1900_to_2099() -> None:
    calendar = LocalCalendar("UTC")
    days = np.arange(-25_567, 47_482, dtype=np.int32)  # 1900-01-01 to 2099-12-31
    one = to_log([bought(_day(1), 1.0)])
    many = replace(
        one.take(np.zeros(len(days), dtype=np.int64)),
        day=days,
        occurred_at=days.astype(np.int64) * 86_400_000_000,
    )
    snapshot = Snapshot.at_midnight(47_482, calendar)
    months = aggregate(many, snapshot, [Aggregate(Measure.FIRST_MONTH)])[:, 0]
    expected = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    assert months.tolist() == expected.tolist()
