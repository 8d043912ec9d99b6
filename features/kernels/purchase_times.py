"""The local days and hours at which a customer buys."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ORDER
from features.kernels.columns import Entries, known_end
from features.kernels.orders import find_orders, settle_orders
from features.measure import Measure

__all__ = ["measure_purchase_times"]

_SATURDAY = 5
_DAYS_A_WEEK = 7
_HOURS_A_DAY = 24

# Days since 1970-01-01 on which the months since January 1900 begin.
_MONTHS = np.arange("1900-01", "2100-01", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)


@njit(cache=True, nogil=True)
def measure_purchase_times(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    entries: Entries,
    as_of: int,
    last_day: int,
    longest: int,
    hour: NDArray[np.int8],
) -> None:
    """Run the program for each customer, of whom none has more entries than `longest`.

    Parameters
    ----------
    hour : int8, one an entry
        Local, 0 to 23.
    """
    own = np.empty(longest, dtype=np.int64)
    worth = np.empty(longest)
    counts = np.empty(longest, dtype=np.bool_)
    of_weekday = np.empty(_DAYS_A_WEEK, dtype=np.int64)
    of_hour = np.empty(_HOURS_A_DAY, dtype=np.int64)
    offsets, occurred_at, kind, day = entries.offsets, entries.occurred_at, entries.kind, entries.day
    order, is_purchase, value = entries.order, entries.is_purchase, entries.value
    for customer in range(len(offsets) - 1):
        begin = offsets[customer]
        end = known_end(offsets, occurred_at, customer, as_of)
        n_own = find_orders(kind, begin, end, own)
        settle_orders(kind, order, is_purchase, value, begin, own[:n_own], worth, counts)
        for row in range(len(program)):
            measure, newest, oldest, column = program[row, :4]
            of_weekday[:] = 0
            of_hour[:] = 0
            n, first_day = 0, 0
            for position in own[:n_own]:
                entry = begin + position
                if kind[entry] != ORDER or not counts[position]:
                    continue
                if newest <= last_day - day[entry] < oldest:
                    if n == 0:
                        first_day = day[entry]
                    of_weekday[_weekday(day[entry])] += 1
                    of_hour[hour[entry]] += 1
                    n += 1
            if n == 0:
                continue
            if measure == Measure.PREFERRED_WEEKDAY:
                out[customer, column] = np.argmax(of_weekday)
            elif measure == Measure.PREFERRED_WEEKDAY_SHARE:
                out[customer, column] = of_weekday.max() / n
            elif measure == Measure.WEEKEND_SHARE:
                out[customer, column] = of_weekday[_SATURDAY:].sum() / n
            elif measure == Measure.PREFERRED_HOUR:
                out[customer, column] = np.argmax(of_hour)
            else:
                out[customer, column] = (np.searchsorted(_MONTHS, first_day, side="right") - 1) % 12 + 1


@njit(cache=True, nogil=True)
def _weekday(day: int) -> int:
    """Return 0 for Monday to 6; 1970-01-01 was a Thursday."""
    return (day + 3) % _DAYS_A_WEEK
