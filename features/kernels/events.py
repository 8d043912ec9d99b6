"""Events that are neither orders nor refunds, by family."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import OTHER
from features.kernels.columns import Entries
from features.measure import Measure

__all__ = ["measure_events"]

_NEVER = np.iinfo(np.int32).min  # a day


@njit(cache=True, nogil=True)
def measure_events(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    entries: Entries,
    ends: NDArray[np.int32],
    last_day: NDArray[np.int64],
    edges: NDArray[np.int64],
    family: NDArray[np.int64],
    n_families: int,
) -> None:
    """Run the program for each customer at each snapshot.

    For each family three things are kept up to the end of each window: how many events, on how many days, and the day
    of the last. So a window is a difference of two of them, however many windows there are.

    Parameters
    ----------
    family : int64, one a name of an event
        Number of its family; -1 for one that nothing asks for. In the program `n_families` stands for all events of
        all families, and `n_families + 1` for entries of any kind.
    """
    n_customers, n_edges, n_snapshots = ends.shape
    events = np.empty((n_families + 1, n_edges, n_snapshots), dtype=np.int32)
    event_days = np.empty_like(events)
    last_event = np.empty_like(events)
    flat = (n_families + 1, n_edges * n_snapshots)
    events_of, event_days_of, last_event_of = events.reshape(flat), event_days.reshape(flat), last_event.reshape(flat)
    day_before = np.empty(n_families + 1, dtype=np.int64)
    wants_days = np.zeros(n_families + 2, dtype=np.bool_)
    wants_last = np.zeros(n_families + 2, dtype=np.bool_)
    for row in range(len(program)):
        wants_days[program[row, 4]] |= program[row, 0] == Measure.EVENT_DAYS
        wants_last[program[row, 4]] |= program[row, 0] == Measure.DAYS_SINCE_EVENT
    offsets, day, kind, event_type = entries.offsets, entries.day, entries.kind, entries.event_type
    for customer in range(n_customers):
        begin = offsets[customer]
        own_ends = ends[customer].ravel()
        events[:] = 0
        event_days[:] = 0
        last_event[:] = _NEVER
        day_before[:] = _NEVER
        for position in range(own_ends.max()):
            if kind[begin + position] != OTHER:
                continue
            today = day[begin + position]
            for f in (family[event_type[begin + position]], n_families):
                if f < 0:
                    continue
                _add_before(events_of[f], own_ends, position)
                if wants_days[f] and today != day_before[f]:
                    _add_before(event_days_of[f], own_ends, position)
                    day_before[f] = today
                if wants_last[f]:
                    _set_before(last_event_of[f], own_ends, position, today)
        for row in range(len(program)):
            measure, newest, oldest = program[row, 0], program[row, 1], program[row, 2]
            column, of = program[row, 3], program[row, 4]
            if measure == Measure.EVENTS:
                for i in range(n_snapshots):
                    out[column, customer, i] = events[of, newest, i] - events[of, oldest, i]
            elif measure == Measure.EVENT_DAYS:
                for i in range(n_snapshots):
                    out[column, customer, i] = event_days[of, newest, i] - event_days[of, oldest, i]
            elif measure == Measure.DAYS_SINCE_EVENT:
                for i in range(n_snapshots):
                    ago = last_day[i] - last_event[of, newest, i]
                    out[column, customer, i] = ago if ago < edges[oldest] else np.nan
            else:
                for i in range(n_snapshots):
                    end = ends[customer, newest, i]
                    if end > ends[customer, oldest, i]:
                        out[column, customer, i] = last_day[i] - day[begin + end - 1]


@njit(cache=True, nogil=True)
def _add_before(counts: NDArray[np.int32], ends: NDArray[np.int32], position: int) -> None:
    """Count what is at a position in all that ends after it."""
    for i in range(len(ends)):
        counts[i] += position < ends[i]


@njit(cache=True, nogil=True)
def _set_before(days: NDArray[np.int32], ends: NDArray[np.int32], position: int, day: int) -> None:
    """Take a day as the last one in all that ends after a position."""
    for i in range(len(ends)):
        days[i] = day if position < ends[i] else days[i]
