"""Taking customers from a log and joining logs."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import LocalCalendar
from features.event_log import EventLog
from tests.features.strategies import EPOCH, PROPERTY, Row, bought, did, histories, microseconds, to_log

_COLUMNS = ("offsets", "occurred_at", "day", "kind", "order", "is_purchase", "value", "event_type")


def _assert_equal(log: EventLog, other: EventLog) -> None:
    assert (log.customer_ids, log.event_types) == (other.customer_ids, other.event_types)
    for name in _COLUMNS:
        column, expected = getattr(log, name), getattr(other, name)
        assert column.dtype == expected.dtype
        assert np.array_equal(column, expected)


@PROPERTY
@given(histories(), st.randoms(use_true_random=False))
def test_logs_of_some_customers_joined_in_any_order_are_the_log_of_all(history: list[Row], random: Random) -> None:
    log = to_log(history)
    positions = list(range(log.n_customers))
    random.shuffle(positions)
    parts = [log.take(sorted(positions[i::2])) for i in range(2)]
    _assert_equal(EventLog.concatenate(parts, log.calendar), log)


@PROPERTY
@given(histories())
def test_taking_a_customer_is_netting_that_customer_alone(history: list[Row]) -> None:
    log = to_log(history)
    for i, customer in enumerate(log.customer_ids):
        _assert_equal(log.take([i]), to_log([row for row in history if row.customer == customer]))


@PROPERTY
@given(histories(), st.data())
def test_the_log_before_an_instant_is_that_of_what_was_known_then(history: list[Row], data: st.DataObject) -> None:
    as_of = data.draw(st.sampled_from([row.at for row in history])) if history else EPOCH
    everybody = sorted({row.customer for row in history})
    known = to_log([row for row in history if row.at < as_of], customer_ids=everybody)
    _assert_equal(to_log(history).before(microseconds(as_of)), known)


def test_taking_nobody_leaves_an_empty_log() -> None:
    log = to_log([bought(EPOCH, 1.0)]).take([])
    assert (log.n_customers, log.offsets.tolist(), len(log.value)) == (0, [0], 0)


def test_joining_no_logs_gives_an_empty_log() -> None:
    log = EventLog.concatenate([], LocalCalendar("UTC"))
    assert (log.n_customers, log.offsets.tolist(), log.event_types) == (0, [0], ())
    assert log.occurred_at.dtype == np.int64


def test_logs_with_different_names_of_events_are_joined_by_name() -> None:
    log = to_log([did(EPOCH, customer="a")])
    other = to_log([bought(EPOCH, 1.0, customer="b")])
    renamed = EventLog(
        **{name: getattr(other, name) for name in ("customer_ids", *_COLUMNS[:-1])},
        event_type=np.zeros(1, dtype=np.int16),
        event_types=("Order Completed",),
        calendar=other.calendar,
    )
    joined = EventLog.concatenate([renamed, log], log.calendar)
    assert [joined.event_types[code] for code in joined.event_type] == ["Product Viewed", "Order Completed"]


def test_the_last_purchase_day_is_local() -> None:
    evening_in_new_york = datetime(2024, 1, 2, 3, tzinfo=UTC)
    rows = [bought(evening_in_new_york, 1.0), did(datetime(2024, 6, 1, tzinfo=UTC))]
    day = (datetime(2024, 1, 2, tzinfo=UTC) - EPOCH).days
    assert to_log(rows).last_purchase_day() == day
    assert to_log(rows, "America/New_York").last_purchase_day() == day - 1
