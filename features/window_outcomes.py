"""What came about for each customer within a window of its own, as known at that window's end."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ADJUSTMENT, ORDER, EventLog
from features.exceptions import CheckError

__all__ = ["happened_within", "purchases_within"]

_BoolArray = NDArray[np.bool_]
_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]


def purchases_within(log: EventLog, start: _IntArray, end: _IntArray) -> tuple[_BoolArray, _FloatArray]:
    """Tell who purchases within a window, and for how much.

    An order counts that begins within [start, end) and is not wholly refunded by the end, with what is left of it then.

    Parameters
    ----------
    log : EventLog
        Must reach to the end of each window.
    start, end : int64, length n_customers
        Microseconds since 1970-01-01 UTC.

    Returns
    -------
    purchased : bool, length n_customers
    value : float64, length n_customers
        Of the purchases, in the currency of the business; 0 without any.
    """
    _check(log, start, end)
    return _purchases(log.offsets, log.occurred_at, log.kind, log.order, log.is_purchase, log.value, start, end)


def happened_within(log: EventLog, event: str, start: _IntArray, end: _IntArray) -> _BoolArray:
    """Tell for whom an event of a name occurs within a window, bool of length n_customers."""
    _check(log, start, end)
    if event not in log.event_types:
        return np.zeros(log.n_customers, dtype=np.bool_)
    is_meant = log.event_type == log.event_types.index(event)
    return _happened(log.offsets, log.occurred_at, is_meant, start, end)


def _check(log: EventLog, start: _IntArray, end: _IntArray) -> None:
    if not len(start) == len(end) == log.n_customers:
        raise CheckError(
            f"expected one window for each of the {log.n_customers:,} customers, got {len(start):,} and {len(end):,}"
        )


@njit(cache=True)
def _purchases(
    offsets: _IntArray,
    occurred_at: _IntArray,
    kind: NDArray[np.int8],
    order: NDArray[np.int32],
    is_purchase: _BoolArray,
    value: _FloatArray,
    start: _IntArray,
    end: _IntArray,
) -> tuple[_BoolArray, _FloatArray]:
    purchased = np.zeros(len(offsets) - 1, dtype=np.bool_)
    total = np.zeros(len(offsets) - 1)
    worth = np.zeros(len(kind))
    counts = np.zeros(len(kind), dtype=np.bool_)
    for customer in range(len(offsets) - 1):
        begin, stop = offsets[customer], offsets[customer]
        while stop < offsets[customer + 1] and occurred_at[stop] < end[customer]:
            if kind[stop] == ORDER:
                worth[stop] = value[stop]
                counts[stop] = True
            elif kind[stop] == ADJUSTMENT:
                worth[begin + order[stop]] += value[stop]
                counts[begin + order[stop]] = is_purchase[stop]
            stop += 1
        for entry in range(begin, stop):
            if counts[entry] and occurred_at[entry] >= start[customer]:
                purchased[customer] = True
                total[customer] += worth[entry]
    return purchased, total


@njit(cache=True)
def _happened(
    offsets: _IntArray, occurred_at: _IntArray, is_meant: _BoolArray, start: _IntArray, end: _IntArray
) -> _BoolArray:
    out = np.zeros(len(offsets) - 1, dtype=np.bool_)
    for customer in range(len(out)):
        for entry in range(offsets[customer], offsets[customer + 1]):
            if occurred_at[entry] >= end[customer]:
                break
            if is_meant[entry] and occurred_at[entry] >= start[customer]:
                out[customer] = True
                break
    return out
