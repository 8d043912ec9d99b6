"""The few numbers of a customer's purchases that all features are made of, and the compiled loop that finds them.

A feature names `Aggregate`s; the loop is driven by their codes, so that a new feature needs no new loop. Purchases are
first folded into purchase days with running sums, so that an aggregate over a window is a difference of two of them,
whatever the window's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ADJUSTMENT, ORDER, UNMATCHED_REFUND, EventLog
from features.windows import Snapshot

__all__ = ["Aggregate", "Measure", "aggregate", "purchased_between"]


class Measure(IntEnum):
    """What is measured of the purchase days in a window. NaN where a customer has none to measure it by."""

    PURCHASE_DAYS = 0
    ORDERS = 1
    VALUE = 2  # after refunds, unmatched ones included
    DAY_VALUE_SQUARES = 3  # sum over purchase days of value squared
    DAY_VALUE_MAX = 4
    FIRST_DAY_VALUE = 5
    LAST_DAY_VALUE = 6
    DAYS_SINCE_FIRST = 7
    DAYS_SINCE_LAST = 8
    REPEAT_VALUE = 9  # sum over purchase days after the first ever, unmatched refunds left out
    GAP_SQUARES = 10  # sum over gaps between purchase days of days squared
    GAP_LAST = 11
    GAP_MAX = 12
    YEAR_PHASE = 13  # of the snapshot: 0 at the turn of the year, towards 1 at its end


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One measure over one window.

    Attributes
    ----------
    measure : Measure
    days : int or None
        Length of the window in days; None for all that went before.
    ago : int
        Days between the end of the window and the snapshot; 0 for a window that ends with the snapshot.
    """

    measure: Measure
    days: int | None = None
    ago: int = 0


_ALL_DAYS = 1_000_000


def aggregate(log: EventLog, snapshot: Snapshot, aggregates: Sequence[Aggregate]) -> NDArray[np.float64]:
    """Measure every customer of a log at one snapshot.

    Parameters
    ----------
    log : EventLog
    snapshot : Snapshot
        Entries at or after its `as_of` are not looked at.
    aggregates : sequence of Aggregate

    Returns
    -------
    float64, shape (n_customers, len(aggregates))
        NaN throughout for a customer without a purchase before the snapshot.
    """
    program = np.array(
        [(a.measure, a.ago, a.ago + a.days if a.days is not None else _ALL_DAYS) for a in aggregates],
        dtype=np.int64,
    ).reshape(-1, 3)
    lengths = np.diff(log.offsets)
    return _aggregate_customers(
        log.offsets,
        log.occurred_at,
        log.day,
        log.kind,
        log.order,
        log.is_purchase,
        log.value,
        snapshot.as_of,
        snapshot.last_day,
        _year_phase(snapshot),
        program,
        int(lengths.max()) if lengths.size else 0,
    )


def purchased_between(log: EventLog, start: Snapshot, end: Snapshot) -> NDArray[np.bool_]:
    """Whether each customer purchases at or after `start` and before `end`, by what is known at `end`.

    An order that is wholly refunded by then is none.

    Returns
    -------
    bool, length n_customers
    """
    return _purchased(log.offsets, log.occurred_at, log.kind, log.order, log.is_purchase, start.as_of, end.as_of)


def _year_phase(snapshot: Snapshot) -> float:
    date = snapshot.date
    first, following = date.replace(month=1, day=1), date.replace(year=date.year + 1, month=1, day=1)
    return (date - first) / (following - first)


@njit(cache=True)
def _aggregate_customers(
    offsets: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    day: NDArray[np.int32],
    kind: NDArray[np.int8],
    order: NDArray[np.int32],
    is_purchase: NDArray[np.bool_],
    value: NDArray[np.float64],
    as_of: int,
    last_day: int,
    year_phase: float,
    program: NDArray[np.int64],
    longest: int,
) -> NDArray[np.float64]:
    n_customers = len(offsets) - 1
    out = np.full((n_customers, len(program)), np.nan)
    worth = np.empty(longest)
    counts = np.empty(longest, dtype=np.bool_)
    days_ago = np.empty(longest + 1, dtype=np.int64)
    day_value = np.empty(longest + 1)
    # Running sums over purchase days, oldest first; element i is the sum over the days before day i.
    orders_sum = np.zeros(longest + 1)
    value_sum = np.zeros(longest + 1)
    squares_sum = np.zeros(longest + 1)

    for customer in range(n_customers):
        begin, end = offsets[customer], offsets[customer + 1]
        # What each order is worth by what is known at the snapshot.
        n_known = 0
        for entry in range(begin, end):
            if occurred_at[entry] >= as_of:
                break
            at = entry - begin
            n_known = at + 1
            if kind[entry] == ORDER:
                worth[at] = value[entry]
                counts[at] = True
            elif kind[entry] == ADJUSTMENT:
                worth[order[entry]] += value[entry]
                counts[order[entry]] = is_purchase[entry]

        # Orders to purchase days.
        n = 0
        for at in range(n_known):
            if kind[begin + at] != ORDER or not counts[at]:
                continue
            ago = last_day - day[begin + at]
            if n == 0 or days_ago[n - 1] != ago:
                days_ago[n] = ago
                day_value[n] = 0.0
                orders_sum[n + 1] = orders_sum[n]
                n += 1
            orders_sum[n] += 1.0
            day_value[n - 1] += worth[at]
        if n == 0:
            continue
        for i in range(n):
            value_sum[i + 1] = value_sum[i] + day_value[i]
            squares_sum[i + 1] = squares_sum[i] + day_value[i] ** 2

        for column in range(len(program)):
            measure, newest, oldest = program[column]
            # Purchase days in the window: those with newest <= days_ago < oldest, at positions low..high-1.
            low, high = 0, n
            if oldest != 1_000_000:
                while low < n and days_ago[low] >= oldest:
                    low += 1
            if newest > 0:
                while high > low and days_ago[high - 1] < newest:
                    high -= 1
            result = np.nan
            if measure == Measure.PURCHASE_DAYS:
                result = float(high - low)
            elif measure == Measure.ORDERS:
                result = orders_sum[high] - orders_sum[low]
            elif measure == Measure.VALUE:
                result = value_sum[high] - value_sum[low]
                for entry in range(begin, begin + n_known):
                    if kind[entry] == UNMATCHED_REFUND and newest <= last_day - day[entry] < oldest:
                        result += value[entry]
            elif measure == Measure.DAY_VALUE_SQUARES:
                result = squares_sum[high] - squares_sum[low]
            elif measure == Measure.YEAR_PHASE:
                result = year_phase
            elif measure == Measure.REPEAT_VALUE:
                result = value_sum[high] - value_sum[max(low, 1)] if high > max(low, 1) else 0.0
            elif high > low:
                if measure == Measure.DAY_VALUE_MAX:
                    result = day_value[low:high].max()
                elif measure == Measure.FIRST_DAY_VALUE:
                    result = day_value[low]
                elif measure == Measure.LAST_DAY_VALUE:
                    result = day_value[high - 1]
                elif measure == Measure.DAYS_SINCE_FIRST:
                    result = float(days_ago[low])
                elif measure == Measure.DAYS_SINCE_LAST:
                    result = float(days_ago[high - 1])
                elif high - low > 1:
                    if measure == Measure.GAP_LAST:
                        result = float(days_ago[high - 2] - days_ago[high - 1])
                    else:
                        squares, longest_gap = 0.0, 0.0
                        for i in range(low + 1, high):
                            gap = float(days_ago[i - 1] - days_ago[i])
                            squares += gap**2
                            longest_gap = max(longest_gap, gap)
                        result = squares if measure == Measure.GAP_SQUARES else longest_gap
            out[customer, column] = result
    return out


@njit(cache=True)
def _purchased(
    offsets: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    kind: NDArray[np.int8],
    order: NDArray[np.int32],
    is_purchase: NDArray[np.bool_],
    start: int,
    end: int,
) -> NDArray[np.bool_]:
    n_customers = len(offsets) - 1
    out = np.zeros(n_customers, dtype=np.bool_)
    for customer in range(n_customers):
        begin = offsets[customer]
        for entry in range(begin, offsets[customer + 1]):
            if occurred_at[entry] < start or occurred_at[entry] >= end or kind[entry] != ORDER:
                continue
            counts = True
            for later in range(entry + 1, offsets[customer + 1]):
                if occurred_at[later] >= end:
                    break
                if kind[later] == ADJUSTMENT and order[later] == entry - begin:
                    counts = is_purchase[later]
            if counts:
                out[customer] = True
                break
    return out
