"""Who is eligible, and what came about: each kind of target against a plain reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from features.build import build_features
from features.labels import churned, eligible
from features.windows import Snapshot
from tests.features.reference_netting import net_one_customer
from tests.features.strategies import (
    EPOCH,
    PROPERTY,
    Row,
    as_rows_of_time,
    at,
    bought,
    did,
    histories,
    microseconds,
    refunded,
    snapshot_days,
    to_log,
)

_TICK = timedelta(microseconds=1)


def test_eligible_is_who_purchased_on_one_of_the_last_days_of_the_activity_window() -> None:
    log = to_log(
        [
            bought(at(0) - _TICK, 1.0, customer="a day early"),
            bought(at(0), 1.0, customer="on the first day"),
            bought(at(10) - _TICK, 1.0, customer="just before"),
            bought(at(10), 1.0, customer="too late"),
            bought(at(2), 1.0, customer="taken back", order="A"),
            refunded(at(3), order="A", customer="taken back"),
        ],
        customer_ids=["nobody"],
    )
    frame = build_features(log, Snapshot.at(at(10), log.calendar))
    found = {name for name, is_eligible in zip(log.customer_ids, eligible(frame, 10), strict=True) if is_eligible}
    assert found == {"on the first day", "just before"}


def test_churned_is_who_does_not_purchase_from_the_snapshot_to_before_the_end_of_the_horizon() -> None:
    log = to_log(
        [
            bought(at(10) - _TICK, 1.0, customer="before"),
            bought(at(10), 1.0, customer="at the snapshot"),
            bought(at(40) - _TICK, 0.0, customer="at the end, for free"),
            bought(at(40), 1.0, customer="after"),
            did(at(20), customer="looks only"),
        ]
    )
    label = churned(log, Snapshot.at(at(10), log.calendar), 30)
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
            *(bought(at(15), 1.0, order=name, customer=name) for name in ("in time", "later", "and another")),
            bought(at(16), 1.0, customer="and another"),
            refunded(at(39), order="in time", customer="in time"),
            refunded(at(40), order="later", customer="later"),
            refunded(at(39), order="and another", customer="and another"),
        ]
    )
    label = churned(log, Snapshot.at(at(10), log.calendar), 30)
    assert dict(zip(log.customer_ids, label.tolist(), strict=True)) == {
        "and another": 0.0,
        "in time": 1.0,
        "later": 0.0,
    }


def test_an_old_order_refunded_within_the_horizon_is_no_purchase_in_it() -> None:
    log = to_log([bought(at(1), 9.0, order="A"), refunded(at(15), 3.0, order="A"), bought(at(20), 1.0, order="A")])
    assert churned(log, Snapshot.at(at(10), log.calendar), 30).tolist() == [1.0]


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
    rows = [bought(at(15), 1.0, order="A")]
    log, longer = to_log(rows), to_log([*rows, refunded(at(50), order="A"), bought(at(60), 4.0)])
    start = Snapshot.at(at(10), log.calendar)
    assert churned(log, start, 30).tolist() == churned(longer, start, 30).tolist() == [0.0]
    assert start.after(30, log.calendar).as_of == microseconds(at(40))
