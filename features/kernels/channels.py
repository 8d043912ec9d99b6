"""Channels through which a customer came, and how evenly."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels.columns import Entries, known_end
from features.measure import Measure

__all__ = ["measure_channels"]


@njit(cache=True, nogil=True)
def measure_channels(
    out: NDArray[np.float64],
    program: NDArray[np.int64],
    entries: Entries,
    as_of: int,
    last_day: int,
    n_channels: int,
) -> None:
    """Run the program for each customer."""
    uses = np.zeros(n_channels, dtype=np.int64)
    used = np.empty(n_channels, dtype=np.int64)  # the channels in the order of their first use
    offsets, occurred_at, day, channel = entries.offsets, entries.occurred_at, entries.day, entries.channel
    for customer in range(len(offsets) - 1):
        begin = offsets[customer]
        end = known_end(offsets, occurred_at, customer, as_of)
        for row in range(len(program)):
            measure, newest, oldest, column = program[row, :4]
            n, total, most = 0, 0, 0
            for entry in range(begin, end):
                through = channel[entry]
                if through >= 0 and newest <= last_day - day[entry] < oldest:
                    if uses[through] == 0:
                        used[n] = through
                        n += 1
                    uses[through] += 1
                    most = max(most, uses[through])
                    total += 1
            if measure == Measure.CHANNELS:
                out[customer, column] = n
            elif total > 0 and measure == Measure.CHANNEL_TOP_SHARE:
                out[customer, column] = most / total
            elif total > 0:
                # Summed in the order of first use, so that the bits don't depend on how channels are numbered. Equal to
                # -sum p log p (Shannon, 1948, section 6), and exactly 0 of one channel.
                entropy = 0.0
                for i in range(n):
                    entropy += uses[used[i]] / total * np.log(total / uses[used[i]])
                out[customer, column] = entropy
            for i in range(n):
                uses[used[i]] = 0
