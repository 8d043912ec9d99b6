"""Who may be asked about, and what came of it: eligibility and labels over [snapshot, snapshot + horizon).

A label is known at the end of its horizon: an order that is wholly refunded by then was none, and what is left of the
others is what they are worth. Nothing at or after that instant is looked at.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.aggregate import purchased_between
from features.build import FeatureFrame
from features.event_log import EventLog
from features.exceptions import TargetError
from features.occurrences import happened, settled
from features.targets import Target
from features.windows import Snapshot

__all__ = ["bought", "churned", "eligible", "eligible_for", "outcome"]

_FloatArray = NDArray[np.float64]
_BoolArray = NDArray[np.bool_]


def eligible(frame: FeatureFrame, activity_days: int) -> NDArray[np.bool_]:
    """Whether each customer purchased within the activity window before the snapshot.

    Parameters
    ----------
    frame : FeatureFrame
        Features at the snapshot.
    activity_days : int
        Length of the window, in days, at least 1.

    Returns
    -------
    bool, length n
        False for customers without purchases.
    """
    # A comparison with NaN is false, which is what a customer without purchases is.
    return frame["days_since_last_purchase"] < activity_days


def eligible_for(target: Target, log: EventLog, snapshot: Snapshot, frame: FeatureFrame) -> NDArray[np.bool_]:
    """Whether each customer may be asked about a target.

    Parameters
    ----------
    target : Target
        With its activity window.
    log : EventLog
    snapshot : Snapshot
        Nothing at or after its instant is looked at.
    frame : FeatureFrame
        Features of the log at the snapshot.

    Returns
    -------
    bool, length n_customers
        By kind: `event`, any entry within the activity window, and for churn the last thing that the customer did is
        not the event itself, since who has left can't leave; `label`, everybody; the others, a purchase within the
        activity window.

    Raises
    ------
    TargetError
        The target has no activity window.
    """
    if target.kind == "label":
        return np.ones(log.n_customers, dtype=np.bool_)
    if target.kind != "event":
        return eligible(frame, target.activity)
    has_left = happened(target, log, snapshot) if target.is_churn else np.zeros(len(log.day), dtype=np.bool_)
    return _active(log.offsets, log.occurred_at, log.day, has_left, snapshot.as_of, snapshot.last_day, target.activity)


def outcome(
    target: Target, log: EventLog, snapshot: Snapshot, frame: FeatureFrame, end: Snapshot | None = None
) -> NDArray[np.float64]:
    """Label of a target: 1 where it comes about within the horizon, else 0.

    Parameters
    ----------
    target : Target
        With its horizon.
    log : EventLog
        Must reach to the end of the horizon.
    snapshot : Snapshot
        A midnight, unless `end` is given.
    frame : FeatureFrame
        Features of the log at the snapshot; an upsell reads `expected_average_value`.
    end : Snapshot, optional
        Where the horizon ends; by default the midnight that many days after the snapshot.

    Returns
    -------
    float64, length n_customers
        By kind: `inactivity`, no purchase; `event`, an event that meets all conditions; `purchase`, any purchase;
        `upsell`, the mean value of the orders is above `ratio` x expected_average_value; `new_category`, a line of a
        purchase whose category on this level is none of those that the customer had purchased from before.

    Raises
    ------
    TargetError
        The target has no horizon, or its labels are supplied.
    """
    if target.kind == "label":
        raise TargetError(
            f"target {target.name!r}: kind: expected a target that events decide, got one whose labels are supplied; "
            "read them from their file"
        )
    end = snapshot.after(target.horizon, log.calendar) if end is None else end
    if target.kind == "inactivity":
        return 1.0 - purchased_between(log, snapshot, end).astype(np.float64)
    if target.kind == "event":
        came = _any_between(log.offsets, log.occurred_at, happened(target, log, end), snapshot.as_of, end.as_of)
    elif target.kind == "purchase":
        came = purchased_between(log, snapshot, end)
    elif target.kind == "upsell":
        # Without an order the mean is NaN, and a comparison with it is false.
        came = _mean_order_value(log, snapshot, end) > target.ratio * frame["expected_average_value"]
    else:
        came = _enters_category(target.level, log, snapshot, end)
    return came.astype(np.float64)


def bought(log: EventLog, snapshot: Snapshot, horizon_days: int) -> NDArray[np.bool_]:
    """Whether each customer purchases within the horizon, as known at its end, length n_customers."""
    return purchased_between(log, snapshot, snapshot.after(horizon_days, log.calendar))


def churned(log: EventLog, snapshot: Snapshot, horizon_days: int) -> NDArray[np.float64]:
    """Label of churn by inactivity: 1 without a purchase within the horizon, else 0.

    Parameters
    ----------
    log : EventLog
        Must reach to the end of the horizon.
    snapshot : Snapshot
        A midnight.
    horizon_days : int
        Length of the label interval [snapshot, snapshot + horizon), in days.

    Returns
    -------
    float64, length n_customers
    """
    return 1.0 - bought(log, snapshot, horizon_days).astype(np.float64)


def _mean_order_value(log: EventLog, start: Snapshot, end: Snapshot) -> _FloatArray:
    """Return the mean value of each customer's orders between two instants, as known at the second; NaN of none."""
    worth, is_purchase = settled(log, end)
    return _mean_between(log.offsets, log.occurred_at, worth, is_purchase, start.as_of, end.as_of)


def _enters_category(level: str | None, log: EventLog, start: Snapshot, end: Snapshot) -> _BoolArray:
    """Whether each customer purchases from a category that is new to them."""
    codes, names = log.lines.level(level)
    # An order taken back before the snapshot made no customer of a category; one taken back by the end neither.
    before, by_end = settled(log, start)[1], settled(log, end)[1]
    return _any_new(
        log.lines.offsets,
        log.lines.occurred_at,
        log.lines.ordered_at,
        log.lines.until,
        log.offsets,
        log.lines.order,
        codes,
        len(names),
        before,
        by_end,
        start.as_of,
        end.as_of,
    )


@njit(cache=True)
def _active(
    offsets: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    day: NDArray[np.int32],
    has_left: _BoolArray,
    as_of: int,
    last_day: int,
    activity_days: int,
) -> _BoolArray:
    """Whether each customer's last entry is within the activity window, and none of that instant says they left."""
    out = np.zeros(len(offsets) - 1, dtype=np.bool_)
    for customer in range(len(out)):
        begin = offsets[customer]
        last = begin + np.searchsorted(occurred_at[begin : offsets[customer + 1]], as_of) - 1
        if last < begin or last_day - day[last] >= activity_days:
            continue
        out[customer] = True
        entry = last
        while entry >= begin and occurred_at[entry] == occurred_at[last]:
            if has_left[entry]:
                out[customer] = False
            entry -= 1
    return out


@njit(cache=True)
def _any_between(
    offsets: NDArray[np.int64], occurred_at: NDArray[np.int64], counts: _BoolArray, start: int, end: int
) -> _BoolArray:
    """Whether any entry of each customer with start <= occurred_at < end counts."""
    out = np.zeros(len(offsets) - 1, dtype=np.bool_)
    for customer in range(len(out)):
        begin = offsets[customer]
        entry = begin + np.searchsorted(occurred_at[begin : offsets[customer + 1]], start)
        while entry < offsets[customer + 1] and occurred_at[entry] < end:
            if counts[entry]:
                out[customer] = True
                break
            entry += 1
    return out


@njit(cache=True)
def _mean_between(
    offsets: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    worth: _FloatArray,
    counts: _BoolArray,
    start: int,
    end: int,
) -> _FloatArray:
    """Return the mean worth of each customer's entries that count, with start <= occurred_at < end."""
    out = np.full(len(offsets) - 1, np.nan)
    for customer in range(len(out)):
        begin = offsets[customer]
        entry = begin + np.searchsorted(occurred_at[begin : offsets[customer + 1]], start)
        total, n = 0.0, 0
        while entry < offsets[customer + 1] and occurred_at[entry] < end:
            if counts[entry]:
                total += worth[entry]
                n += 1
            entry += 1
        if n > 0:
            out[customer] = total / n
    return out


@njit(cache=True)
def _any_new(
    line_offsets: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    ordered_at: NDArray[np.int64],
    until: NDArray[np.int64],
    offsets: NDArray[np.int64],
    order: NDArray[np.int32],
    codes: NDArray[np.int32],
    n_codes: int,
    counts_at_start: _BoolArray,
    counts_at_end: _BoolArray,
    start: int,
    end: int,
) -> _BoolArray:
    """Whether a line between start and end has a code that no line of the customer's before start has."""
    out = np.zeros(len(offsets) - 1, dtype=np.bool_)
    known_of = np.full(n_codes, -1, dtype=np.int64)  # the last customer who is known to have each code
    for customer in range(len(out)):
        for line in range(line_offsets[customer], line_offsets[customer + 1]):
            if codes[line] < 0 or occurred_at[line] >= end:
                continue
            entry = offsets[customer] + order[line]
            # Of an order that was updated meanwhile, the lines that held at the instant in question.
            if occurred_at[line] < start:
                if until[line] >= start and counts_at_start[entry]:
                    known_of[codes[line]] = customer
            elif (
                ordered_at[line] >= start
                and until[line] >= end
                and counts_at_end[entry]
                and known_of[codes[line]] != customer
            ):
                out[customer] = True
                break
    return out
