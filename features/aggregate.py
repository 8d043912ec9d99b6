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

from features.event_log import EventLog
from features.kernels.channels import measure_channels
from features.kernels.columns import entries_of, lines_of
from features.kernels.events import measure_events
from features.kernels.lines import measure_lines
from features.kernels.orders import any_purchase_between
from features.kernels.purchase_times import measure_purchase_times
from features.kernels.purchases import measure_purchases
from features.kernels.refunds import measure_refunds
from features.measure import Measure
from features.reference import NOTHING, Reference
from features.slug import slug
from features.windows import Snapshot

__all__ = ["Aggregate", "Measure", "Program", "aggregate", "purchased_between"]

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
    purchases, purchase_times, events, lines, refunds, channels : int64, shape (n, 5)
        What each loop is to measure: which, newest and oldest day of the window counted back, column, family.
    """

    n_aggregates: int
    families: tuple[str, ...]
    purchases: NDArray[np.int64]
    purchase_times: NDArray[np.int64]
    events: NDArray[np.int64]
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

        return cls(
            n_aggregates=len(aggregates),
            families=families,
            purchases=among(Measure.PURCHASE_DAYS, Measure.YEAR_PHASE),
            purchase_times=among(Measure.PREFERRED_WEEKDAY, Measure.FIRST_MONTH),
            events=among(Measure.EVENTS, Measure.DAYS_SINCE_ANYTHING),
            lines=among(Measure.LINES, Measure.PRICE_LEVEL),
            refunds=among(Measure.REFUNDS, Measure.ORDERED_VALUE),
            channels=among(Measure.CHANNELS, Measure.CHANNEL_ENTROPY),
        )


def aggregate(
    log: EventLog,
    snapshot: Snapshot,
    aggregates: Program | Sequence[Aggregate],
    reference: Reference = NOTHING,
) -> NDArray[np.float64]:
    """Measure every customer of a log at one snapshot.

    Parameters
    ----------
    log : EventLog
    snapshot : Snapshot
        Entries at or after its `as_of` are not looked at.
    aggregates : Program or sequence of Aggregate
        A program where it is used again.
    reference : Reference
        For what prices are usual.

    Returns
    -------
    float64, shape (n_customers, n_aggregates)
        By `Measure`; NaN for what a customer has nothing to measure by.
    """
    program = aggregates if isinstance(aggregates, Program) else Program.of(aggregates)
    out = np.full((log.n_customers, program.n_aggregates), np.nan)
    entries, longest = entries_of(log), _longest(log.offsets)
    as_of, last_day = snapshot.as_of, snapshot.last_day
    if len(program.purchases):
        measure_purchases(out, program.purchases, entries, as_of, last_day, longest, _year_phase(snapshot))
    if len(program.purchase_times):
        hour = log.calendar.hours(log.occurred_at)
        measure_purchase_times(out, program.purchase_times, entries, as_of, last_day, longest, hour)
    if len(program.events):
        family = _families(log.event_types, program.families)
        measure_events(out, program.events, entries, as_of, last_day, longest, family, len(program.families))
    if len(program.refunds):
        measure_refunds(out, program.refunds, entries, as_of, last_day)
    if len(program.channels):
        measure_channels(out, program.channels, entries, as_of, last_day, len(log.channels))
    if len(program.lines):
        lines, names = lines_of(log.lines)
        usual = np.array([reference.unit_prices.get(name, np.nan) for name in names], dtype=np.float64)
        measure_lines(out, program.lines, lines, as_of, last_day, _longest(lines.offsets), usual)
    return out


def purchased_between(log: EventLog, start: Snapshot, end: Snapshot) -> NDArray[np.bool_]:
    """Whether each customer purchases at or after `start` and before `end`, by what is known at `end`.

    An order that is wholly refunded by then is none.

    Returns
    -------
    bool, length n_customers
    """
    return any_purchase_between(entries_of(log), start.as_of, end.as_of, _longest(log.offsets))


@lru_cache(maxsize=64)
def _families(event_types: tuple[str, ...], families: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the position in `families` of each event's family, -1 for one that is not among them."""
    number = {family: i for i, family in enumerate(families)}
    return np.array([number.get(slug(name), -1) for name in event_types], dtype=np.int64)


def _longest(offsets: NDArray[np.int64]) -> int:
    """Most rows of one customer."""
    return int(np.diff(offsets).max(initial=0))


def _year_phase(snapshot: Snapshot) -> float:
    date = snapshot.date
    first, following = date.replace(month=1, day=1), date.replace(year=date.year + 1, month=1, day=1)
    return (date - first) / (following - first)
