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
from features.kernels.windows import Windows, add_spans_beyond, span_at
from features.measure import Measure

__all__ = ["measure_purchases"]


@njit(cache=True, nogil=True)
def measure_purchases(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    entries: Entries,
    windows: Windows,
    longest: int,
    year_phase: NDArray[np.float64],
) -> None:
    """Run the program for each customer at each snapshot; no customer has more entries than `longest`.

    What was folded for one snapshot is continued for the next, unless an order changed in between.
    """
    known, last_day, edges, span_of = windows.known, windows.last_day, windows.edges, windows.span_of
    offsets, kind, day, value = entries.offsets, entries.kind, entries.day, entries.value
    n_customers, n_snapshots = known.shape
    worth = np.empty(longest)
    counts = np.empty(longest, dtype=np.bool_)
    # Of each purchase day the day itself and its value, and the sums over those before it, in the order of `Measure`.
    days = np.empty(longest, dtype=np.int64)
    values = np.empty(longest)
    before = np.zeros((3, longest + 1))
    days_beyond = np.empty((len(edges) + 1, 1), dtype=np.int64)  # by span
    for customer in range(n_customers):
        begin = offsets[customer]
        settled, n = 0, 0
        # Few customers have any, and looking for them again in each window would cost more than all else.
        has_unmatched = False
        for i in range(n_snapshots):
            end = known[customer, i]
            if end < settled:
                settled, n, has_unmatched = 0, 0, False
            has_changed = settle_orders(entries, begin, settled, end, worth, counts)
            for entry in range(begin + settled, begin + end):
                has_unmatched |= kind[entry] == UNMATCHED_REFUND
            if has_changed:
                settled, n = 0, 0
            n = _fold_into_days(entries, begin, settled, end, worth, counts, days, values, before, n)
            settled = end
            if n == 0:
                continue
            days_beyond[:] = 0
            for j in range(n):
                days_beyond[span_at(span_of, last_day[i] - days[j]), 0] += 1
            add_spans_beyond(days_beyond)
            for row in range(len(program)):
                measure, newest, oldest, column = program[row, 0], program[row, 1], program[row, 2], program[row, 3]
                low, high = days_beyond[oldest + 1, 0], days_beyond[newest + 1, 0]
                if measure <= Measure.VALUE:
                    result = before[measure, high] - before[measure, low]
                elif measure == Measure.YEAR_PHASE:
                    result = year_phase[i]
                else:
                    result = _measure(measure, days, values, before[Measure.VALUE], low, high, last_day[i])
                if has_unmatched and measure == Measure.VALUE:
                    for entry in range(begin, begin + end):
                        if (
                            kind[entry] == UNMATCHED_REFUND
                            and edges[newest] <= last_day[i] - day[entry] < edges[oldest]
                        ):
                            result += value[entry]
                out[column, customer, i] = result


@njit(cache=True, nogil=True)
def _fold_into_days(
    entries: Entries,
    begin: int,
    start: int,
    end: int,
    worth: NDArray[np.float64],
    counts: NDArray[np.bool_],
    days: NDArray[np.int64],
    values: NDArray[np.float64],
    before: NDArray[np.float64],
    n: int,
) -> int:
    """Add a customer's orders at positions start to end - 1 to the n purchase days that those before them make.

    Days ascend; the sums of all stand in one more. Return how many there are then.
    """
    kind, day = entries.kind, entries.day
    for i in range(start, end):
        if kind[begin + i] != ORDER or not counts[i]:
            continue
        if n == 0 or days[n - 1] != day[begin + i]:
            days[n] = day[begin + i]
            values[n] = 0.0
            n += 1
            before[Measure.PURCHASE_DAYS, n] = n
            before[Measure.ORDERS, n] = before[Measure.ORDERS, n - 1]
        values[n - 1] += worth[i]
        before[Measure.ORDERS, n] += 1.0
        before[Measure.VALUE, n] = before[Measure.VALUE, n - 1] + values[n - 1]
    return n


@njit(cache=True, nogil=True)
def _measure(
    measure: int,
    days: NDArray[np.int64],
    values: NDArray[np.float64],
    value_before: NDArray[np.float64],
    low: int,
    high: int,
    last_day: int,
) -> float:
    """Measure the purchase days at positions low to high - 1 by other than their number and sums."""
    if measure == Measure.REPEAT_VALUE:
        return float(value_before[high] - value_before[min(max(low, 1), high)])
    if high == low:
        return np.nan
    if measure == Measure.FIRST_DAY_VALUE:
        return float(values[low])
    if measure == Measure.LAST_DAY_VALUE:
        return float(values[high - 1])
    if measure == Measure.DAY_VALUE_MAX:
        return float(values[low:high].max())
    if measure == Measure.DAY_VALUE_DEVIATION:
        return _deviation(values[low:high])
    if measure == Measure.DAYS_SINCE_FIRST:
        return float(last_day - days[low])
    if measure == Measure.DAYS_SINCE_LAST:
        return float(last_day - days[high - 1])
    if high - low == 1:
        return np.nan
    if measure == Measure.GAP_LAST:
        return float(days[high - 1] - days[high - 2])
    gaps = (days[low + 1 : high] - days[low : high - 1]).astype(np.float64)
    return float(gaps.max()) if measure == Measure.GAP_MAX else _deviation(gaps)


@njit(cache=True, nogil=True)
def _deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation (divisor n), exactly 0 of equal values; NaN of fewer than two."""
    if len(values) < 2:
        return np.nan
    # Counted from the first, equal values have a mean without rounding error.
    above_first = values - values[0]
    return float(np.sqrt(np.mean((above_first - np.mean(above_first)) ** 2)))
