"""Targets of each kind: what came about, and who can be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from features.conditions import Condition
from features.event_log import ORDER
from features.exceptions import TargetError
from features.line_log import LineLog
from features.targets import Target
from features.windows import Snapshot
from tests.features.reference_targets import eligible_of, named, outcome_of, target_of
from tests.features.strategies import (
    at,
    bought,
    did,
    microseconds,
    refunded,
    to_log,
)

_TICK = timedelta(microseconds=1)


def test_an_event_target_looks_for_its_event_from_the_snapshot_to_before_the_end_of_the_horizon() -> None:
    log = to_log(
        [
            did(at(10) - _TICK, customer="before"),
            did(at(10), customer="at the snapshot"),
            did(at(40) - _TICK, customer="at the end"),
            did(at(40), customer="after"),
            bought(at(20), customer="only buys"),
        ]
    )
    target = target_of(name="looks", kind="event", event="Product Viewed")
    assert outcome_of(target, log, Snapshot.at(at(10), log.calendar)) == {
        "before": 0.0,
        "at the snapshot": 1.0,
        "at the end": 1.0,
        "after": 0.0,
        "only buys": 0.0,
    }


def test_an_event_that_nobody_ever_did_came_about_for_nobody() -> None:
    log = to_log([did(at(20))])
    target = target_of(name="churn", kind="event", event="Subscription Cancelled")
    snapshot = Snapshot.at(at(21), log.calendar)
    assert (outcome_of(target, log, snapshot), eligible_of(target, log, snapshot)) == ({"c": 0.0}, {"c": True})


def test_orders_as_events_are_judged_by_what_is_left_of_them_at_the_end_of_the_horizon() -> None:
    log = to_log(
        [
            *(bought(at(15), 60.0, order=name, customer=name) for name in ("kept", "cut", "cut later", "taken back")),
            bought(at(16), 20.0, order="grown", customer="grown"),
            bought(at(17), 40.0, order="grown", customer="grown"),
            bought(at(5), 20.0, order="old", customer="old"),
            bought(at(17), 90.0, order="old", customer="old"),
            refunded(at(20), 15.0, order="cut", customer="cut"),
            refunded(at(40), 15.0, order="cut later", customer="cut later"),
            refunded(at(20), order="taken back", customer="taken back"),
        ]
    )
    snapshot = Snapshot.at(at(10), log.calendar)
    worth_50 = (Condition(property="value", at_least=50),)
    large = target_of(name="large_order", kind="event", event="Order Completed", where=worth_50)
    assert {name for name, came in outcome_of(large, log, snapshot).items() if came} == {"kept", "cut later", "grown"}
    some = target_of(name="order", kind="event", event="Order Completed")
    assert {name for name, came in outcome_of(some, log, snapshot).items() if not came} == {"taken back", "old"}
    refund = target_of(
        name="refund", kind="event", event="Order Refunded", where=(Condition(property="value", above=10),)
    )
    assert {name for name, came in outcome_of(refund, log, snapshot).items() if came} == {"cut", "taken back"}


def test_upsell_is_a_mean_order_value_above_the_ratio_times_what_was_expected() -> None:
    log = to_log(
        [
            bought(at(9), 99.0, customer="before"),
            bought(at(12), 12.5, customer="just that much"),
            bought(at(12), 12.51, customer="a little more"),
            *(bought(at(day), value, customer="on average") for day, value in ((12, 5.0), (12, 30.0), (13, 4.0))),
            bought(at(12), 30.0, order="A", customer="cut"),
            refunded(at(39), 20.0, order="A", customer="cut"),
            bought(at(12), 30.0, order="B", customer="cut later"),
            refunded(at(40), 20.0, order="B", customer="cut later"),
            bought(at(12), 1.0, order="C", customer="one taken back"),
            bought(at(13), 20.0, customer="one taken back"),
            refunded(at(14), order="C", customer="one taken back"),
        ]
    )
    target = target_of(name="upsell", kind="upsell")
    came = outcome_of(target, log, Snapshot.at(at(10), log.calendar), expected=10.0)
    assert {name for name, label in came.items() if label} == {
        "a little more",
        "on average",
        "cut later",
        "one taken back",
    }


def test_a_new_category_is_one_never_purchased_from_before_and_one_taken_back_does_not_count() -> None:
    rows = [
        *(bought(at(day), 1.0, order=f"{name}{day}", customer=name) for name in "abcde" for day in (5, 15)),
        refunded(at(6), order="c5", customer="c"),
        refunded(at(16), order="d15", customer="d"),
        refunded(at(41), order="e15", customer="e"),
    ]
    log = to_log(rows)
    food, toys = '{"group": "food", "shelf": "tea"}', '{"group": "toys"}'
    of_order = {("a", 5): food, ("a", 15): toys, ("b", 5): food, ("b", 15): food, ("c", 5): food, ("c", 15): food}
    of_order |= {("d", 5): food, ("d", 15): toys, ("e", 5): food, ("e", 15): toys}
    known = (food, toys)
    line: dict[str, Any] = {
        "offsets": np.arange(0, 12, 2, dtype=np.int64),
        "occurred_at": np.array([microseconds(at(day)) for _ in "abcde" for day in (5, 15)], dtype=np.int64),
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
    snapshot = Snapshot.at(at(10), log.calendar)
    explores = target_of(name="explores", kind="new_category", level="group")
    assert outcome_of(explores, log, snapshot) == {"a": 1.0, "b": 0.0, "c": 1.0, "d": 0.0, "e": 1.0}
    assert outcome_of(replace(explores, level=None), log, snapshot) == outcome_of(explores, log, snapshot)
    by_shelf = outcome_of(replace(explores, level="shelf"), log, snapshot)
    assert by_shelf == {"a": 0.0, "b": 0.0, "c": 1.0, "d": 0.0, "e": 0.0}
    nowhere = outcome_of(replace(explores, level="aisle"), log, snapshot)
    assert nowhere == dict.fromkeys("abcde", 0.0)


def test_labels_that_are_supplied_are_for_everybody_and_events_do_not_tell_them() -> None:
    log = to_log([bought(at(15))], customer_ids=["never seen"])
    target, snapshot = target_of(name="churn", kind="label"), Snapshot.at(at(16), log.calendar)
    assert eligible_of(target, log, snapshot) == {"c": True, "never seen": True}
    with pytest.raises(TargetError, match=r"'churn': kind: expected a target that events decide.*read them from"):
        outcome_of(target, log, snapshot)


def test_a_target_without_lengths_of_its_own_is_refused() -> None:
    log = to_log([bought(at(15))])
    snapshot = Snapshot.at(at(16), log.calendar)
    with pytest.raises(TargetError, match="'buys': activity_days: expected to be set"):
        eligible_of(Target(name="buys", kind="purchase"), log, snapshot)
    with pytest.raises(TargetError, match="'buys': horizon_days: expected to be set"):
        outcome_of(Target(name="buys", kind="purchase"), log, snapshot)


def test_who_did_anything_within_the_activity_window_can_be_asked_about_an_event() -> None:
    log = to_log(
        [
            did(at(0) - _TICK, customer="a day early"),
            did(at(0), customer="on the first day"),
            refunded(at(4), 1.0, customer="refund only"),
            bought(at(9), 1.0, customer="bought"),
            did(at(10), customer="too late"),
        ],
        customer_ids=["nobody"],
    )
    target = Target(name="looks", kind="event", event="Product Viewed", activity_days=10)
    found = eligible_of(target, log, Snapshot.at(at(10), log.calendar))
    assert {name for name, is_eligible in found.items() if is_eligible} == {"on the first day", "refund only", "bought"}
    purchase = eligible_of(
        Target(name="buys", kind="purchase", activity_days=10), log, Snapshot.at(at(10), log.calendar)
    )
    assert {name for name, is_eligible in purchase.items() if is_eligible} == {"bought"}


def test_who_has_left_can_not_be_asked_whether_they_leave_unless_they_came_back() -> None:
    rows = [
        did(at(5), customer="left"),
        did(at(5), customer="came back"),
        bought(at(6), 1.0, customer="came back"),
        did(at(5), customer="left at once"),
        bought(at(5), 1.0, customer="left at once"),
        did(at(10), customer="leaves later"),
        bought(at(9), 1.0, customer="leaves later"),
    ]
    log = named(to_log(rows), ["Subscription Cancelled"], [None])
    snapshot = Snapshot.at(at(10), log.calendar)
    churn = target_of(name="churn", kind="event", event="Subscription Cancelled")
    assert eligible_of(churn, log, snapshot) == {
        "came back": True,
        "leaves later": True,
        "left": False,
        "left at once": False,
    }
    assert all(eligible_of(replace(churn, name="cancels"), log, snapshot).values())
