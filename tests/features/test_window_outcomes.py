"""What came about within a window of each customer's own, against the labels of one window for everybody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.exceptions import CheckError
from features.labels import bought as buys
from features.occurrences import settled
from features.window_outcomes import happened_within, purchases_within
from features.windows import Snapshot
from tests.features.strategies import Row, at, bought, did, histories, microseconds, refunded, snapshot_days, to_log

UTC_DAYS = LocalCalendar("UTC")


def windows(log: EventLog, spans: dict[str, tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    found = [spans[customer_id] for customer_id in log.customer_ids]
    start, end = ([microseconds(at(span[i])) for span in found] for i in (0, 1))
    return np.array(start), np.array(end)


@given(history=histories(updates=True), day=snapshot_days())
def test_with_one_window_for_all_it_is_the_label_and_the_worth_of_its_orders(history: list[Row], day: int) -> None:
    log = to_log(history)
    snapshot = Snapshot.at_midnight(day, UTC_DAYS)
    end, n = snapshot.after(60, UTC_DAYS), log.n_customers
    purchased, value = purchases_within(log, np.full(n, snapshot.as_of), np.full(n, end.as_of))
    assert purchased.tolist() == buys(log, snapshot, 60).tolist()
    worth, is_purchase = settled(log, end)
    counts = is_purchase & (log.occurred_at >= snapshot.as_of) & (log.occurred_at < end.as_of)
    expected = [worth[a:b][counts[a:b]].sum() for a, b in zip(log.offsets, log.offsets[1:], strict=False)]
    assert value.tolist() == pytest.approx(expected)


@given(history=histories(), day=snapshot_days())
def test_what_comes_after_the_window_changes_nothing(history: list[Row], day: int) -> None:
    log = to_log(history)
    start, end = (np.full(log.n_customers, UTC_DAYS.midnight(at_day)) for at_day in (day, day + 30))
    cut = to_log([row for row in history if microseconds(row.at) < end[0]], customer_ids=log.customer_ids)
    for one, other in zip(purchases_within(log, start, end), purchases_within(cut, start, end), strict=True):
        assert one.tolist() == pytest.approx(other.tolist())


def test_each_customer_is_judged_by_a_window_of_their_own() -> None:
    rows = [bought(at(5), 10.0, customer=name) for name in ("ada", "bea", "cleo")]
    rows += [bought(at(5), 7.0, customer="dora", order="A"), refunded(at(8), order="A", customer="dora")]
    rows += [did(at(6), customer="ada")]
    log = to_log(rows)
    spans = {"ada": (5.0, 6.0), "bea": (5.1, 9.0), "cleo": (0.0, 5.0), "dora": (5.0, 9.0)}
    purchased, value = purchases_within(log, *windows(log, spans))
    assert dict(zip(log.customer_ids, purchased.tolist(), strict=True)) == {
        "ada": True,
        "bea": False,
        "cleo": False,
        "dora": False,
    }
    assert value.tolist() == [10.0, 0.0, 0.0, 0.0]
    # Taken back only after the window.
    purchased, value = purchases_within(log, *windows(log, spans | {"dora": (5.0, 8.0)}))
    assert (bool(purchased[3]), value[3]) == (True, 7.0)
    opened = happened_within(log, "Product Viewed", *windows(log, spans | {"ada": (5.0, 6.1)}))
    assert opened.tolist() == [True, False, False, False]
    assert not happened_within(log, "Product Viewed", *windows(log, spans)).any()
    assert not happened_within(log, "Never Seen", *windows(log, spans)).any()


def test_windows_of_another_number_of_customers_are_refused() -> None:
    log = to_log([bought(at(5), 10.0, customer="ada")])
    with pytest.raises(CheckError, match="expected one window for each of the 1 customers, got 2 and 1"):
        purchases_within(log, np.zeros(2, dtype=np.int64), np.zeros(1, dtype=np.int64))
