"""The few numbers of a customer's purchases that all features are made of, and the compiled loop that finds them.

A feature names `Aggregate`s; the loop is driven by their codes, so that a new feature needs no new loop. Purchases are
first folded into purchase days with running sums, so that a sum over a window is a difference of two of them, whatever
the window's length.
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
    REPEAT_VALUE = 3  # of purchase days after the first ever, unmatched refunds left out
    FIRST_DAY_VALUE = 4
    LAST_DAY_VALUE = 5
    DAY_VALUE_MAX = 6
    DAY_VALUE_DEVIATION = 7  # standard deviation (divisor n) of two days or more
    DAYS_SINCE_FIRST = 8
    DAYS_SINCE_LAST = 9
    GAP_LAST = 10  # gaps are the days from one purchase day to the next
    GAP_MAX = 11
    GAP_DEVIATION = 12  # standard deviation (divisor n) of two gaps or more
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

# A purchase day, with the sums over those before it.
_DAY = np.dtype([("ago", np.int64), ("value", np.float64), ("orders_before", np.float64), ("value_before", np.float64)])
_Days = NDArray[np.void]


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
        np.empty(_longest(log) + 1, dtype=_DAY),
    )


def purchased_between(log: EventLog, start: Snapshot, end: Snapshot) -> NDArray[np.bool_]:
    """Whether each customer purchases at or after `start` and before `end`, by what is known at `end`.

    An order that is wholly refunded by then is none.

    Returns
    -------
    bool, length n_customers
    """
    return _purchased(
        log.offsets,
        log.occurred_at,
        log.kind,
        log.order,
        log.is_purchase,
        log.value,
        start.as_of,
        end.as_of,
        _longest(log),
    )


def _longest(log: EventLog) -> int:
    """Entries of the customer who has most."""
    return int(np.diff(log.offsets).max(initial=0))


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
    days: _Days,
) -> NDArray[np.float64]:
    """Run the program for each customer; `days` is room for the purchase days of any one, and one more."""
    n_customers = len(offsets) - 1
    out = np.full((n_customers, len(program)), np.nan)
    worth = np.empty(len(days))
    counts = np.empty(len(days), dtype=np.bool_)
    for customer in range(n_customers):
        begin = offsets[customer]
        end = begin + np.searchsorted(occurred_at[begin : offsets[customer + 1]], as_of)
        _settle_orders(kind[begin:end], order[begin:end], is_purchase[begin:end], value[begin:end], worth, counts)
        n = _fold_into_days(kind[begin:end], day[begin:end], worth, counts, last_day, days)
        if n == 0:
            continue
        for column in range(len(program)):
            measure, newest, oldest = program[column]
            low, high = _window(days, n, newest, oldest)
            result = year_phase if measure == Measure.YEAR_PHASE else _measure(measure, days, low, high)
            if measure == Measure.VALUE:
                for entry in range(begin, end):
                    if kind[entry] == UNMATCHED_REFUND and newest <= last_day - day[entry] < oldest:
                        result += value[entry]
            out[customer, column] = result
    return out


@njit(cache=True)
def _settle_orders(
    kind: NDArray[np.int8],
    order: NDArray[np.int32],
    is_purchase: NDArray[np.bool_],
    value: NDArray[np.float64],
    worth: NDArray[np.float64],
    counts: NDArray[np.bool_],
) -> None:
    """Find what each of a customer's orders is worth, and whether it counts, after all of these entries."""
    for entry in range(len(kind)):
        if kind[entry] == ORDER:
            worth[entry] = value[entry]
            counts[entry] = True
        elif kind[entry] == ADJUSTMENT:
            worth[order[entry]] += value[entry]
            counts[order[entry]] = is_purchase[entry]


@njit(cache=True)
def _fold_into_days(
    kind: NDArray[np.int8],
    day: NDArray[np.int32],
    worth: NDArray[np.float64],
    counts: NDArray[np.bool_],
    last_day: int,
    days: _Days,
) -> int:
    """Fold a customer's orders into purchase days, oldest first; the sums of all stand in one more. Return how many."""
    n = 0
    days[0].orders_before = 0.0
    days[0].value_before = 0.0
    for entry in range(len(kind)):
        if kind[entry] != ORDER or not counts[entry]:
            continue
        ago = last_day - day[entry]
        if n == 0 or days[n - 1].ago != ago:
            days[n].ago = ago
            days[n].value = 0.0
            n += 1
            days[n].orders_before = days[n - 1].orders_before
        days[n - 1].value += worth[entry]
        days[n].orders_before += 1.0
        days[n].value_before = days[n - 1].value_before + days[n - 1].value
    return n


@njit(cache=True)
def _window(days: _Days, n: int, newest: int, oldest: int) -> tuple[int, int]:
    """Return low and high such that `days[low:high]` are those with newest <= days ago < oldest."""
    low, high = 0, n
    while low < n and days[low].ago >= oldest:
        low += 1
    while high > low and days[high - 1].ago < newest:
        high -= 1
    return low, high


@njit(cache=True)
def _measure(measure: int, days: _Days, low: int, high: int) -> float:
    """Measure the purchase days at positions low to high - 1."""
    # Counts and sums are 0 for an empty window.
    if measure == Measure.PURCHASE_DAYS:
        return float(high - low)
    if measure == Measure.ORDERS:
        return float(days[high].orders_before - days[low].orders_before)
    if measure == Measure.VALUE:
        return float(days[high].value_before - days[low].value_before)
    if measure == Measure.REPEAT_VALUE:
        return float(days[high].value_before - days[min(max(low, 1), high)].value_before)
    if high == low:
        return np.nan
    if measure == Measure.FIRST_DAY_VALUE:
        return float(days[low].value)
    if measure == Measure.LAST_DAY_VALUE:
        return float(days[high - 1].value)
    if measure == Measure.DAY_VALUE_MAX:
        return float(days["value"][low:high].max())
    if measure == Measure.DAY_VALUE_DEVIATION:
        return _deviation(days["value"][low:high])
    if measure == Measure.DAYS_SINCE_FIRST:
        return float(days[low].ago)
    if measure == Measure.DAYS_SINCE_LAST:
        return float(days[high - 1].ago)
    if high - low == 1:
        return np.nan
    if measure == Measure.GAP_LAST:
        return float(days[high - 2].ago - days[high - 1].ago)
    gaps = (days["ago"][low : high - 1] - days["ago"][low + 1 : high]).astype(np.float64)
    return float(gaps.max()) if measure == Measure.GAP_MAX else _deviation(gaps)


@njit(cache=True)
def _deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation (divisor n), exactly 0 of equal values; NaN of fewer than two."""
    if len(values) < 2:
        return np.nan
    # Counted from the first, equal values have a mean without rounding error.
    above_first = values - values[0]
    return float(np.sqrt(np.mean((above_first - np.mean(above_first)) ** 2)))


@njit(cache=True)
def _purchased(
    offsets: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    kind: NDArray[np.int8],
    order: NDArray[np.int32],
    is_purchase: NDArray[np.bool_],
    value: NDArray[np.float64],
    start: int,
    end: int,
    longest: int,
) -> NDArray[np.bool_]:
    n_customers = len(offsets) - 1
    out = np.zeros(n_customers, dtype=np.bool_)
    worth = np.empty(longest)
    counts = np.empty(longest, dtype=np.bool_)
    for customer in range(n_customers):
        begin = offsets[customer]
        until = begin + np.searchsorted(occurred_at[begin : offsets[customer + 1]], end)
        _settle_orders(
            kind[begin:until], order[begin:until], is_purchase[begin:until], value[begin:until], worth, counts
        )
        for entry in range(begin, until):
            if occurred_at[entry] >= start and kind[entry] == ORDER and counts[entry - begin]:
                out[customer] = True
                break
    return out
