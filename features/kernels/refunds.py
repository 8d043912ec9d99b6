"""Refunds and cancellations, and what was ordered before them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ADJUSTMENT, ORDER, UNMATCHED_REFUND
from features.kernels.columns import Entries, known_end
from features.measure import Measure

__all__ = ["measure_refunds"]


@njit(cache=True, nogil=True)
def measure_refunds(
    out: NDArray[np.float64], program: NDArray[np.int64], entries: Entries, as_of: int, last_day: int
) -> None:
    """Run the program for each customer."""
    offsets, occurred_at, day = entries.offsets, entries.occurred_at, entries.day
    kind, order, value, event_type = entries.kind, entries.order, entries.value, entries.event_type
    for customer in range(len(offsets) - 1):
        begin = offsets[customer]
        end = known_end(offsets, occurred_at, customer, as_of)
        for row in range(len(program)):
            measure, newest, oldest, column = program[row, :4]
            ordered, refunded, refunds, last = 0.0, 0.0, 0, -1
            for entry in range(begin, end):
                # A late line, or an update, is an event of the same name as its order, to whose day it belongs.
                at = begin + order[entry] if kind[entry] == ADJUSTMENT else entry
                if kind[entry] == ORDER or (kind[entry] == ADJUSTMENT and event_type[entry] == event_type[at]):
                    if newest <= last_day - day[at] < oldest:
                        ordered += value[entry]
                elif kind[entry] in (ADJUSTMENT, UNMATCHED_REFUND) and newest <= last_day - day[entry] < oldest:
                    refunded -= value[entry]
                    if last < 0 or occurred_at[entry] != occurred_at[last]:
                        refunds += 1
                    last = entry
            if measure == Measure.REFUNDS:
                out[customer, column] = refunds
            elif measure == Measure.REFUNDED_VALUE:
                out[customer, column] = refunded
            elif measure == Measure.ORDERED_VALUE:
                out[customer, column] = ordered
            elif refunds > 0:
                out[customer, column] = last_day - day[last]
