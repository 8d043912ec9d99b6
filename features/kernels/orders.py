"""What each order of a customer is worth, and whether it counts, at an instant."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ADJUSTMENT, ORDER, OTHER
from features.kernels.columns import Entries, known_end

__all__ = ["any_purchase_between", "find_orders", "settle_orders"]


@njit(cache=True, nogil=True)
def find_orders(kind: NDArray[np.int8], begin: int, end: int, own: NDArray[np.int64]) -> int:
    """Find the entries begin to end - 1 of a customer that are orders or refunds, and return how many there are.

    Parameters
    ----------
    kind : int8
        Of `Entries`.
    begin, end : int
        Positions are counted from `begin`.
    own : int64
        Takes their positions, ascending.
    """
    n = 0
    for position in range(end - begin):
        # Without a branch, which would be foreseen wrongly as often as orders and other events take turns.
        own[n] = position
        n += kind[begin + position] != OTHER
    return n


@njit(cache=True, nogil=True, inline="always")
def settle_orders(
    kind: NDArray[np.int8],
    order: NDArray[np.int32],
    is_purchase: NDArray[np.bool_],
    value: NDArray[np.float64],
    begin: int,
    own: NDArray[np.int64],
    worth: NDArray[np.float64],
    counts: NDArray[np.bool_],
) -> bool:
    """Find what each order of a customer is worth, and whether it counts, after some of the entries.

    Parameters
    ----------
    kind, order, is_purchase, value
        Columns of `Entries`.
    begin : int
        Where the customer's entries begin; positions are counted from there.
    own : int64
        Positions of the entries to take in, by `find_orders`; those before them were.
    worth, counts
        Take the answers at the positions of the orders.

    Returns
    -------
    bool
        Whether any of these entries changed an order.
    """
    has_changed = False
    for position in own:
        entry = begin + position
        if kind[entry] == ORDER:
            worth[position] = value[entry]
            counts[position] = True
        elif kind[entry] == ADJUSTMENT:
            adjusted = order[entry]
            worth[adjusted] += value[entry]
            counts[adjusted] = is_purchase[entry]
            has_changed = True
    return has_changed


@njit(cache=True, nogil=True)
def any_purchase_between(entries: Entries, start: int, end: int, longest: int) -> NDArray[np.bool_]:
    """Whether each customer purchases at or after `start` and before `end`, by what is known at `end`."""
    offsets, occurred_at, kind = entries.offsets, entries.occurred_at, entries.kind
    order, is_purchase, value = entries.order, entries.is_purchase, entries.value
    n_customers = len(offsets) - 1
    out = np.zeros(n_customers, dtype=np.bool_)
    own = np.empty(longest, dtype=np.int64)
    worth = np.empty(longest)
    counts = np.empty(longest, dtype=np.bool_)
    for customer in range(n_customers):
        begin = offsets[customer]
        until = known_end(offsets, occurred_at, customer, end)
        n = find_orders(kind, begin, until, own)
        settle_orders(kind, order, is_purchase, value, begin, own[:n], worth, counts)
        for position in own[:n]:
            entry = begin + position
            if occurred_at[entry] >= start and kind[entry] == ORDER and counts[position]:
                out[customer] = True
                break
    return out
