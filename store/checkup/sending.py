"""How sources send: one that fell silent, what comes twice, what can't be taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np

from store.checkup.finding import Finding, percent
from store.checkup.sample import RejectedSample
from store.sources import HOURS_A_DAY, HOURS_A_WEEK, HourOfSource
from store.tables.base import MICROSECONDS_AN_HOUR, from_microseconds, to_microseconds

__all__ = ["duplicates", "rejected_rows", "silent_sources", "usual_gap"]

Hours = Mapping[str, Sequence[HourOfSource]]

# A source that has sent in a few hours only, or all on one day, has no rhythm: mostly files that were read in once.
_FEWEST_ACTIVE_HOURS = 5
_FEWEST_HOURS_BETWEEN = 2 * HOURS_A_DAY
_HOURS_OF_RHYTHM = 8 * HOURS_A_WEEK
_GAPS_OF_SILENCE = 3
# After that it is retired, and whoever retired it knows.
_RETIRED_AFTER_HOURS = 120 * HOURS_A_DAY

_HOURS_COUNTED = 30 * HOURS_A_DAY
_FEWEST_DUPLICATES, _LEAST_DUPLICATE_SHARE = 100, 0.1
_FEWEST_REJECTED, _LEAST_REJECTED_SHARE, _BAD_REJECTED_SHARE = 10, 0.01, 0.2
_CODES_NAMED = 3

_CUSTOMER_ID = "customer_id"
_WITHOUT_CUSTOMER = " What has no customer's id, such as orders of guests, can stay out: nobody is scored by it."


def silent_sources(hours: Hours, now: datetime) -> Iterator[Finding]:
    """Yield sources without an event for longer than three times their usual gap, and at least a day."""
    for source, all_hours in hours.items():
        active = [hour for hour in all_hours if hour.events]
        if not active:
            continue
        gap = usual_gap([hour.hour for hour in active])
        last = active[-1].last_received_at
        silence = (to_microseconds(now) - last) / MICROSECONDS_AN_HOUR
        if gap is None or silence > _RETIRED_AFTER_HOURS or silence <= max(_GAPS_OF_SILENCE * gap, HOURS_A_DAY):
            continue
        yield Finding(
            "silent_source",
            "problem",
            source,
            f"Nothing has come for {_duration(silence)}, since {from_microseconds(last):%Y-%m-%d %H:%M} UTC; its usual "
            f"gap is {_duration(gap)}.",
            "See whether the sender runs, whether its key was revoked (regulars keys list), and what answers it gets. "
            "Its customers look as if they were leaving.",
            {"silent_hours": round(silence, 1), "usual_gap_hours": round(gap, 1)},
        )


def usual_gap(hours: Sequence[int]) -> float | None:
    """Return the gap between active hours in which a moment falls on average, or None where there is no rhythm yet.

    A gap counts by its length, so that nights and weekends belong to the rhythm of a source that sends only during
    working hours, where the median would be an hour.

    Parameters
    ----------
    hours : sequence of int
        Active hours, ascending.

    Examples
    --------
    >>> usual_gap(range(0, 200))
    1.0
    >>> round(usual_gap([24 * day + hour for day in range(10) for hour in range(9, 18)]), 1)
    10.6
    """
    recent = [hour for hour in hours if hour > hours[-1] - _HOURS_OF_RHYTHM]
    if len(recent) < _FEWEST_ACTIVE_HOURS or recent[-1] - recent[0] < _FEWEST_HOURS_BETWEEN:
        return None
    gaps = np.diff(recent).astype(np.float64)
    return float((gaps**2).sum() / gaps.sum())


def duplicates(hours: Hours) -> Iterator[Finding]:
    """Yield sources that send much that is there already."""
    for source, of_source in _counted(hours):
        there, received = sum(hour.already_there for hour in of_source), sum(hour.received for hour in of_source)
        if there < _FEWEST_DUPLICATES or there < _LEAST_DUPLICATE_SHARE * received:
            continue
        yield Finding(
            "duplicates",
            "note",
            source,
            f"{percent(there / received)} of what came in its last 30 days was there already: {there:,} of "
            f"{received:,} rows.",
            "Nothing was stored twice. If no file was ingested again, the sender sends events more than once, or "
            "overlapping exports: it costs time only.",
            {"already_there": there, "received": received, "share": round(there / received, 4)},
        )


def rejected_rows(hours: Hours, kept: RejectedSample) -> Iterator[Finding]:
    """Yield sources of which much can't be taken, with the most frequent reasons."""
    for source, of_source in _counted(hours):
        rejected, received = sum(hour.rejected for hour in of_source), sum(hour.received for hour in of_source)
        if rejected < _FEWEST_REJECTED or rejected < _LEAST_REJECTED_SHARE * received:
            continue
        codes = kept.by_source.get(source, {})
        named = sorted(codes, key=lambda code: -codes[code][0])[:_CODES_NAMED]
        reasons = "; ".join(f"{code} {codes[code][0]:,} ({codes[code][1]})" for code in named)
        why = f" By reason, of those kept: {reasons}." if reasons else ""
        yield Finding(
            "rejected_rows",
            "problem" if rejected >= _BAD_REJECTED_SHARE * received else "warning",
            source,
            f"{percent(rejected / received)} of what came in its last 30 days was rejected: {rejected:,} of "
            f"{received:,} rows.{why}",
            "See the rows in the table rejected_row, mend the sender or the mapping, and send them again."
            + (_WITHOUT_CUSTOMER if _CUSTOMER_ID in named else ""),
            {
                "rejected": rejected,
                "received": received,
                "share": round(rejected / received, 4),
                **{f"code_{code}": codes[code][0] for code in named},
            },
        )


def _counted(hours: Hours) -> Iterator[tuple[str, list[HourOfSource]]]:
    """Yield each source that has sent with its last 30 days: its own, so that an import of last year is judged too."""
    for source, of_source in hours.items():
        if of_source:
            yield source, [hour for hour in of_source if hour.hour > of_source[-1].hour - _HOURS_COUNTED]


def _duration(hours: float) -> str:
    if hours < 2 * HOURS_A_DAY:
        return f"{max(round(hours), 1)} hour{'' if round(hours) <= 1 else 's'}"
    return f"{hours / HOURS_A_DAY:.1f} days"
