"""What is said of targets before training: counts against a plain recount, and complaints that say what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from features.build import build_features
from features.calendar import LocalCalendar
from features.conditions import Condition
from features.event_log import EventLog
from features.labels import outcome
from features.netting import net
from features.raw_events import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, RawEvents
from features.targets import DEFAULT_TARGETS, Target, TargetSet
from features.windows import Snapshot
from models.purchase_model import PurchaseModel
from training.target_check import (
    MAX_BASE_RATE,
    MIN_BASE_RATE,
    SnapshotCount,
    TargetCheck,
    check_targets,
    log_days,
    refusal,
)

ORDER = "Order Completed"
PLAN = "Plan Changed"
_DAYS = 500
_FIRST = date(2023, 1, 1)
_FIRST_DAY = (_FIRST - date(1970, 1, 1)).days


@dataclass(frozen=True, slots=True)
class _Row:
    customer: str
    day: int  # since _FIRST
    event: str = ORDER
    value: float = 10.0
    properties: str | None = None
    category: str | None = None


def _log(rows: Sequence[_Row]) -> EventLog:
    ordered = sorted(rows, key=lambda row: (row.customer, row.day))
    ids = tuple(sorted({row.customer for row in rows}))
    names = tuple(sorted({row.event for row in rows}))
    texts = tuple(sorted({row.properties for row in rows if row.properties is not None}))
    categories = tuple(sorted({row.category for row in rows if row.category is not None}))
    start = datetime(_FIRST.year, _FIRST.month, _FIRST.day, 12, tzinfo=UTC)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    n = len(ordered)
    raw = RawEvents(
        customer_ids=ids,
        customer=np.array([ids.index(row.customer) for row in ordered], dtype=np.int64),
        occurred_at=np.array(
            [(start + timedelta(days=row.day) - epoch) // timedelta(microseconds=1) for row in ordered], dtype=np.int64
        ),
        action=np.array([ROW_ORDER if row.event == ORDER else ROW_OTHER for row in ordered], dtype=np.int8),
        group=np.arange(n, dtype=np.int64),
        order_key=np.full(n, NO_ORDER, dtype=np.int64),
        product=np.full(n, NO_PRODUCT, dtype=np.int64),
        quantity=np.full(n, np.nan),
        value=np.array([row.value for row in ordered]),
        event_type=np.array([names.index(row.event) for row in ordered], dtype=np.int16),
        event_types=names,
        is_line=np.array([row.category is not None for row in ordered], dtype=np.bool_),
        category=np.array([-1 if row.category is None else categories.index(row.category) for row in ordered]),
        categories=categories,
        properties=np.array(
            [-1 if row.properties is None else texts.index(row.properties) for row in ordered], dtype=np.int32
        ),
        property_texts=texts,
    )
    return net(raw, LocalCalendar("UTC"))[0]


@cache
def _rows() -> tuple[_Row, ...]:
    """Four hundred and fifty customers who buy for a while, and change their plan now and then."""
    rng = np.random.default_rng(7)
    rows = []
    for number in range(450):
        customer, day, mean = f"c{number:03}", int(rng.integers(0, 400)), rng.gamma(4.0, 10.0)
        while day < _DAYS:
            category = json.dumps({"group": f"g{rng.integers(4)}", "shelf": f"s{rng.integers(40)}"})
            rows.append(_Row(customer, day, value=round(float(rng.gamma(5.0, mean / 5.0)), 2), category=category))
            if rng.uniform() < 0.3:
                told = json.dumps({"to": str(rng.choice(["basic", "pro"])), "seats": int(rng.integers(1, 9))})
                rows.append(_Row(customer, min(day + 3, _DAYS - 1), PLAN, 0.0, told))
            if rng.uniform() < 0.15:
                break
            day += 1 + int(rng.exponential(30.0))
    return (*rows, _Row("last", _DAYS - 1))


def _check(rows: Sequence[_Row], *targets: Target, horizon_days: int = 60) -> list[TargetCheck]:
    log = _log(rows)
    days = log_days(log)
    assert days is not None
    return check_targets(log, TargetSet(targets), horizon_days=horizon_days, activity_days=None, end_day=days[1])


def _complaint(rows: Sequence[_Row], target: Target, *, horizon_days: int = 60) -> str:
    [checked] = _check(rows, target, horizon_days=horizon_days)
    [complaint] = checked.complaints
    return complaint


def _event(*where: Condition, event: str = PLAN) -> Target:
    return Target(name="moves", kind="event", event=event, where=where)


def test_counts_are_those_of_a_plain_recount_at_snapshots_one_horizon_apart() -> None:
    rows = _rows()
    churn, buys, moves = _check(
        rows,
        Target(name="churn", kind="inactivity"),
        Target(name="buys", kind="purchase", horizon_days=100, activity_days=70),
        _event(Condition(property="to", is_="pro")),
    )

    def customers(low: int, high: int, events: Sequence[str], told: str = "") -> set[str]:
        return {r.customer for r in rows if low <= r.day < high and r.event in events and told in (r.properties or "")}

    def told(day: int, eligible: set[str], came: set[str]) -> SnapshotCount:
        return SnapshotCount(_FIRST_DAY + day, len(eligible), len(eligible & came))

    both = (ORDER, PLAN)
    days = [20 + 60 * i for i in range(1, 8)]
    assert days[-1] == _DAYS - 60
    expected_churn, expected_moves = [], []
    for day in days:
        eligible = customers(day - 120, day, [ORDER])
        expected_churn.append(told(day, eligible, eligible - customers(day, day + 60, [ORDER])))
        expected_moves.append(told(day, customers(day - 120, day, both), customers(day, day + 60, [PLAN], '"pro"')))
    assert list(churn.snapshots) == expected_churn
    assert list(moves.snapshots) == expected_moves
    assert list(buys.snapshots) == [
        told(day, customers(day - 70, day, [ORDER]), customers(day, day + 100, [ORDER])) for day in (100, 200, 300, 400)
    ]
    assert churn.base_rate == sum(count.positives for count in expected_churn) / sum(c.eligible for c in expected_churn)
    assert (churn.target.horizon, churn.target.activity, churn.snapshots[0].date) == (60, 120, date(2023, 3, 22))
    assert [checked.complaints for checked in (churn, moves)] == [(), ()]


def test_upsell_is_counted_by_the_values_that_a_purchase_model_of_the_last_snapshot_expects() -> None:
    rows, log = _rows(), _log(_rows())
    [checked] = _check(rows, DEFAULT_TARGETS.targets[1])
    last = Snapshot.at_midnight(_FIRST_DAY + _DAYS - 60, log.calendar)
    purchases = PurchaseModel.fit(build_features(log, last))
    for count in checked.snapshots:
        snapshot = Snapshot.at_midnight(count.day, log.calendar)
        frame = purchases.add_features(build_features(log, snapshot), 60)
        kept = frame["days_since_last_purchase"] < 120
        assert count.eligible == kept.sum()
        assert count.positives == outcome(checked.target, log, snapshot, frame)[kept].sum()
    assert checked.base_rate is not None
    assert 0.05 < checked.base_rate < 0.5


def test_a_propensity_is_refused_outside_its_bounds_and_churn_never() -> None:
    buys, churn = Target(name="buys", kind="purchase"), Target(name="churn", kind="inactivity")
    rates = (0.0, 0.0199, MIN_BASE_RATE, 0.3, MAX_BASE_RATE, 0.6001, 1.0)
    assert [refusal(buys, rate) is None for rate in rates] == [False, False, True, True, True, False, False]
    assert [refusal(churn, rate) for rate in rates] == [None] * len(rates)


@pytest.mark.parametrize(
    ("target", "rate", "remedy"),
    [
        (
            Target(name="x", kind="purchase"),
            0.01,
            "under 2% holds too little to learn from. Take a longer horizon_days.",
        ),
        (Target(name="x", kind="purchase"), 0.61, "over 60% tells little. Take a shorter horizon_days."),
        (Target(name="x", kind="upsell"), 0.01, "Take a longer horizon_days or a lower ratio."),
        (Target(name="x", kind="upsell"), 0.61, "Take a shorter horizon_days or a higher ratio."),
        (Target(name="x", kind="new_category"), 0.01, "Take a longer horizon_days or a finer level."),
        (Target(name="x", kind="new_category"), 0.61, "Take a shorter horizon_days or a coarser level."),
        (Target(name="x", kind="event", event="E"), 0.01, "Take a longer horizon_days or wider conditions."),
        (Target(name="x", kind="event", event="E"), 0.61, "Take a shorter horizon_days or narrower conditions."),
        (Target(name="x", kind="label"), 0.61, "Take other labels."),
    ],
    ids=lambda value: value.kind if isinstance(value, Target) else None,
)
def test_a_refusal_says_the_rate_and_what_to_do(target: Target, rate: float, remedy: str) -> None:
    told = refusal(target, rate)
    assert told is not None
    assert told.startswith(f"It comes about for {rate:.1%} of those asked about; a propensity ")
    assert told.endswith(remedy)


def test_a_base_rate_out_of_bounds_is_complained_of_and_so_are_snapshots_with_too_few() -> None:
    rows = [_Row(f"c{i}", day) for i in range(60) for day in range(i % 10, _DAYS, 20)]
    [rate, thin] = _check(rows, Target(name="buys", kind="purchase"))[0].complaints
    assert (
        rate == "It comes about for 100.0% of those asked about; a propensity over 60% tells little. Take a shorter "
        "horizon_days."
    )
    assert thin == (
        "7 of 7 snapshots have fewer than 50 eligible customers, or fewer than 10 of either kind (2024-03-06: 60 "
        "eligible, 60 positive; 2024-01-06: 60 eligible, 60 positive; 2023-11-07: 60 eligible, 60 positive; …). Take a "
        "longer horizon_days or activity_days, or bring more customers."
    )
    [only_thin] = _check(rows, Target(name="churn", kind="inactivity"))[0].complaints
    assert only_thin == thin.replace("60 positive", "0 positive")


@pytest.mark.parametrize(
    ("eligible", "positives", "is_thin"),
    [
        (50, 10, False),
        (50, 40, False),
        (49, 20, True),
        (50, 9, True),
        (50, 41, True),
        (0, 0, True),
    ],
)
def test_a_snapshot_is_thin_below_50_customers_or_10_of_either_kind(
    eligible: int, positives: int, is_thin: bool
) -> None:
    count = SnapshotCount(0, eligible, positives)
    assert count.is_thin is is_thin
    assert count.rate == (positives / eligible if eligible else None)


def test_a_log_too_short_for_a_horizon_says_which_would_do() -> None:
    [checked] = _check(_rows(), Target(name="churn", kind="inactivity", horizon_days=200))
    assert len(checked.snapshots) == 1
    assert checked.complaints == (
        "The log spans 500 days; a horizon of 200 days needs at least 600: one to look back, one to learn from, one to "
        "test on. Take a horizon_days of 166 at most.",
    )
    [longer] = _check(_rows(), Target(name="churn", kind="inactivity", horizon_days=300))
    assert (longer.snapshots, longer.base_rate) == ((), None)
    assert "test on. Bring more history." in _complaint([_Row("a", 0), _Row("a", 1)], Target(name="b", kind="purchase"))


def test_an_event_that_never_occurs_is_told_with_those_that_do_and_with_what_was_perhaps_meant() -> None:
    assert _complaint(_rows(), _event(event="plan change")) == (
        "The event “plan change” never occurs. Did you mean “Plan Changed”? Events that do: Order Completed, Plan "
        "Changed. Set event to one of them, letter by letter, or ingest it."
    )
    many = [_Row("a", 0, f"Event {i}") for i in range(12)] + [_Row("a", 300, "Event 7")]
    told = _complaint(many, _event(event="Xyz"))
    assert "Events that do: Event 7, Event 0, Event 1, Event 10, Event 11, Event 2, " in told
    assert " and 2 more. Set" in told
    assert "Did you mean" not in told


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        (
            [{"property": "too", "is": "pro"}],
            "has the property “too”. Did you mean “to”? Properties that they have: seats (540), to (540). Set property "
            "to one of them, or ingest the event with --property too.",
        ),
        ([{"property": "colour", "exists": True}], "has the property “colour”. Properties that they have: "),
        ([{"property": "to", "is": "Pro"}], 'meets the condition to is "Pro". Values of “to”: "'),
        ([{"property": "seats", "above": 8}], "meets the condition seats above 8. Values of “seats”: "),
        ([{"property": "to", "exists": False}], 'meets the condition to is absent. Values of “to”: "'),
        (
            [{"property": "value", "above": 5}],
            "meets the condition value above 5. Their values lie between 0.00 and 0.00.",
        ),
    ],
)
def test_a_condition_that_no_event_meets_is_told_with_what_occurs(where: list[dict[str, Any]], complaint: str) -> None:
    told = _complaint(_rows(), _event(*(Condition.from_dict(condition) for condition in where)))
    n = sum(row.event == PLAN for row in _rows())
    assert complaint.replace("540", f"{n:,}") in told
    assert told.startswith("No “Plan Changed” ")


def test_events_without_any_properties_are_told_as_such_and_absence_is_no_complaint() -> None:
    rows = [replace(row, properties=None) for row in _rows()]
    told = _complaint(rows, _event(Condition(property="to", is_="pro")))
    assert told == ("No “Plan Changed” has any properties. Ingest it with --property to, or take the condition out.")
    assert _check(rows, _event(Condition(property="to", exists=False)))[0].complaints == ()


def test_conditions_that_are_met_one_by_one_only_are_told_as_such() -> None:
    rows = [*_rows(), _Row("last", 480, PLAN, 0.0, '{"to": "team"}'), _Row("last", 481, PLAN, 99.0)]
    told = _complaint(rows, _event(Condition(property="to", is_="team"), Condition(property="value", above=50)))
    assert told.startswith("Each condition is met by some “Plan Changed”, but never all of them by one.")


def test_a_category_level_that_does_not_exist_is_told_with_those_that_do() -> None:
    assert _complaint(_rows(), Target(name="x", kind="new_category", level="shelves")) == (
        "There is no category level “shelves”. Did you mean “shelf”? Levels: group, shelf. Set level to one."
    )
    for level in (None, "shelf"):
        checked = _check(_rows(), Target(name="x", kind="new_category", level=level))[0]
        assert not any("level “" in complaint for complaint in checked.complaints)
        assert sum(count.positives for count in checked.snapshots) > 0
    without = [replace(row, category=None) for row in _rows()]
    assert _complaint(without, Target(name="x", kind="new_category")) == (
        "No line of an order has a category. Ingest the orders with --category COL, or leave the target out."
    )


def test_without_orders_targets_about_purchases_say_so_and_those_about_events_are_counted() -> None:
    rows = [row for row in _rows() if row.event == PLAN]
    upsell, moves = _check(rows, Target(name="upsell", kind="upsell"), _event())
    assert upsell.complaints[0].startswith("There are no orders, and this target is about purchases. Ingest them")
    assert sum(count.positives for count in moves.snapshots) > 50


def test_an_upsell_without_anybody_who_came_back_says_that_nothing_can_be_expected() -> None:
    rows = [_Row(f"c{i}", day) for i, day in enumerate(range(0, _DAYS, 5))]
    told = _complaint(rows, Target(name="upsell", kind="upsell"))
    assert told.startswith("What orders are worth can't be expected: gamma_gamma: expected at least one customer with")


def test_supplied_labels_can_not_be_counted_before_they_come() -> None:
    [checked] = _check(_rows(), Target(name="churn", kind="label"))
    assert checked.snapshots == ()
    assert checked.complaints == (
        "Its labels come from a file, and nothing can be counted before: regulars train --target churn --labels FILE",
    )


def test_a_log_is_learnt_from_between_its_first_purchase_and_the_day_after_the_last() -> None:
    rows = [_Row("a", 5, PLAN), _Row("a", 7), _Row("b", 9), _Row("b", 30, PLAN)]
    assert log_days(_log(rows)) == (_FIRST_DAY + 7, _FIRST_DAY + 10)
    assert log_days(_log([row for row in rows if row.event == PLAN])) == (_FIRST_DAY + 5, _FIRST_DAY + 31)
    assert log_days(_log([])) is None


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[str, float]] = []
    log = _log(_rows())
    check_targets(
        log,
        DEFAULT_TARGETS,
        horizon_days=100,
        activity_days=None,
        end_day=_FIRST_DAY + _DAYS,
        progress=lambda step, done: told.append((step, done)),
    )
    assert told == [
        ("Fitting spend model", 0.0),
        ("Fitting spend model", 1.0),
        *(("Counting labels", done / 4) for done in (1, 2, 3, 4)),
    ]
