"""Purchase days, and what they are worth.

Purchases are first folded into purchase days with running sums, so that a sum over a window is a difference of two of
them, whatever the window's length.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ORDER, UNMATCHED_REFUND
from features.kernels.columns import Entries, known_end
from features.kernels.orders import settle_orders
from features.measure import Measure

__all__ = ["measure_purchases"]

# A purchase day, with the sums over those before it.
_DAY = np.dtype([("ago", np.int64), ("value", np.float64), ("orders_before", np.float64), ("value_before", np.float64)])
_Days = NDArray[np.void]


@njit(cache=True)
def measure_purchases(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    entries: Entries,
    as_of: int,
    last_day: int,
    longest: int,
    year_phase: float,
) -> None:
    """Run the program for each customer, of whom none has more entries than `longest`."""
    worth = np.empty(longest + 1)
    counts = np.empty(longest + 1, dtype=np.bool_)
    days = np.empty(longest + 1, dtype=_DAY)
    offsets, occurred_at = entries.offsets, entries.occurred_at
    kind, day, value = entries.kind, entries.day, entries.value
    for customer in range(len(offsets) - 1):
        begin = offsets[customer]
        end = known_end(offsets, occurred_at, customer, as_of)
        settle_orders(entries, begin, end, worth, counts)
        n = _fold_into_days(entries, begin, end, worth, counts, last_day, days)
        if n == 0:
            continue
        # Few customers have any, and looking for them again in each window would cost more than all else.
        has_unmatched = False
        for entry in range(begin, end):
            has_unmatched |= kind[entry] == UNMATCHED_REFUND
        for row in range(len(program)):
            measure, newest, oldest, column = program[row, 0], program[row, 1], program[row, 2], program[row, 3]
            low, high = _window(days, n, newest, oldest)
            result = year_phase if measure == Measure.YEAR_PHASE else _measure(measure, days, low, high)
            if has_unmatched and measure == Measure.VALUE:
                for entry in range(begin, end):
                    if kind[entry] == UNMATCHED_REFUND and newest <= last_day - day[entry] < oldest:
                        result += value[entry]
            out[customer, column] = result


@njit(cache=True)
def _fold_into_days(
    entries: Entries,
    begin: int,
    end: int,
    worth: NDArray[np.float64],
    counts: NDArray[np.bool_],
    last_day: int,
    days: _Days,
) -> int:
    """Fold a customer's orders into purchase days, oldest first; the sums of all stand in one more. Return how many."""
    kind, day = entries.kind, entries.day
    n = 0
    days[0].orders_before = 0.0
    days[0].value_before = 0.0
    for i in range(end - begin):
        if kind[begin + i] != ORDER or not counts[i]:
            continue
        ago = last_day - day[begin + i]
        if n == 0 or days[n - 1].ago != ago:
            days[n].ago = ago
            days[n].value = 0.0
            n += 1
            days[n].orders_before = days[n - 1].orders_before
        days[n - 1].value += worth[i]
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
