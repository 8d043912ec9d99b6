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
from features.kernels.orders import find_orders, settle_orders
from features.kernels.windows import Asked, Windows, days_beyond, sum_over_windows
from features.measure import Measure

__all__ = ["measure_purchases"]


@njit(cache=True, nogil=True)
def measure_purchases(
    out: NDArray[np.float64],
    asked: Asked,
    entries: Entries,
    windows: Windows,
    longest: int,
    year_phase: NDArray[np.float64],
) -> None:
    """Run the program for each customer at each snapshot; no customer has more entries than `longest`.

    What was folded for one snapshot is continued for the next, unless an order changed in between.
    """
    edges, sums, others = asked.edges, asked.sums, asked.others
    known, last_day = windows.known, windows.last_day
    offsets, kind, day, value = entries.offsets, entries.kind, entries.day, entries.value
    order, is_purchase = entries.order, entries.is_purchase
    n_customers, n_snapshots = known.shape
    own = np.empty(longest, dtype=np.int64)
    worth = np.empty(longest)
    counts = np.empty(longest, dtype=np.bool_)
    # Of each purchase day the day itself and its value, and the sums over those before it, in the order of `Measure`.
    days = np.empty(longest, dtype=np.int64)
    values = np.empty(longest)
    before = np.empty((longest + 1, 3))
    before[0] = 0.0
    beyond = np.empty(len(edges), dtype=np.uintp)
    for customer in range(n_customers):
        begin = offsets[customer]
        n_own = find_orders(kind, begin, offsets[customer + 1], own)
        # Few customers have any, and looking for them in each window would cost more than all else.
        has_unmatched = False
        for position in own[:n_own]:
            has_unmatched |= kind[begin + position] == UNMATCHED_REFUND
        settled, n = 0, 0
        for i in range(n_snapshots):
            n_known = known[customer, i]
            if settled > 0 and own[settled - 1] >= n_known:
                settled, n = 0, 0
            end = settled
            while end < n_own and own[end] < n_known:
                end += 1
            if end > settled:
                if settle_orders(kind, order, is_purchase, value, begin, own[settled:end], worth, counts):
                    settled, n = 0, 0
                n = _fold_into_days(kind, day, begin, own[settled:end], worth, counts, days, values, before, n)
                settled = end
            if n == 0:
                continue
            days_beyond(edges, last_day[i], days, n, beyond)
            sum_over_windows(out, customer, i, sums, before, beyond)
            for row in range(len(others)):
                measure, newest, oldest, column = others[row, 0], others[row, 1], others[row, 2], others[row, 3]
                if measure == Measure.YEAR_PHASE:
                    out[column, customer, i] = year_phase[i]
                else:
                    low, high = np.int64(beyond[oldest]), np.int64(beyond[newest])
                    value_before = before[:, Measure.VALUE]
                    out[column, customer, i] = _measure(measure, days, values, value_before, low, high, last_day[i])
            if has_unmatched:
                for row in range(len(sums)):
                    of, newest, oldest, column = sums[row, 0], sums[row, 1], sums[row, 2], sums[row, 3]
                    if np.int64(of) != Measure.VALUE:
                        continue
                    for position in own[:settled]:
                        entry = begin + position
                        ago = last_day[i] - day[entry]
                        if kind[entry] == UNMATCHED_REFUND and edges[newest] <= ago < edges[oldest]:
                            out[column, customer, i] += value[entry]


@njit(cache=True, nogil=True, inline="always")
def _fold_into_days(
    kind: NDArray[np.int8],
    day: NDArray[np.int32],
    begin: int,
    own: NDArray[np.int64],
    worth: NDArray[np.float64],
    counts: NDArray[np.bool_],
    days: NDArray[np.int64],
    values: NDArray[np.float64],
    before: NDArray[np.float64],
    n: int,
) -> int:
    """Add a customer's orders among some entries to the n purchase days that those before them make.

    Days ascend; row n of `before` holds the sums over the first n. Return how many there are then.
    """
    for position in own:
        entry = begin + position
        if kind[entry] != ORDER or not counts[position]:
            continue
        if n == 0 or days[n - 1] != day[entry]:
            days[n] = day[entry]
            values[n] = 0.0
            n += 1
            before[n, Measure.PURCHASE_DAYS] = n
            before[n, Measure.ORDERS] = before[n - 1, Measure.ORDERS]
        values[n - 1] += worth[position]
        before[n, Measure.ORDERS] += 1.0
        before[n, Measure.VALUE] = before[n - 1, Measure.VALUE] + values[n - 1]
    return n


@njit(cache=True, nogil=True)
def _measure(
    measure: int,
    days: NDArray[np.int64],
    values: NDArray[np.float64],
    value_before: NDArray[np.float64],
    low: np.int64,
    high: np.int64,
    last_day: int,
) -> float:
    """Measure the purchase days at positions low to high - 1 by other than their number and sums."""
    if measure == Measure.REPEAT_VALUE:
        return float(value_before[high] - value_before[min(max(low, np.int64(1)), high)])
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
