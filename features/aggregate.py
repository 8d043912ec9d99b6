"""The few numbers of a customer that all features are made of, and how they are found.

A feature names `Aggregate`s; compiled loops (`features.kernels`) are driven by their codes, so that a new feature needs
no new loop. Each kind of data has a loop of its own, which runs only if something of it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from features.blocks import for_blocks
from features.event_log import EventLog
from features.kernels.channels import measure_channels
from features.kernels.columns import Entries, entries_of, lines_of
from features.kernels.events import measure_events
from features.kernels.lines import measure_lines
from features.kernels.orders import any_purchase_between
from features.kernels.purchase_times import measure_purchase_times
from features.kernels.purchases import measure_purchases
from features.kernels.refunds import measure_refunds
from features.kernels.windows import Asked, Windows, known_ends
from features.measure import Measure
from features.reference import NOTHING, Reference
from features.slug import slug
from features.windows import Snapshot

__all__ = ["Aggregate", "Measure", "Measuring", "Program", "aggregate", "aggregate_at", "purchased_between"]

_ALL_DAYS = 1_000_000


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One measure over one window.

    Attributes
    ----------
    measure : Measure
    days : int or None
        Length of the window in days; None for all that went before.
    ago : int
        Days between the end of the window and the snapshot; 0 for a window that ends with the snapshot.
    of : str or None
        Slug of the family of events that is meant; None for all events, and for what is not of events.
    """

    measure: Measure
    days: int | None = None
    ago: int = 0
    of: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Aggregates made ready for the compiled loops: once for many calls, since that takes longer than one customer.

    Attributes
    ----------
    n_aggregates : int
    families : tuple of str
        Slugs of the families of events that are asked for.
    purchases, events : Asked
        What the loops over purchases and events are to measure.
    purchase_times, lines, refunds, channels : int64, shape (n, 5)
        What each other loop is to measure: which, newest and oldest day of the window, column, family.
    """

    n_aggregates: int
    families: tuple[str, ...]
    purchases: Asked
    events: Asked
    purchase_times: NDArray[np.int64]
    lines: NDArray[np.int64]
    refunds: NDArray[np.int64]
    channels: NDArray[np.int64]

    @classmethod
    def of(cls, aggregates: Sequence[Aggregate]) -> Self:
        """Make some aggregates ready; their order is that of the columns."""
        families = tuple(sorted({a.of for a in aggregates if a.of is not None}))
        number = {family: i for i, family in enumerate((*families, None))}
        rows = np.array(
            [
                (
                    a.measure,
                    a.ago,
                    a.ago + a.days if a.days is not None else _ALL_DAYS,
                    column,
                    len(families) + 1 if a.measure == Measure.DAYS_SINCE_ANYTHING else number[a.of],
                )
                for column, a in enumerate(aggregates)
            ],
            dtype=np.int64,
        ).reshape(-1, 5)

        def among(first: Measure, last: Measure) -> NDArray[np.int64]:
            return rows[(rows[:, 0] >= first) & (rows[:, 0] <= last)]

        counts = among(Measure.EVENTS, Measure.EVENT_DAYS)
        counts[:, 0] = (counts[:, 0] - Measure.EVENTS) * (len(families) + 1) + counts[:, 4]
        return cls(
            n_aggregates=len(aggregates),
            families=families,
            purchases=_asked(
                among(Measure.PURCHASE_DAYS, Measure.VALUE), among(Measure.REPEAT_VALUE, Measure.YEAR_PHASE)
            ),
            events=_asked(counts, among(Measure.DAYS_SINCE_EVENT, Measure.DAYS_SINCE_ANYTHING)),
            purchase_times=among(Measure.PREFERRED_WEEKDAY, Measure.FIRST_MONTH),
            lines=among(Measure.LINES, Measure.PRICE_LEVEL),
            refunds=among(Measure.REFUNDS, Measure.ORDERED_VALUE),
            channels=among(Measure.CHANNELS, Measure.CHANNEL_ENTROPY),
        )


class Measuring:
    """A program made ready to measure the customers of a log at some snapshots, some customers at a time.

    Parameters
    ----------
    log : EventLog
    snapshots : sequence of Snapshot
        Entries at or after the `as_of` of each are not looked at for it.
    program : Program
    reference : Reference
        For what prices are usual.
    """

    def __init__(self, log: EventLog, snapshots: Sequence[Snapshot], program: Program, reference: Reference) -> None:
        self._log = log
        self._snapshots = snapshots
        self._program = program
        self._entries, self._longest = entries_of(log), _longest(log.offsets)
        self._as_of = np.array([snapshot.as_of for snapshot in snapshots], dtype=np.int64)
        self._last_day = np.array([snapshot.last_day for snapshot in snapshots], dtype=np.int64)
        self._year_phase = np.array([_year_phase(snapshot) for snapshot in snapshots])
        self._family = _families(log.event_types, program.families)
        if len(program.purchase_times):
            self._hour = log.calendar.hours(log.occurred_at)
        if len(program.lines):
            self._lines, names = lines_of(log.lines)
            self._longest_lines = _longest(log.lines.offsets)
            self._usual = np.array([reference.unit_prices.get(name, np.nan) for name in names], dtype=np.float64)

    def measure(self, first: int, end: int, out: NDArray[np.float64]) -> None:
        """Measure the customers at positions first to end - 1.

        Parameters
        ----------
        first, end : int
        out : float64, shape (n_aggregates, end - first, n_snapshots)
            Takes the measures; NaN for what a customer has nothing to measure by.
        """
        program = self._program
        out[:] = np.nan
        entries = self._entries._replace(offsets=self._entries.offsets[first : end + 1])
        if len(program.purchases.edges) or len(program.events.edges):
            windows = Windows(known_ends(entries.offsets, entries.occurred_at, self._as_of), self._last_day)
            if len(program.purchases.edges):
                measure_purchases(out, program.purchases, entries, windows, self._longest, self._year_phase)
            if len(program.events.edges):
                n_families = len(program.families)
                measure_events(out, program.events, entries, windows, self._longest, self._family, n_families)
        for i, snapshot in enumerate(self._snapshots):
            self._measure_the_rest(out[:, :, i].T, entries, snapshot, first, end)

    def _measure_the_rest(
        self, out: NDArray[np.float64], entries: Entries, snapshot: Snapshot, first: int, end: int
    ) -> None:
        """Measure what is looked for anew at each snapshot; `out` has one row a customer."""
        program, as_of, last_day = self._program, snapshot.as_of, snapshot.last_day
        if len(program.purchase_times):
            measure_purchase_times(out, program.purchase_times, entries, as_of, last_day, self._longest, self._hour)
        if len(program.refunds):
            measure_refunds(out, program.refunds, entries, as_of, last_day)
        if len(program.channels):
            measure_channels(out, program.channels, entries, as_of, last_day, len(self._log.channels))
        if len(program.lines):
            lines = self._lines._replace(offsets=self._lines.offsets[first : end + 1])
            measure_lines(out, program.lines, lines, as_of, last_day, self._longest_lines, self._usual)


def aggregate(
    log: EventLog,
    snapshot: Snapshot,
    aggregates: Program | Sequence[Aggregate],
    reference: Reference = NOTHING,
) -> NDArray[np.float64]:
    """Measure every customer of a log at one snapshot; see `aggregate_at`.

    Returns
    -------
    float64, shape (n_customers, n_aggregates)
    """
    measured: NDArray[np.float64] = aggregate_at(log, (snapshot,), aggregates, reference)[0]
    return measured


def aggregate_at(
    log: EventLog,
    snapshots: Sequence[Snapshot],
    aggregates: Program | Sequence[Aggregate],
    reference: Reference = NOTHING,
    *,
    num_threads: int = 1,
) -> NDArray[np.float64]:
    """Measure every customer of a log at some snapshots.

    Parameters
    ----------
    log : EventLog
    snapshots : sequence of Snapshot
        Entries at or after the `as_of` of each are not looked at for it.
    aggregates : Program or sequence of Aggregate
        A program where it is used again.
    reference : Reference
        For what prices are usual.
    num_threads : int
        Threads that share the customers; the result does not depend on it.

    Returns
    -------
    float64, shape (n_snapshots, n_customers, n_aggregates)
        By `Measure`; NaN for what a customer has nothing to measure by.
    """
    program = aggregates if isinstance(aggregates, Program) else Program.of(aggregates)
    out = np.empty((len(snapshots), log.n_customers, program.n_aggregates))
    measuring = Measuring(log, snapshots, program, reference)

    def measure(first: int, end: int) -> None:
        measured = np.empty((program.n_aggregates, end - first, len(snapshots)))
        measuring.measure(first, end, measured)
        out[:, first:end] = measured.transpose(2, 1, 0)

    for_blocks(log.n_customers, len(snapshots), measure, num_threads)
    return out


def purchased_between(log: EventLog, start: Snapshot, end: Snapshot) -> NDArray[np.bool_]:
    """Whether each customer purchases at or after `start` and before `end`, by what is known at `end`.

    An order that is wholly refunded by then is none.

    Returns
    -------
    bool, length n_customers
    """
    return any_purchase_between(entries_of(log), start.as_of, end.as_of, _longest(log.offsets))


def _asked(sums: NDArray[np.int64], others: NDArray[np.int64]) -> Asked:
    """Name the windows of sums and of other measures by the positions of their edges."""
    edges = np.unique(np.concatenate((sums[:, 1:3], others[:, 1:3])))
    for rows in (sums, others):
        rows[:, 1:3] = np.searchsorted(edges, rows[:, 1:3])
    return Asked(edges, sums[:, :4].astype(np.uintp), others)


@lru_cache(maxsize=64)
def _families(event_types: tuple[str, ...], families: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the position in `families` of each event's family, -1 for one that is not among them."""
    number = {family: i for i, family in enumerate(families)}
    return np.array([number.get(slug(name), -1) for name in event_types], dtype=np.int64)


def _longest(offsets: NDArray[np.int64]) -> int:
    """Most rows of one customer."""
    return int((offsets[1:] - offsets[:-1]).max(initial=0))  # np.diff takes longer than one customer should


def _year_phase(snapshot: Snapshot) -> float:
    date = snapshot.date
    first, following = date.replace(month=1, day=1), date.replace(year=date.year + 1, month=1, day=1)
    return (date - first) / (following - first)
