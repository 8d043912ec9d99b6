"""Events that are neither orders nor refunds, by family.

They are first folded into the days that have some, with running counts, so that a count over a window is a difference
of two of them, whatever the window's length.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import OTHER
from features.kernels.columns import Entries
from features.kernels.windows import Asked, Windows, days_beyond, sum_over_windows
from features.measure import Measure

__all__ = ["measure_events"]


@njit(cache=True, nogil=True)
def measure_events(
    out: NDArray[np.float64],
    asked: Asked,
    entries: Entries,
    windows: Windows,
    longest: int,
    family: NDArray[np.int64],
    n_families: int,
) -> None:
    """Run the program for each customer at each snapshot; no customer has more entries than `longest`.

    What was folded for one snapshot is continued for the next.

    Parameters
    ----------
    family : int64, one a name of an event
        Number of its family; -1 for one that nothing asks for. In the program `n_families` stands for all events of
        all families, and `n_families + 1` for entries of any kind.
    """
    edges, counts, others = asked.edges, asked.sums, asked.others
    known, last_day = windows.known, windows.last_day
    offsets, kind, event_type, day = entries.offsets, entries.kind, entries.event_type, entries.day
    n_customers, n_snapshots = known.shape
    # Nothing up to this day is in any window.
    day_before_all = last_day.min() - edges[-1] if n_snapshots > 0 else 0
    own = np.empty(longest, dtype=np.int64)
    # Of each day with events the day itself, and over those before it the events by family and the days with some.
    days = np.empty(longest, dtype=np.int64)
    before = np.empty((longest + 1, 2 * (n_families + 1)))
    before[0] = 0.0
    beyond = np.empty(len(edges), dtype=np.uintp)
    for customer in range(n_customers):
        begin = offsets[customer]
        n_own = 0
        for position in range(offsets[customer + 1] - begin):
            own[n_own] = position
            n_own += (kind[begin + position] == OTHER) & (day[begin + position] > day_before_all)
        folded, n = 0, 0
        for i in range(n_snapshots):
            n_known = known[customer, i]
            if folded > 0 and own[folded - 1] >= n_known:
                folded, n = 0, 0
            end = folded
            while end < n_own and own[end] < n_known:
                end += 1
            if end > folded:
                n = _fold_into_days(event_type, day, begin, own[folded:end], family, n_families, days, before, n)
                folded = end
            days_beyond(edges, last_day[i], days, n, beyond)
            sum_over_windows(out, customer, i, counts, before, beyond)
            for row in range(len(others)):
                measure, newest, oldest = others[row, 0], others[row, 1], others[row, 2]
                column, of = others[row, 3], others[row, 4]
                if measure == Measure.DAYS_SINCE_EVENT:
                    low, high = np.int64(beyond[oldest]), np.int64(beyond[newest])
                    if before[high, of] > before[low, of]:
                        # The first row that has as many as the last one of the window is that after the last event.
                        last = low + np.searchsorted(before[low : high + 1, of], before[high, of]) - 1
                        out[column, customer, i] = last_day[i] - days[last]
                else:
                    for entry in range(begin + n_known - 1, begin - 1, -1):
                        ago = last_day[i] - day[entry]
                        if ago >= edges[newest]:
                            if ago < edges[oldest]:
                                out[column, customer, i] = ago
                            break


@njit(cache=True, nogil=True, inline="always")
def _fold_into_days(
    event_type: NDArray[np.int16],
    day: NDArray[np.int32],
    begin: int,
    own: NDArray[np.int64],
    family: NDArray[np.int64],
    n_families: int,
    days: NDArray[np.int64],
    before: NDArray[np.float64],
    n: int,
) -> int:
    """Add a customer's events to the n days with events that those before them make.

    Days ascend; row n of `before` holds the counts over the first n: events by family and of all, then days with such
    events. Return how many there are then.
    """
    of_all, n_counted = n_families, n_families + 1
    for position in own:
        entry = begin + position
        if n == 0 or days[n - 1] != day[entry]:
            days[n] = day[entry]
            n += 1
            for of in range(2 * n_counted):
                before[n, of] = before[n - 1, of]
        before[n, of_all] += 1.0
        before[n, n_counted + of_all] = before[n - 1, n_counted + of_all] + 1.0
        of = family[event_type[entry]]
        if of >= 0:
            before[n, of] += 1.0
            before[n, n_counted + of] = before[n - 1, n_counted + of] + 1.0
    return n
