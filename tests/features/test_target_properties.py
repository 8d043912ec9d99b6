"""Targets of each kind against a plain reference, on histories of any shape."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from features.conditions import Condition
from features.labels import bought as buys
from features.targets import Target
from features.windows import Snapshot
from tests.features.reference_targets import Known, eligible_of, named, outcome_of, with_lines
from tests.features.strategies import (
    EPOCH,
    PROPERTY,
    Row,
    as_rows_of_time,
    histories,
    snapshot_days,
    to_log,
)

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
    log = named(to_log(history), names, texts)
    start, end = EPOCH + timedelta(days=day), EPOCH + timedelta(days=day + horizon)
    target = Target(name=name, kind="event", event="Plan Changed", where=where).with_defaults(horizon, None)

    def is_meant(entry: int) -> bool:
        if log.event_types[log.event_type[entry]] != "Plan Changed":
            return False
        code = log.properties[entry]
        properties = {} if code < 0 else json.loads(log.property_texts[code])
        return all(condition.holds({**properties, "value": float(log.value[entry])}) for condition in where)

    snapshot = Snapshot.at(start, log.calendar)
    came, asked = outcome_of(target, log, snapshot), eligible_of(target, log, snapshot)
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
    purchase = outcome_of(Target(name="buys", kind="purchase", horizon_days=horizon), log, snapshot)
    upsell = outcome_of(Target(name="upsell", kind="upsell", horizon_days=horizon, ratio=2.0), log, snapshot, expected)
    worth_4 = (Condition(property="value", above=4.0),)
    large = Target(name="large", kind="event", event="Order Completed", horizon_days=horizon, where=worth_4)
    large_order = outcome_of(large, log, snapshot)
    refund = outcome_of(replace(large, event="Order Refunded", where=()), log, snapshot)
    for customer in log.customer_ids:
        worth = Known.of(rows, customer, end).worth_between(start, end)
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
    log = with_lines(to_log(rows), categories, late_days)
    start, end = EPOCH + timedelta(days=day), EPOCH + timedelta(days=day + horizon)
    target = Target(name="explores", kind="new_category", level=level, horizon_days=horizon)
    came = outcome_of(target, log, Snapshot.at(start, log.calendar))
    for customer, customer_id in enumerate(log.customer_ids):
        before, by_end = Known.of(rows, customer_id, start).orders, Known.of(rows, customer_id, end).orders
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
    log = with_lines(to_log(history), categories, [0, 1])
    snapshot = Snapshot.at(EPOCH + timedelta(days=day), log.calendar)
    until_end = log.before(snapshot.after(horizon, log.calendar).as_of)
    for target in (target.with_defaults(horizon, None) for target in _OF_EACH_KIND):
        assert outcome_of(target, log, snapshot, 3.0) == outcome_of(target, until_end, snapshot, 3.0)
        assert eligible_of(target, log, snapshot) == eligible_of(target, log.before(snapshot.as_of), snapshot)


@PROPERTY
@given(
    histories(), snapshot_days(), st.integers(1, 200), st.lists(st.sampled_from(_CATEGORIES), min_size=1, max_size=6)
)
def test_one_customer_alone_has_the_label_that_they_have_among_all(
    history: list[Row], day: int, horizon: int, categories: list[str | None]
) -> None:
    log = with_lines(to_log(history), categories, [0, 1])
    snapshot = Snapshot.at(EPOCH + timedelta(days=day), log.calendar)
    for target in (target.with_defaults(horizon, None) for target in _OF_EACH_KIND):
        alone = [log.take([customer]) for customer in range(log.n_customers)]
        came = [outcome_of(target, one, snapshot, 3.0) for one in alone]
        assert {name: label for one in came for name, label in one.items()} == outcome_of(target, log, snapshot, 3.0)
