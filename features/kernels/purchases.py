"""Purchase days, and what they are worth.

Purchases are first folded into purchase days with running sums, so that a sum over a window is a difference of two of
them, whatever the window's length.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ORDER, UNMATCHED_REFUND
from features.kernels.columns import Entries
from features.kernels.orders import settle_orders
from features.measure import Measure

__all__ = ["measure_purchases"]

# A purchase day, with the sums over those before it.
_DAY = np.dtype([("day", np.int64), ("value", np.float64), ("orders_before", np.float64), ("value_before", np.float64)])
_Days = NDArray[np.void]


@njit(cache=True, nogil=True)
def measure_purchases(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    entries: Entries,
    known: NDArray[np.int32],
    ends: NDArray[np.int32],
    last_day: NDArray[np.int64],
    longest: int,
    year_phase: NDArray[np.float64],
) -> None:
    """Run the program for each customer at each snapshot; no customer has more entries than `longest`.

    What was folded for one snapshot is continued for the next, unless an order changed in between.
    """
    worth = np.empty(longest)
    counts = np.empty(longest, dtype=np.bool_)
    days = np.empty(longest + 1, dtype=_DAY)
    n_days = np.zeros(longest + 1, dtype=np.int64)  # up to each entry
    offsets, kind, value = entries.offsets, entries.kind, entries.value
    n_customers, n_snapshots = known.shape
    for customer in range(n_customers):
        begin = offsets[customer]
        settled, n = 0, 0
        # Few customers have any, and looking for them again in each window would cost more than all else.
        has_unmatched = False
        for snapshot in range(n_snapshots):
            end = known[customer, snapshot]
            if end < settled:
                settled, has_unmatched = 0, False
            has_changed = settle_orders(entries, begin, settled, end, worth, counts)
            for entry in range(begin + settled, begin + end):
                has_unmatched |= kind[entry] == UNMATCHED_REFUND
            _fold_into_days(entries, begin, 0 if has_changed else settled, end, worth, counts, days, n_days)
            settled, n = end, n_days[end]
            if n == 0:
                continue
            for row in range(len(program)):
                measure, newest, oldest, column = program[row, 0], program[row, 1], program[row, 2], program[row, 3]
                first, last = ends[customer, oldest, snapshot], ends[customer, newest, snapshot]
                if measure == Measure.YEAR_PHASE:
                    result = year_phase[snapshot]
                else:
                    result = _measure(measure, days, n_days[first], n_days[last], last_day[snapshot])
                if has_unmatched and measure == Measure.VALUE:
                    for entry in range(begin + first, begin + last):
                        if kind[entry] == UNMATCHED_REFUND:
                            result += value[entry]
                out[column, customer, snapshot] = result


@njit(cache=True, nogil=True)
def _fold_into_days(
    entries: Entries,
    begin: int,
    start: int,
    end: int,
    worth: NDArray[np.float64],
    counts: NDArray[np.bool_],
    days: _Days,
    n_days: NDArray[np.int64],
) -> None:
    """Fold a customer's orders at positions start to end - 1 into purchase days, oldest first.

    `n_days[i]` takes how many the first i entries make; the sums over all of them stand in one day more.
    """
    kind, day = entries.kind, entries.day
    n = n_days[start]
    if n == 0:
        days[0].orders_before = 0.0
        days[0].value_before = 0.0
    for i in range(start, end):
        if kind[begin + i] == ORDER and counts[i]:
            if n == 0 or days[n - 1].day != day[begin + i]:
                days[n].day = day[begin + i]
                days[n].value = 0.0
                n += 1
                days[n].orders_before = days[n - 1].orders_before
            days[n - 1].value += worth[i]
            days[n].orders_before += 1.0
            days[n].value_before = days[n - 1].value_before + days[n - 1].value
        n_days[i + 1] = n


@njit(cache=True, nogil=True)
def _measure(measure: int, days: _Days, low: int, high: int, last_day: int) -> float:
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
        return float(last_day - days[low].day)
    if measure == Measure.DAYS_SINCE_LAST:
        return float(last_day - days[high - 1].day)
    if high - low == 1:
        return np.nan
    if measure == Measure.GAP_LAST:
        return float(days[high - 1].day - days[high - 2].day)
    gaps = (days["day"][low + 1 : high] - days["day"][low : high - 1]).astype(np.float64)
    return float(gaps.max()) if measure == Measure.GAP_MAX else _deviation(gaps)


@njit(cache=True, nogil=True)
def _deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation (divisor n), exactly 0 of equal values; NaN of fewer than two."""
    if len(values) < 2:
        return np.nan
    # Counted from the first, equal values have a mean without rounding error.
    above_first = values - values[0]
    return float(np.sqrt(np.mean((above_first - np.mean(above_first)) ** 2)))
