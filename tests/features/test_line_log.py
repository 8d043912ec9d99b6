"""Lines of orders as they were ordered, and their categories on one level."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.event_log import ORDER
from features.line_log import STILL_HOLDS, LineLog
from tests.features.reference_netting import KnownLine, net_one_customer
from tests.features.same import assert_same_lines, meanings
from tests.features.strategies import (
    CATEGORIES,
    EPOCH,
    PROPERTY,
    Row,
    as_rows_of_time,
    bought,
    histories,
    microseconds,
    refunded,
    to_log,
    updated,
)

CAKE, TEA, GARDEN = CATEGORIES


def _or_nan(amounts: Sequence[float | None]) -> list[float]:
    return [np.nan if amount is None else amount for amount in amounts]


def _expected(rows: Sequence[Row], customer: str) -> list[KnownLine]:
    """Lines of one customer by the plain reference."""
    own = [rows[i] for i in as_rows_of_time(rows) if rows[i].customer == customer]
    return [line for line in net_one_customer(own).lines if line.row.is_line]


@PROPERTY
@given(histories(updates=True))
def test_lines_are_those_of_the_plain_reference_in_order_of_customer_and_time_untouched_by_refunds(
    history: list[Row],
) -> None:
    log = to_log(history)
    lines = log.lines
    expected = [line for customer in log.customer_ids for line in _expected(history, customer)]
    rows = [line.row for line in expected]
    assert lines.occurred_at.tolist() == [microseconds(row.at) for row in rows]
    assert lines.ordered_at.tolist() == [microseconds(line.ordered_at) for line in expected]
    assert lines.day.tolist() == [(line.ordered_at - EPOCH).days for line in expected]
    replaced = [STILL_HOLDS if line.until is None else microseconds(line.until) for line in expected]
    assert lines.until.tolist() == replaced
    assert lines.product.tolist() == [-1 if row.product is None else row.product for row in rows]
    assert meanings(lines.category, lines.categories) == [row.category for row in rows]
    for name in ("quantity", "value", "discount"):
        assert np.array_equal(getattr(lines, name), _or_nan([getattr(row, name) for row in rows]), equal_nan=True)
    customers = np.repeat(np.array(log.customer_ids, dtype=np.object_), np.diff(lines.offsets)).tolist()
    assert customers == [row.customer for row in rows]


@PROPERTY
@given(histories(updates=True))
def test_each_line_knows_the_entry_of_its_order(history: list[Row]) -> None:
    log = to_log(history)
    for number, customer in enumerate(log.customer_ids):
        expected = _expected(history, customer)
        first_at: dict[str, datetime] = {}
        for line in expected:
            if line.row.order is not None:
                first_at[line.row.order] = min(line.row.at, first_at.get(line.row.order, line.row.at))
        of_customer = log.lines.order[log.lines.offsets[number] : log.lines.offsets[number + 1]]
        for order, line in zip((log.offsets[number] + of_customer).tolist(), expected, strict=True):
            assert log.kind[order] == ORDER
            begins = line.row.at if line.row.order is None else first_at[line.row.order]
            assert log.occurred_at[order] == microseconds(begins)


@PROPERTY
@given(histories(updates=True), st.randoms(use_true_random=False))
def test_lines_of_some_customers_joined_are_those_of_all(history: list[Row], random: Random) -> None:
    log = to_log(history)
    positions = list(range(log.n_customers))
    random.shuffle(positions)
    alone = [
        to_log([row for row in history if row.customer == log.customer_ids[position]]).lines for position in positions
    ]
    assert_same_lines(LineLog.concatenate(alone).take(np.argsort(positions)), log.lines)
    assert_same_lines(
        LineLog.concatenate([log.lines.take([position]) for position in positions]).take(np.argsort(positions)),
        log.lines,
    )


@PROPERTY
@given(histories(updates=True), st.data())
def test_the_lines_before_an_instant_are_those_ordered_by_then(history: list[Row], data: st.DataObject) -> None:
    as_of = data.draw(st.sampled_from([row.at for row in history])) if history else EPOCH
    full = to_log(history)
    known = to_log([row for row in history if row.at < as_of], customer_ids=full.customer_ids)
    assert_same_lines(full.lines.before(microseconds(as_of)), known.lines)


def test_an_update_brings_lines_of_the_orders_day_and_ends_those_before_it() -> None:
    first, second = EPOCH + timedelta(days=1), EPOCH + timedelta(days=5)
    rows = [bought(first, 5.0, order="A", product=1), updated(second, 7.0, order="A", product=2)]
    lines = to_log(rows).lines
    assert lines.occurred_at.tolist() == [microseconds(first), microseconds(second)]
    assert lines.ordered_at.tolist() == [microseconds(first)] * 2
    assert lines.day.tolist() == [1, 1]
    assert lines.until.tolist() == [microseconds(second), STILL_HOLDS]


def test_orders_told_as_one_sum_have_no_lines() -> None:
    assert_same_lines(to_log([bought(EPOCH, 5.0), refunded(EPOCH, 1.0, product=1)]).lines, LineLog.empty(1))


def test_nobody_has_no_lines() -> None:
    assert_same_lines(LineLog.concatenate([]), LineLog.empty(0))
    assert LineLog.empty(3).n_customers == 3


def test_the_coarsest_level_is_the_first_of_each_category() -> None:
    lines = to_log([bought(EPOCH, category=category) for category in (GARDEN, TEA, CAKE)]).lines
    plain = to_log([*(bought(EPOCH, category=category) for category in (GARDEN, TEA, CAKE)), bought(EPOCH, product=1)])
    codes, names = plain.lines.level(None)
    assert codes.dtype == np.int32
    assert (names, codes.tolist()) == (("Food", "Garden"), [1, 0, 0, -1])
    assert lines.level("department")[0].tolist() == [1, 0, 0]


def test_a_line_whose_category_lacks_the_level_has_none_on_it() -> None:
    lines = to_log([bought(EPOCH, category=category) for category in (GARDEN, TEA, CAKE)]).lines
    codes, names = lines.level("aisle")
    assert (names, codes.tolist()) == (("Cake", "Tea"), [-1, 1, 0])
    codes, names = lines.level("shelf")
    assert (names, codes.tolist()) == ((), [-1, -1, -1])
