"""When events are said to have happened: clocks and time zones, years long past, too much at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from store.checkup.finding import Finding, percent
from store.checkup.sample import EventSample
from store.tables.base import from_microseconds, to_microseconds

__all__ = ["at_one_instant", "before_1990", "busy_customers", "clock_skew"]

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_HALF_HOUR = 30 * _MINUTE
_DAY = 48 * _HALF_HOUR

# A clock that is a little ahead is set right when events are stored and harms nobody.
_NOTABLY_AHEAD = _MINUTE
_FEWEST_AHEAD, _LEAST_SHARE_AHEAD = 10, 0.01

# Zones are up to 14 hours from UTC, in whole and half hours mostly. A file comes in one go and says nothing here.
_FURTHEST_ZONE = 14 * 2 * _HALF_HOUR
_NEAR = 5 * _MINUTE
_FEWEST_LAGS, _FEWEST_RECEIPTS, _LEAST_SHARE_OF_LAGS = 50, 20, 0.5

_FIRST_PLAUSIBLE = to_microseconds(datetime(1990, 1, 1, tzinfo=UTC))

_FEWEST_AT_ONCE, _LEAST_SHARE_AT_ONCE, _TIMES_THE_TYPICAL = 500, 0.02, 50

_MOST_EVENTS_A_DAY = 1_000
_CUSTOMERS_NAMED = 3


def clock_skew(events: EventSample) -> Iterator[Finding]:
    """Yield sources whose times are off by a time zone, and those whose clock runs ahead."""
    for source, mine in events.by_source():
        reported, received = events.reported_at[mine], events.received_at[mine]
        zone = _zone_off(received - reported, reported, received)
        if zone is not None:
            yield _time_zone(source, *zone)
            continue
        ahead = (reported - received)[reported - received > _NOTABLY_AHEAD]
        if len(ahead) < _FEWEST_AHEAD or len(ahead) < _LEAST_SHARE_AHEAD * len(mine):
            continue
        minutes = float(np.median(ahead)) / _MINUTE
        yield Finding(
            "clock_ahead",
            "warning",
            source,
            f"{percent(len(ahead) / len(mine))} of its events came with a time more than a minute ahead of when they "
            f"were received ({len(ahead):,} of {len(mine):,}), half of them by {minutes:,.0f} minutes or more. They "
            "are stored at the time of receipt.",
            "Set the sender's clock by a time server, or let its client send sentAt, by which times are corrected.",
            {
                "ahead": len(ahead),
                "events": len(mine),
                "share": round(len(ahead) / len(mine), 4),
                "median_minutes": round(minutes, 1),
            },
        )


def _zone_off(
    lag: NDArray[np.int64], reported: NDArray[np.int64], received: NDArray[np.int64]
) -> tuple[float, int, int] | None:
    """Return by how many hours times lag (below 0: run ahead), how many events do, and of how many; None if not."""
    # Times on the half hour are mostly days or shifts, not moments.
    moments = (np.abs(lag) <= _FURTHEST_ZONE + _NEAR) & (reported % _HALF_HOUR != 0)
    n = int(np.count_nonzero(moments))
    if n < _FEWEST_LAGS or len(np.unique(received[moments])) < _FEWEST_RECEIPTS:
        return None
    off = round(float(np.median(lag[moments])) / _HALF_HOUR) * _HALF_HOUR
    near = int(np.count_nonzero(np.abs(lag[moments] - off) <= _NEAR))
    return (off / (2 * _HALF_HOUR), near, n) if off and near >= _LEAST_SHARE_OF_LAGS * n else None


def _time_zone(source: str, hours: float, near: int, n: int) -> Finding:
    side = "before" if hours > 0 else "after"
    return Finding(
        "time_zone",
        "problem",
        source,
        f"Its events are said to happen {abs(hours):g} hours {side} they are received, to within 5 minutes, in "
        f"{percent(near / n)} of {n:,} events that came singly: a time zone was lost.",
        "Let the sender write times with their offset (2026-03-01T09:30:00+01:00) or in UTC with a Z. Days of "
        "purchases near midnight are wrong until then.",
        {"hours": hours, "events": n, "share": round(near / n, 4)},
    )


def before_1990(events: EventSample) -> Iterator[Finding]:
    """Yield sources with events so long past that no shop has them."""
    for source, mine in events.by_source(events.occurred_at < _FIRST_PLAUSIBLE):
        first = from_microseconds(int(events.occurred_at[mine].min()))
        yield Finding(
            "before_1990",
            "warning",
            source,
            f"{_events(len(mine))} said to have happened before 1990, the first on {first:%Y-%m-%d}.",
            "An empty or zero time is often written as 1970-01-01 or 1900-01-01. Leave such rows out, or give their "
            "true times: they make customers look decades old.",
            {"events": len(mine), "first": f"{first:%Y-%m-%d}"},
        )


def at_one_instant(events: EventSample) -> Iterator[Finding]:
    """Yield sources with far more events at one instant than at their others: imports without times of their own."""
    for source, mine in events.by_source():
        instants, counts = np.unique(events.occurred_at[mine], return_counts=True)
        most = int(counts.max())
        is_alone = len(instants) == 1 and instants[0] % _DAY != 0
        stands_out = most >= _LEAST_SHARE_AT_ONCE * len(mine) and most >= _TIMES_THE_TYPICAL * np.median(counts)
        if most < _FEWEST_AT_ONCE or not (is_alone or stands_out):
            continue
        instant = from_microseconds(int(instants[counts.argmax()]))
        yield Finding(
            "one_instant",
            "warning",
            source,
            f"{most:,} of its {len(mine):,} events ({percent(most / len(mine))}) are said to have happened at one "
            f"instant, {instant:%Y-%m-%d %H:%M:%S} UTC.",
            "That is how an import looks whose rows have no time of their own. Ingest them with the times at which "
            "things happened: recency and rhythm of these customers are wrong.",
            {"events": most, "of": len(mine), "share": round(most / len(mine), 4), "instant": instant.isoformat()},
        )


def busy_customers(events: EventSample, ids_of: Callable[[Sequence[int]], Mapping[int, str]]) -> Iterator[Finding]:
    """Yield customers with more than a thousand events on one day: machines, mostly, or an id that many share.

    Parameters
    ----------
    events : EventSample
    ids_of : callable
        Gives the ids of customers, by key, of those who may be named.
    """
    if not len(events.event):
        return
    days = events.occurred_at // _DAY
    in_order = np.lexsort((days, events.customer))
    customer, days = events.customer[in_order], days[in_order]
    starts = np.flatnonzero((np.diff(customer, prepend=-1) != 0) | (np.diff(days, prepend=days[0]) != 0))
    counts = np.diff(starts, append=len(customer))
    busy = counts > _MOST_EVENTS_A_DAY
    if not busy.any():
        return
    by_count = np.argsort(-counts[busy], kind="stable")
    keys = customer[starts[busy]][by_count].tolist()
    customers = list(dict.fromkeys(keys))
    ids = ids_of(customers[:_CUSTOMERS_NAMED])
    named = ", ".join(ids[key] for key in customers[:_CUSTOMERS_NAMED] if key in ids)
    share = float(np.isin(events.customer, customers).mean())
    most = int(counts.max())
    yield Finding(
        "busy_customers",
        "warning",
        None,
        f"{len(customers):,} customer{'' if len(customers) == 1 else 's'} with more than {_MOST_EVENTS_A_DAY:,} events "
        f"on one day, {most:,} at the most; {percent(share)} of all events are theirs. The busiest: {named or '–'}.",
        "They are machines, testers, or one id that stands for many (such as “guest”). Stop the sender from telling "
        "of them, and erase them: regulars customers erase ID",
        {"customers": len(customers), "most_events_a_day": most, "share_of_events": round(share, 4)},
    )


def _events(n: int) -> str:
    return "One event is" if n == 1 else f"{n:,} events are"
