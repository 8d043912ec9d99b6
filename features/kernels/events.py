"""Events that are neither orders nor refunds, by family."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import OTHER
from features.kernels.columns import Entries
from features.kernels.windows import Windows, add_spans_beyond, span_at
from features.measure import Measure

__all__ = ["measure_events"]

# An event of a customer.
_EVENT = np.dtype(
    [
        ("position", np.int64),  # among all entries of the customer
        ("day", np.int64),
        ("family", np.int64),
        ("is_first_of_family", np.int64),  # on its day
        ("is_first_of_all", np.int64),
    ]
)
_Events = NDArray[np.void]


@njit(cache=True, nogil=True)
def measure_events(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    entries: Entries,
    windows: Windows,
    longest: int,
    family: NDArray[np.int64],
    n_families: int,
) -> None:
    """Run the program for each customer at each snapshot; no customer has more entries than `longest`.

    Events, and the days on which there were some, are counted by family from the oldest to each edge of windows; then a
    window is a difference of two counts.

    Parameters
    ----------
    family : int64, one a name of an event
        Number of its family; -1 for one that nothing asks for. In the program `n_families` stands for all events of
        all families, and `n_families + 1` for entries of any kind.
    """
    known, last_day, edges, span_of = windows.known, windows.last_day, windows.edges, windows.span_of
    offsets, day = entries.offsets, entries.day
    n_customers, n_snapshots = known.shape
    of_all = n_families
    own = np.empty(longest, dtype=_EVENT)
    day_before = np.empty(n_families + 2, dtype=np.int64)
    # By span, then measure (events, days with events), then family; and the last day in each span that has events.
    counts = np.empty((len(edges) + 1, 2, n_families + 2), dtype=np.int64)
    counts_of_span = counts.reshape(len(edges) + 1, -1)
    latest = np.empty((len(edges) + 1, n_families + 2), dtype=np.int64)
    for customer in range(n_customers):
        begin = offsets[customer]
        n_known = known[customer].max() if n_snapshots > 0 else 0
        n = _take_over(entries, begin, n_known, family, day_before, own)
        for i in range(n_snapshots):
            counts[:] = 0
            for j in range(n):
                if own[j].position >= known[customer, i]:
                    break
                span = span_at(span_of, last_day[i] - own[j].day)
                counts[span, 0, own[j].family] += 1
                counts[span, 1, own[j].family] += own[j].is_first_of_family
                latest[span, own[j].family] = own[j].day
                counts[span, 0, of_all] += 1
                counts[span, 1, of_all] += own[j].is_first_of_all
                latest[span, of_all] = own[j].day
            add_spans_beyond(counts_of_span)
            for row in range(len(program)):
                measure, newest, oldest = program[row, 0], program[row, 1], program[row, 2]
                column, of = program[row, 3], program[row, 4]
                if measure <= Measure.EVENT_DAYS:
                    of_measure = measure - Measure.EVENTS
                    out[column, customer, i] = counts[newest + 1, of_measure, of] - counts[oldest + 1, of_measure, of]
                elif measure == Measure.DAYS_SINCE_EVENT:
                    for span in range(newest + 1, oldest + 1):
                        if counts[span, 0, of] > counts[span + 1, 0, of]:
                            out[column, customer, i] = last_day[i] - latest[span, of]
                            break
                else:
                    for position in range(known[customer, i] - 1, -1, -1):
                        ago = last_day[i] - day[begin + position]
                        if ago >= edges[newest]:
                            if ago < edges[oldest]:
                                out[column, customer, i] = ago
                            break


@njit(cache=True, nogil=True)
def _take_over(
    entries: Entries,
    begin: int,
    n_known: int,
    family: NDArray[np.int64],
    day_before: NDArray[np.int64],
    own: _Events,
) -> int:
    """Copy the events among the first entries of a customer, and return how many there are.

    Those of no family that is asked for stand under the last number, as which nothing reads them.
    """
    of_all, of_none = len(day_before) - 2, len(day_before) - 1
    kind, event_type, day = entries.kind, entries.event_type, entries.day
    day_before[:] = np.iinfo(np.int64).min
    n = 0
    for position in range(n_known):
        entry = begin + position
        if kind[entry] != OTHER:
            continue
        of = family[event_type[entry]]
        if of < 0:
            of = of_none
        own[n].position = position
        own[n].day = day[entry]
        own[n].family = of
        own[n].is_first_of_family = day[entry] != day_before[of]
        own[n].is_first_of_all = day[entry] != day_before[of_all]
        day_before[of] = day[entry]
        day_before[of_all] = day[entry]
        n += 1
    return n
