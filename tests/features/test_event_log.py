"""Taking customers from a log and joining logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.attributes import Attributes
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.line_log import LineLog
from tests.features.learnt import Learnt, attributes_of, learnings
from tests.features.same import assert_same_attributes, assert_same_lines, assert_same_log, meanings
from tests.features.strategies import EPOCH, PROPERTY, Row, bought, did, histories, microseconds, to_log

_COLUMNS = ("offsets", "occurred_at", "day", "kind", "order", "is_purchase", "value", "event_type")


def _known(rows: Sequence[Row], learnt: Sequence[Learnt], customer_ids: Sequence[str] = ()) -> EventLog:
    """Make a log of what customers did and what was learnt of those among them."""
    log = to_log(rows, customer_ids=customer_ids)
    mine = [each for each in learnt if each.customer in log.customer_ids]
    return replace(log, attributes=attributes_of(mine, log.customer_ids))


@PROPERTY
@given(histories(updates=True), learnings(), st.randoms(use_true_random=False))
def test_logs_of_some_customers_joined_in_any_order_are_the_log_of_all(
    history: list[Row], learnt: list[Learnt], random: Random
) -> None:
    log = _known(history, learnt)
    positions = list(range(log.n_customers))
    random.shuffle(positions)
    parts = [log.take(sorted(positions[i::2])) for i in range(2)]
    assert_same_log(EventLog.concatenate(parts, log.calendar), log)


@PROPERTY
@given(histories(updates=True), learnings())
def test_taking_a_customer_is_netting_that_customer_alone(history: list[Row], learnt: list[Learnt]) -> None:
    log = _known(history, learnt)
    for i, customer in enumerate(log.customer_ids):
        assert_same_log(log.take([i]), _known([row for row in history if row.customer == customer], learnt))


@PROPERTY
@given(histories(updates=True), learnings(), st.data())
def test_the_log_before_an_instant_is_that_of_what_was_known_then(
    history: list[Row], learnt: list[Learnt], data: st.DataObject
) -> None:
    instants = [*(row.at for row in history), *(each.at for each in learnt if each.at is not None)]
    as_of = data.draw(st.sampled_from(instants)) if instants else EPOCH
    log = _known(history, learnt)
    known = _known(
        [row for row in history if row.at < as_of],
        [each for each in learnt if each.learnt_at < microseconds(as_of)],
        log.customer_ids,
    )
    assert_same_log(log.before(microseconds(as_of)), known)


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


def test_channels_and_properties_with_different_names_are_joined_by_name() -> None:
    log = to_log([did(EPOCH, customer="a", channel="web", properties='{"b": 1}')])
    other = replace(
        to_log([did(EPOCH, customer="b", properties='{"a": 1}'), did(EPOCH, customer="b")]),
        channel=np.array([0, -1], dtype=np.int16),
        channels=("phone",),
    )
    joined = EventLog.concatenate([other, log], log.calendar)
    assert joined.channels == ("phone", "store", "web")
    assert joined.channel.tolist() == [2, 0, -1]
    assert meanings(joined.properties, joined.property_texts) == ['{"b": 1}', '{"a": 1}', None]
    assert joined.property_texts == ('{"a": 1}', '{"b": 1}')


def test_what_is_left_out_of_the_constructor_is_not_known_of_anybody() -> None:
    full = to_log([bought(EPOCH, 1.0, product=1, channel="web"), did(EPOCH, customer="d", properties="{}")])
    log = EventLog(
        **{name: getattr(full, name) for name in ("customer_ids", *_COLUMNS, "event_types", "calendar")},
    )
    assert (log.channel.tolist(), log.channels) == ([-1, -1], ())
    assert (log.properties.tolist(), log.property_texts) == ([-1, -1], ())
    assert (log.channel.dtype, log.properties.dtype) == (full.channel.dtype, full.properties.dtype)
    assert_same_lines(log.lines, LineLog.empty(2))
    assert_same_attributes(log.attributes, Attributes.empty(2))


def test_the_last_purchase_day_is_local() -> None:
    evening_in_new_york = datetime(2024, 1, 2, 3, tzinfo=UTC)
    rows = [bought(evening_in_new_york, 1.0), did(datetime(2024, 6, 1, tzinfo=UTC))]
    day = (datetime(2024, 1, 2, tzinfo=UTC) - EPOCH).days
    assert to_log(rows).last_purchase_day() == day
    assert to_log(rows, "America/New_York").last_purchase_day() == day - 1
