"""Which entries of a log are the event that a target asks for, by what is known of orders at an instant."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.conditions import VALUE, meeting
from features.event_log import ADJUSTMENT, ORDER, OTHER, EventLog
from features.targets import Target
from features.windows import Snapshot

__all__ = ["happened", "settled"]

_FloatArray = NDArray[np.float64]
_BoolArray = NDArray[np.bool_]


def happened(target: Target, log: EventLog, known_at: Snapshot) -> NDArray[np.bool_]:
    """Whether each entry of a log is the event of a target, by what is known at an instant.

    A completed order counts if it is a purchase then, with what it is worth then. A refund counts with what it takes
    back, as a positive value; one that takes from several orders is judged for each of them.

    Parameters
    ----------
    target : Target
        Of kind `event`.
    log : EventLog
        Read with the properties of this event, if a condition looks at them.
    known_at : Snapshot
        What the entries at or after its instant are is of no meaning.

    Returns
    -------
    bool, one an entry
    """
    if target.event not in log.event_types:
        return np.zeros(len(log.day), dtype=np.bool_)
    counts: _BoolArray = log.event_type == log.event_types.index(target.event)
    of_value = [condition for condition in target.where if condition.property == VALUE]
    of_properties = tuple(condition for condition in target.where if condition.property != VALUE)
    value = log.value
    if (counts & (log.kind == ORDER)).any():
        # Its other entries are lines that came later, which are in what the order is worth.
        value, is_purchase = settled(log, known_at)
        counts &= is_purchase
    elif of_value:
        value = np.where(log.kind == OTHER, log.value, -log.value)
    if of_properties:
        counts &= meeting(of_properties, log.property_texts)[log.properties]
    for condition in of_value:
        counts &= condition.holds_for_values(value)
    return counts


def settled(log: EventLog, known_at: Snapshot) -> tuple[_FloatArray, _BoolArray]:
    """Settle the orders of a log by what is known at an instant.

    Parameters
    ----------
    log : EventLog
    known_at : Snapshot
        Entries at or after its instant are not looked at.

    Returns
    -------
    worth : float64, one an entry
        What the order that begins with this entry is worth; 0 if none does.
    is_purchase : bool, one an entry
        Whether an order begins with it that is not wholly refunded.
    """
    return _settle(log.offsets, log.occurred_at, log.kind, log.order, log.is_purchase, log.value, known_at.as_of)


@njit(cache=True)
def _settle(
    offsets: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    kind: NDArray[np.int8],
    order: NDArray[np.int32],
    is_purchase: _BoolArray,
    value: _FloatArray,
    as_of: int,
) -> tuple[_FloatArray, _BoolArray]:
    worth = np.zeros(len(kind))
    counts = np.zeros(len(kind), dtype=np.bool_)
    for customer in range(len(offsets) - 1):
        begin = offsets[customer]
        for entry in range(begin, offsets[customer + 1]):
            if occurred_at[entry] >= as_of:
                break
            if kind[entry] == ORDER:
                worth[entry] = value[entry]
                counts[entry] = True
            elif kind[entry] == ADJUSTMENT:
                worth[begin + order[entry]] += value[entry]
                counts[begin + order[entry]] = is_purchase[entry]
    return worth, counts
