"""Events that are neither orders nor refunds, by family."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import OTHER
from features.kernels.columns import Entries, known_end
from features.measure import Measure

__all__ = ["measure_events"]


@njit(cache=True)
def measure_events(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    entries: Entries,
    as_of: int,
    last_day: int,
    longest: int,
    family: NDArray[np.int64],
    n_families: int,
) -> None:
    """Run the program for each customer, of whom none has more entries than `longest`.

    Entries are first dealt out to their families, each keeping its order in time; then a window is two binary searches.

    Parameters
    ----------
    family : int64, one a name of an event
        Number of its family; -1 for one that nothing asks for. In the program `n_families` stands for all events of
        all families, and `n_families + 1` for entries of any kind.
    """
    starts = np.empty(n_families + 2, dtype=np.int64)
    ends = np.empty(n_families + 2, dtype=np.int64)
    ago = np.empty(3 * longest, dtype=np.int64)
    days_before = np.empty(3 * longest, dtype=np.int64)  # distinct ones of the family, before the entry's own
    offsets, occurred_at = entries.offsets, entries.occurred_at
    for customer in range(len(offsets) - 1):
        begin = offsets[customer]
        end = known_end(offsets, occurred_at, customer, as_of)
        _deal_out(entries, begin, end, family, last_day, starts, ends, ago, days_before)
        for row in range(len(program)):
            measure, newest, oldest = program[row, 0], program[row, 1], program[row, 2]
            column, of = program[row, 3], program[row, 4]
            low = _first_below(ago, starts[of], ends[of], oldest)
            high = _first_below(ago, low, ends[of], newest)
            if measure == Measure.EVENTS:
                out[customer, column] = high - low
            elif measure == Measure.EVENT_DAYS:
                out[customer, column] = days_before[high - 1] - days_before[low] + 1 if low < high else 0
            elif low < high:
                out[customer, column] = ago[high - 1]


@njit(cache=True)
def _deal_out(
    entries: Entries,
    begin: int,
    end: int,
    family: NDArray[np.int64],
    last_day: int,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    ago: NDArray[np.int64],
    days_before: NDArray[np.int64],
) -> None:
    """Sort a customer's entries by family (counting sort): those of family f come to stand at `starts[f]:ends[f]`."""
    of_all, of_any_kind = len(ends) - 2, len(ends) - 1
    kind, event_type, day = entries.kind, entries.event_type, entries.day
    ends[:] = 0
    ends[of_any_kind] = end - begin
    for entry in range(begin, end):
        if kind[entry] == OTHER:
            ends[of_all] += 1
            f = family[event_type[entry]]
            if f >= 0:
                ends[f] += 1
    total = 0
    for f in range(len(ends)):
        starts[f] = total
        total += ends[f]
        ends[f] = starts[f]
    for entry in range(begin, end):
        is_event = kind[entry] == OTHER
        for f in (of_any_kind, of_all if is_event else -1, family[event_type[entry]] if is_event else -1):
            if f < 0:
                continue
            at = ends[f]
            ago[at] = last_day - day[entry]
            is_first = at == starts[f]
            days_before[at] = 0 if is_first else days_before[at - 1] + (ago[at - 1] != ago[at])
            ends[f] = at + 1


@njit(cache=True)
def _first_below(ago: NDArray[np.int64], start: int, end: int, bound: int) -> int:
    """Return the first position from `start` with fewer days ago than the bound, else `end`; `ago` descends."""
    while start < end:
        middle = (start + end) // 2
        if ago[middle] < bound:
            end = middle
        else:
            start = middle + 1
    return start
