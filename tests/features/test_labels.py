"""Who is eligible, and what came about: each kind of target against a plain reference."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.build import FeatureFrame, build_features
from features.conditions import Condition
from features.event_log import ORDER, OTHER, EventLog
from features.exceptions import TargetError
from features.labels import bought as buys
from features.labels import churned, eligible, eligible_for, outcome
from features.line_log import LineLog
from features.targets import Target
from features.windows import Snapshot
from tests.features.reference_netting import net_one_customer
from tests.features.strategies import (
    EPOCH,
    PROPERTY,
    Row,
    as_rows_of_time,
    bought,
    did,
    histories,
    microseconds,
    refunded,
    snapshot_days,
    to_log,
)

_START = datetime(2024, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def _at(days: float) -> datetime:
    return _START + timedelta(days=days)


def test_eligible_is_who_purchased_on_one_of_the_last_days_of_the_activity_window() -> None:
    log = to_log(
        [
            bought(_at(0) - _TICK, 1.0, customer="a day early"),
            bought(_at(0), 1.0, customer="on the first day"),
            bought(_at(10) - _TICK, 1.0, customer="just before"),
            bought(_at(10), 1.0, customer="too late"),
            bought(_at(2), 1.0, customer="taken back", order="A"),
            refunded(_at(3), order="A", customer="taken back"),
        ],
        customer_ids=["nobody"],
    )
    frame = build_features(log, Snapshot.at(_at(10), log.calendar))
    found = {name for name, is_eligible in zip(log.customer_ids, eligible(frame, 10), strict=True) if is_eligible}
    assert found == {"on the first day", "just before"}


def test_churned_is_who_does_not_purchase_from_the_snapshot_to_before_the_end_of_the_horizon() -> None:
    log = to_log(
        [
            bought(_at(10) - _TICK, 1.0, customer="before"),
            bought(_at(10), 1.0, customer="at the snapshot"),
            bought(_at(40) - _TICK, 0.0, customer="at the end, for free"),
            bought(_at(40), 1.0, customer="after"),
            did(_at(20), customer="looks only"),
        ]
    )
    label = churned(log, Snapshot.at(_at(10), log.calendar), 30)
    assert dict(zip(log.customer_ids, label.tolist(), strict=True)) == {
        "before": 1.0,
        "at the snapshot": 0.0,
        "at the end, for free": 0.0,
        "after": 1.0,
        "looks only": 1.0,
    }


def test_an_order_taken_back_within_the_horizon_is_no_purchase_and_one_taken_back_later_is() -> None:
    log = to_log(
        [
            *(bought(_at(15), 1.0, order=name, customer=name) for name in ("in time", "later", "and another")),
            bought(_at(16), 1.0, customer="and another"),
            refunded(_at(39), order="in time", customer="in time"),
            refunded(_at(40), order="later", customer="later"),
            refunded(_at(39), order="and another", customer="and another"),
        ]
    )
    label = churned(log, Snapshot.at(_at(10), log.calendar), 30)
    assert dict(zip(log.customer_ids, label.tolist(), strict=True)) == {
        "and another": 0.0,
        "in time": 1.0,
        "later": 0.0,
    }


def test_an_old_order_refunded_within_the_horizon_is_no_purchase_in_it() -> None:
    log = to_log([bought(_at(1), 9.0, order="A"), refunded(_at(15), 3.0, order="A"), bought(_at(20), 1.0, order="A")])
    assert churned(log, Snapshot.at(_at(10), log.calendar), 30).tolist() == [1.0]


def test_the_horizon_ends_at_local_midnight_across_a_clock_change() -> None:
    last = datetime(2024, 4, 10, 3, 59, 59, tzinfo=UTC)  # 23:59:59 on the ninth in New York
    log = to_log(
        [bought(last, 1.0, customer="a"), bought(last + timedelta(seconds=1), 1.0, customer="b")], "America/New_York"
    )
    start = Snapshot.at_midnight((datetime(2024, 3, 1, tzinfo=UTC) - EPOCH).days, log.calendar)
    assert churned(log, start, 40).tolist() == [0.0, 1.0]


@PROPERTY
@given(histories(), snapshot_days(), st.integers(1, 200))
def test_churned_agrees_with_the_plain_reference(history: list[Row], day: int, horizon: int) -> None:
    start, end = EPOCH + timedelta(days=day), EPOCH + timedelta(days=day + horizon)
    rows = [history[i] for i in as_rows_of_time(history)]
    log = to_log(rows)
    label = churned(log, Snapshot.at(start, log.calendar), horizon)
    for customer, churn in zip(log.customer_ids, label.tolist(), strict=True):
        known = net_one_customer([row for row in rows if row.customer == customer and row.at < end]).entries
        counts: dict[int, bool] = {}
        for entry in known:
            if entry.order >= 0:
                counts[entry.order] = entry.is_purchase
        bought_since = [order for order, is_purchase in counts.items() if is_purchase and known[order].at >= start]
        assert churn == float(not bought_since)


def test_the_label_is_unchanged_by_what_comes_after_the_horizon() -> None:
    rows = [bought(_at(15), 1.0, order="A")]
    log, longer = to_log(rows), to_log([*rows, refunded(_at(50), order="A"), bought(_at(60), 4.0)])
    start = Snapshot.at(_at(10), log.calendar)
    assert churned(log, start, 30).tolist() == churned(longer, start, 30).tolist() == [0.0]
    assert start.after(30, log.calendar).as_of == microseconds(_at(40))


# The rest is about targets of every kind. Their references go through plain rows and entries one by one.


@dataclass(frozen=True, slots=True)
class _Known:
    """One customer by what is known at an instant: orders with what they are worth, of those that count."""

    orders: Mapping[int, tuple[datetime, float]]

    @classmethod
    def of(cls, rows: Sequence[Row], customer: str, known_at: datetime) -> _Known:
        entries = net_one_customer([row for row in rows if row.customer == customer and row.at < known_at]).entries
        worth: dict[int, float] = {}
        counts: dict[int, bool] = {}
        for entry in entries:
            if entry.order >= 0:
                worth[entry.order] = worth.get(entry.order, 0.0) + entry.value
                counts[entry.order] = entry.is_purchase
        return cls({order: (entries[order].at, worth[order]) for order, does_count in counts.items() if does_count})

    def worth_between(self, start: datetime, end: datetime) -> list[float]:
        return [worth for at, worth in self.orders.values() if start <= at < end]


def _frame(log: EventLog, snapshot: Snapshot, expected: float = math.nan) -> FeatureFrame:
    frame = build_features(log, snapshot)
    return frame.with_columns(["expected_average_value"], [np.full(log.n_customers, expected)])


def _outcome(target: Target, log: EventLog, snapshot: Snapshot, expected: float = math.nan) -> dict[str, float]:
    label = outcome(target, log, snapshot, _frame(log, snapshot, expected))
    assert label.dtype == np.float64
    return dict(zip(log.customer_ids, label.tolist(), strict=True))


def _eligible(target: Target, log: EventLog, snapshot: Snapshot) -> dict[str, bool]:
    found = eligible_for(target, log, snapshot, _frame(log, snapshot))
    return dict(zip(log.customer_ids, found.tolist(), strict=True))


def _target(**keys: Any) -> Target:
    return Target(**keys).with_defaults(30, None)


def _named(log: EventLog, names: Sequence[str], texts: Sequence[str | None]) -> EventLog:
    """Return the log with other names and properties for what is neither order nor refund, drawn from lists."""
    event_types = tuple(sorted({*log.event_types, *names}))
    property_texts = tuple(sorted({text for text in texts if text is not None}))
    event_type = np.array([event_types.index(log.event_types[code]) for code in log.event_type], dtype=np.int16)
    properties = np.full(len(log.kind), -1, dtype=np.int32)
    for i, entry in enumerate(np.flatnonzero(log.kind == OTHER).tolist()):
        event_type[entry] = event_types.index(names[i % len(names)])
        text = texts[i % len(texts)]
        properties[entry] = -1 if text is None else property_texts.index(text)
    return replace(
        log,
        event_type=event_type,
        event_types=event_types,
        properties=properties,
        property_texts=property_texts,
    )


def _with_lines(log: EventLog, categories: Sequence[str | None], late_days: Sequence[int]) -> EventLog:
    """Return the log with one to three lines an order, of categories drawn from a list, some of them later."""
    known = tuple(sorted({category for category in categories if category is not None}))
    lines: list[tuple[int, int, int, int]] = []
    offsets = [0]
    for customer in range(log.n_customers):
        begin, end = log.offsets[customer], log.offsets[customer + 1]
        of_customer = []
        for entry in (begin + np.flatnonzero(log.kind[begin:end] == ORDER)).tolist():
            for i in range(1 + entry % 3):
                drawn = categories[(3 * entry + i) % len(categories)]
                late = late_days[(entry + i) % len(late_days)] if i else 0
                code = -1 if drawn is None else known.index(drawn)
                of_customer.append((int(log.occurred_at[entry]) + late * 86_400_000_000, entry - begin, code, i))
        lines += sorted(of_customer)
        offsets.append(len(lines))
    n = len(lines)
    occurred_at = np.array([line[0] for line in lines], dtype=np.int64)
    return replace(
        log,
        lines=LineLog(
            offsets=np.array(offsets, dtype=np.int64),
            occurred_at=occurred_at,
            day=log.calendar.days(occurred_at),
            order=np.array([line[1] for line in lines], dtype=np.int32),
            product=np.full(n, -1, dtype=np.int32),
            category=np.array([line[2] for line in lines], dtype=np.int32),
            quantity=np.ones(n),
            value=np.ones(n),
            discount=np.full(n, np.nan),
            categories=known,
        ),
    )


def test_an_event_target_looks_for_its_event_from_the_snapshot_to_before_the_end_of_the_horizon() -> None:
    log = to_log(
        [
            did(_at(10) - _TICK, customer="before"),
            did(_at(10), customer="at the snapshot"),
            did(_at(40) - _TICK, customer="at the end"),
            did(_at(40), customer="after"),
            bought(_at(20), customer="only buys"),
        ]
    )
    target = _target(name="looks", kind="event", event="Product Viewed")
    assert _outcome(target, log, Snapshot.at(_at(10), log.calendar)) == {
        "before": 0.0,
        "at the snapshot": 1.0,
        "at the end": 1.0,
        "after": 0.0,
        "only buys": 0.0,
    }


def test_an_event_that_nobody_ever_did_came_about_for_nobody() -> None:
    log = to_log([did(_at(20))])
    target = _target(name="churn", kind="event", event="Subscription Cancelled")
    snapshot = Snapshot.at(_at(21), log.calendar)
    assert (_outcome(target, log, snapshot), _eligible(target, log, snapshot)) == ({"c": 0.0}, {"c": True})


def test_orders_as_events_are_judged_by_what_is_left_of_them_at_the_end_of_the_horizon() -> None:
    log = to_log(
        [
            *(bought(_at(15), 60.0, order=name, customer=name) for name in ("kept", "cut", "cut later", "taken back")),
            bought(_at(16), 20.0, order="grown", customer="grown"),
            bought(_at(17), 40.0, order="grown", customer="grown"),
            bought(_at(5), 20.0, order="old", customer="old"),
            bought(_at(17), 90.0, order="old", customer="old"),
            refunded(_at(20), 15.0, order="cut", customer="cut"),
            refunded(_at(40), 15.0, order="cut later", customer="cut later"),
            refunded(_at(20), order="taken back", customer="taken back"),
        ]
    )
    snapshot = Snapshot.at(_at(10), log.calendar)
    worth_50 = (Condition(property="value", at_least=50),)
    large = _target(name="large_order", kind="event", event="Order Completed", where=worth_50)
    assert {name for name, came in _outcome(large, log, snapshot).items() if came} == {"kept", "cut later", "grown"}
    some = _target(name="order", kind="event", event="Order Completed")
    assert {name for name, came in _outcome(some, log, snapshot).items() if not came} == {"taken back", "old"}
    refund = _target(
        name="refund", kind="event", event="Order Refunded", where=(Condition(property="value", above=10),)
    )
    assert {name for name, came in _outcome(refund, log, snapshot).items() if came} == {"cut", "taken back"}


def test_upsell_is_a_mean_order_value_above_the_ratio_times_what_was_expected() -> None:
    log = to_log(
        [
            bought(_at(9), 99.0, customer="before"),
            bought(_at(12), 12.5, customer="just that much"),
            bought(_at(12), 12.51, customer="a little more"),
            *(bought(_at(day), value, customer="on average") for day, value in ((12, 5.0), (12, 30.0), (13, 4.0))),
            bought(_at(12), 30.0, order="A", customer="cut"),
            refunded(_at(39), 20.0, order="A", customer="cut"),
            bought(_at(12), 30.0, order="B", customer="cut later"),
            refunded(_at(40), 20.0, order="B", customer="cut later"),
            bought(_at(12), 1.0, order="C", customer="one taken back"),
            bought(_at(13), 20.0, customer="one taken back"),
            refunded(_at(14), order="C", customer="one taken back"),
        ]
    )
    target = _target(name="upsell", kind="upsell")
    came = _outcome(target, log, Snapshot.at(_at(10), log.calendar), expected=10.0)
    assert {name for name, label in came.items() if label} == {
        "a little more",
        "on average",
        "cut later",
        "one taken back",
    }


def test_a_new_category_is_one_never_purchased_from_before_and_one_taken_back_does_not_count() -> None:
    rows = [
        *(bought(_at(day), 1.0, order=f"{name}{day}", customer=name) for name in "abcde" for day in (5, 15)),
        refunded(_at(6), order="c5", customer="c"),
        refunded(_at(16), order="d15", customer="d"),
        refunded(_at(41), order="e15", customer="e"),
    ]
    log = to_log(rows)
    food, toys = '{"group": "food", "shelf": "tea"}', '{"group": "toys"}'
    of_order = {("a", 5): food, ("a", 15): toys, ("b", 5): food, ("b", 15): food, ("c", 5): food, ("c", 15): food}
    of_order |= {("d", 5): food, ("d", 15): toys, ("e", 5): food, ("e", 15): toys}
    known = (food, toys)
    line: dict[str, Any] = {
        "offsets": np.arange(0, 12, 2, dtype=np.int64),
        "occurred_at": np.array([microseconds(_at(day)) for _ in "abcde" for day in (5, 15)], dtype=np.int64),
        "category": np.array([known.index(of_order[name, day]) for name in "abcde" for day in (5, 15)], dtype=np.int32),
    }
    orders = [
        entry - log.offsets[customer]
        for customer in range(log.n_customers)
        for entry in range(log.offsets[customer], log.offsets[customer + 1])
        if log.kind[entry] == ORDER
    ]
    n = len(orders)
    log = replace(
        log,
        lines=LineLog(
            **line,
            day=log.calendar.days(line["occurred_at"]),
            order=np.array(orders, dtype=np.int32),
            product=np.zeros(n, dtype=np.int32),
            quantity=np.ones(n),
            value=np.ones(n),
            discount=np.zeros(n),
            categories=known,
        ),
    )
    snapshot = Snapshot.at(_at(10), log.calendar)
    explores = _target(name="explores", kind="new_category", level="group")
    assert _outcome(explores, log, snapshot) == {"a": 1.0, "b": 0.0, "c": 1.0, "d": 0.0, "e": 1.0}
    assert _outcome(replace(explores, level=None), log, snapshot) == _outcome(explores, log, snapshot)
    by_shelf = _outcome(replace(explores, level="shelf"), log, snapshot)
    assert by_shelf == {"a": 0.0, "b": 0.0, "c": 1.0, "d": 0.0, "e": 0.0}
    nowhere = _outcome(replace(explores, level="aisle"), log, snapshot)
    assert nowhere == dict.fromkeys("abcde", 0.0)


def test_labels_that_are_supplied_are_for_everybody_and_events_do_not_tell_them() -> None:
    log = to_log([bought(_at(15))], customer_ids=["never seen"])
    target, snapshot = _target(name="churn", kind="label"), Snapshot.at(_at(16), log.calendar)
    assert _eligible(target, log, snapshot) == {"c": True, "never seen": True}
    with pytest.raises(TargetError, match=r"'churn': kind: expected a target that events decide.*read them from"):
        _outcome(target, log, snapshot)


def test_a_target_without_lengths_of_its_own_is_refused() -> None:
    log = to_log([bought(_at(15))])
    snapshot = Snapshot.at(_at(16), log.calendar)
    with pytest.raises(TargetError, match="'buys': activity_days: expected to be set"):
        _eligible(Target(name="buys", kind="purchase"), log, snapshot)
    with pytest.raises(TargetError, match="'buys': horizon_days: expected to be set"):
        _outcome(Target(name="buys", kind="purchase"), log, snapshot)


def test_who_did_anything_within_the_activity_window_can_be_asked_about_an_event() -> None:
    log = to_log(
        [
            did(_at(0) - _TICK, customer="a day early"),
            did(_at(0), customer="on the first day"),
            refunded(_at(4), 1.0, customer="refund only"),
            bought(_at(9), 1.0, customer="bought"),
            did(_at(10), customer="too late"),
        ],
        customer_ids=["nobody"],
    )
    target = Target(name="looks", kind="event", event="Product Viewed", activity_days=10)
    found = _eligible(target, log, Snapshot.at(_at(10), log.calendar))
    assert {name for name, is_eligible in found.items() if is_eligible} == {"on the first day", "refund only", "bought"}
    purchase = _eligible(
        Target(name="buys", kind="purchase", activity_days=10), log, Snapshot.at(_at(10), log.calendar)
    )
    assert {name for name, is_eligible in purchase.items() if is_eligible} == {"bought"}


def test_who_has_left_can_not_be_asked_whether_they_leave_unless_they_came_back() -> None:
    rows = [
        did(_at(5), customer="left"),
        did(_at(5), customer="came back"),
        bought(_at(6), 1.0, customer="came back"),
        did(_at(5), customer="left at once"),
        bought(_at(5), 1.0, customer="left at once"),
        did(_at(10), customer="leaves later"),
        bought(_at(9), 1.0, customer="leaves later"),
    ]
    log = _named(to_log(rows), ["Subscription Cancelled"], [None])
    snapshot = Snapshot.at(_at(10), log.calendar)
    churn = _target(name="churn", kind="event", event="Subscription Cancelled")
    assert _eligible(churn, log, snapshot) == {
        "came back": True,
        "leaves later": True,
        "left": False,
        "left at once": False,
    }
    assert all(_eligible(replace(churn, name="cancels"), log, snapshot).values())


_CATEGORIES = (None, '{"group": "food", "shelf": "tea"}', '{"group": "food", "shelf": "rice"}', '{"group": "toys"}')
_TEXTS = (None, '{"plan": "basic", "seats": "3"}', '{"plan": "pro", "seats": 5}', '{"seats": null}')
_WHERES: tuple[tuple[Condition, ...], ...] = (
    (),
    (Condition(property="plan", one_of=("basic", "free")),),
    (Condition(property="plan", exists=False),),
    (Condition(property="seats", at_least=4),),
    (Condition(property="value", above=4.0),),
    (Condition(property="seats", at_least=2), Condition(property="value", at_most=10.0)),
)


@PROPERTY
@given(
    histories(),
    snapshot_days(),
    st.integers(1, 200),
    st.lists(st.sampled_from(("Plan Changed", "Session Started")), min_size=1, max_size=5),
    st.lists(st.sampled_from(_TEXTS), min_size=1, max_size=5),
    st.sampled_from(_WHERES),
    st.sampled_from(("churn", "moves")),
)
def test_event_targets_agree_with_the_plain_reference(
    history: list[Row],
    day: int,
    horizon: int,
    names: list[str],
    texts: list[str | None],
    where: tuple[Condition, ...],
    name: str,
) -> None:
    log = _named(to_log(history), names, texts)
    start, end = EPOCH + timedelta(days=day), EPOCH + timedelta(days=day + horizon)
    target = Target(name=name, kind="event", event="Plan Changed", where=where).with_defaults(horizon, None)

    def is_meant(entry: int) -> bool:
        if log.event_types[log.event_type[entry]] != "Plan Changed":
            return False
        code = log.properties[entry]
        properties = {} if code < 0 else json.loads(log.property_texts[code])
        return all(condition.holds({**properties, "value": float(log.value[entry])}) for condition in where)

    snapshot = Snapshot.at(start, log.calendar)
    came, asked = _outcome(target, log, snapshot), _eligible(target, log, snapshot)
    for customer, customer_id in enumerate(log.customer_ids):
        entries = range(log.offsets[customer], log.offsets[customer + 1])
        at = {entry: EPOCH + timedelta(microseconds=int(log.occurred_at[entry])) for entry in entries}
        assert came[customer_id] == float(any(is_meant(entry) and start <= at[entry] < end for entry in entries))
        before = [entry for entry in entries if at[entry] < start]
        is_active = any(at[entry] >= start - timedelta(days=2 * horizon) for entry in before)
        has_left = any(is_meant(entry) for entry in before if at[entry] == max(at[other] for other in before))
        assert asked[customer_id] is (is_active and not (has_left and name == "churn"))


@PROPERTY
@given(histories(), snapshot_days(), st.integers(1, 200), st.sampled_from((0.0, 0.04, 2.5, 5.0, 12.0, math.nan)))
def test_purchase_upsell_and_order_targets_agree_with_the_plain_reference(
    history: list[Row], day: int, horizon: int, expected: float
) -> None:
    rows = [history[i] for i in as_rows_of_time(history)]
    log = to_log(rows)
    start, end = EPOCH + timedelta(days=day), EPOCH + timedelta(days=day + horizon)
    snapshot = Snapshot.at(start, log.calendar)
    purchase = _outcome(Target(name="buys", kind="purchase", horizon_days=horizon), log, snapshot)
    upsell = _outcome(Target(name="upsell", kind="upsell", horizon_days=horizon, ratio=2.0), log, snapshot, expected)
    worth_4 = (Condition(property="value", above=4.0),)
    large = Target(name="large", kind="event", event="Order Completed", horizon_days=horizon, where=worth_4)
    large_order = _outcome(large, log, snapshot)
    refund = _outcome(replace(large, event="Order Refunded", where=()), log, snapshot)
    for customer in log.customer_ids:
        worth = _Known.of(rows, customer, end).worth_between(start, end)
        mean = sum(worth) / len(worth) if worth else math.nan
        assert purchase[customer] == float(bool(worth))
        # Where the mean is what the bound is, rounding may decide either way.
        if not math.isclose(mean, 2.0 * expected, rel_tol=1e-9, abs_tol=1e-9):
            assert upsell[customer] == float(mean > 2.0 * expected)
        assert large_order[customer] == float(any(value > 4.0 for value in worth))
        refunds = [row for row in rows if row.customer == customer and row.action == "refund"]
        assert refund[customer] == float(any(start <= row.at < end for row in refunds))
    assert dict(zip(log.customer_ids, buys(log, snapshot, horizon).tolist(), strict=True)) == purchase


@PROPERTY
@given(
    histories(),
    snapshot_days(),
    st.integers(1, 200),
    st.lists(st.sampled_from(_CATEGORIES), min_size=1, max_size=6),
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.sampled_from((None, "group", "shelf")),
)
def test_new_category_agrees_with_the_plain_reference(
    history: list[Row],
    day: int,
    horizon: int,
    categories: list[str | None],
    late_days: list[int],
    level: str | None,
) -> None:
    rows = [history[i] for i in as_rows_of_time(history)]
    log = _with_lines(to_log(rows), categories, late_days)
    start, end = EPOCH + timedelta(days=day), EPOCH + timedelta(days=day + horizon)
    target = Target(name="explores", kind="new_category", level=level, horizon_days=horizon)
    came = _outcome(target, log, Snapshot.at(start, log.calendar))
    for customer, customer_id in enumerate(log.customer_ids):
        before, by_end = _Known.of(rows, customer_id, start).orders, _Known.of(rows, customer_id, end).orders
        old: set[str] = set()
        new: set[str] = set()
        for line in range(log.lines.offsets[customer], log.lines.offsets[customer + 1]):
            if log.lines.category[line] < 0:
                continue
            levels = json.loads(log.lines.categories[log.lines.category[line]])
            category = levels["group"] if level is None else levels.get(level)
            at = EPOCH + timedelta(microseconds=int(log.lines.occurred_at[line]))
            if category is not None and at < start and log.lines.order[line] in before:
                old.add(category)
            elif category is not None and start <= at < end and log.lines.order[line] in by_end:
                new.add(category)
        assert came[customer_id] == float(bool(new - old))


_OF_EACH_KIND = (
    Target(name="churn", kind="inactivity"),
    Target(name="buys", kind="purchase"),
    Target(name="upsell", kind="upsell"),
    Target(name="explores", kind="new_category", level="shelf"),
    Target(name="views", kind="event", event="Product Viewed", where=_WHERES[4]),
    Target(name="orders", kind="event", event="Order Completed", where=_WHERES[4]),
    Target(name="refunds", kind="event", event="Order Refunded", where=_WHERES[4]),
)


@PROPERTY
@given(
    histories(), snapshot_days(), st.integers(1, 200), st.lists(st.sampled_from(_CATEGORIES), min_size=1, max_size=6)
)
def test_no_label_changes_by_what_comes_after_its_horizon_and_no_eligibility_by_what_comes_after_the_snapshot(
    history: list[Row], day: int, horizon: int, categories: list[str | None]
) -> None:
    log = _with_lines(to_log(history), categories, [0, 1])
    snapshot = Snapshot.at(EPOCH + timedelta(days=day), log.calendar)
    until_end = log.before(snapshot.after(horizon, log.calendar).as_of)
    for target in (target.with_defaults(horizon, None) for target in _OF_EACH_KIND):
        assert _outcome(target, log, snapshot, 3.0) == _outcome(target, until_end, snapshot, 3.0)
        assert _eligible(target, log, snapshot) == _eligible(target, log.before(snapshot.as_of), snapshot)


@PROPERTY
@given(
    histories(), snapshot_days(), st.integers(1, 200), st.lists(st.sampled_from(_CATEGORIES), min_size=1, max_size=6)
)
def test_one_customer_alone_has_the_label_that_they_have_among_all(
    history: list[Row], day: int, horizon: int, categories: list[str | None]
) -> None:
    log = _with_lines(to_log(history), categories, [0, 1])
    snapshot = Snapshot.at(EPOCH + timedelta(days=day), log.calendar)
    for target in (target.with_defaults(horizon, None) for target in _OF_EACH_KIND):
        alone = [log.take([customer]) for customer in range(log.n_customers)]
        came = [_outcome(target, one, snapshot, 3.0) for one in alone]
        assert {name: label for one in came for name, label in one.items()} == _outcome(target, log, snapshot, 3.0)
