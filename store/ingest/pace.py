"""How many rows a transaction takes, so that others who want to write wait no longer than a moment.

What a row costs depends on more than its kind: a line goes to the end of its table, an event to any page of two
indexes, of which ever more are touched as the tables grow, and the disk has its say at each commit. So time decides,
as it was measured with the transactions before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["FEWEST_ROWS", "FIRST_ROWS", "MOST_ROWS", "SECONDS_ALONE", "SECONDS_AMONG_OTHERS", "Pace"]

FEWEST_ROWS, FIRST_ROWS, MOST_ROWS = 1_024, 1_024, 4_096
# On SQLite every other writer waits; on PostgreSQL only one that writes the same keys.
SECONDS_ALONE, SECONDS_AMONG_OTHERS = 0.04, 0.25
# How much the last transaction counts: a disk that hesitates once should not make all later ones small.
_WEIGHT = 0.3


class Pace:
    """Follows how long transactions take.

    Parameters
    ----------
    seconds : float
        How long a transaction should take.
    clock : callable
        Seconds since some instant.

    Attributes
    ----------
    rows : int
        How many the next transaction is to take.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seconds_a_row = 0.0
        self.rows = min(FIRST_ROWS, MOST_ROWS)

    @contextmanager
    def of(self, n_rows: int) -> Iterator[Callable[[], None]]:
        """Measure a transaction of some rows; what is yielded is to be called once it holds its lock."""
        held_since = self._clock()

        def holds() -> None:
            nonlocal held_since
            held_since = self._clock()

        yield holds
        took = (self._clock() - held_since) / n_rows
        known = self._seconds_a_row or took
        self._seconds_a_row = max(known + _WEIGHT * (took - known), 1e-9)
        self.rows = max(FEWEST_ROWS, min(MOST_ROWS, int(self._seconds / self._seconds_a_row)))
