"""What each order of a customer is worth, and whether it counts, at an instant."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ADJUSTMENT, ORDER
from features.kernels.columns import Entries, known_end

__all__ = ["any_purchase_between", "settle_orders"]


@njit(cache=True, nogil=True)
def settle_orders(
    entries: Entries, begin: int, start: int, end: int, worth: NDArray[np.float64], counts: NDArray[np.bool_]
) -> bool:
    """Find what each order of a customer is worth, and whether it counts, after some of the entries.

    Parameters
    ----------
    entries : Entries
    begin : int
        Where the customer's entries begin; positions are counted from there.
    start, end : int
        Those at positions start to end - 1 are taken in; those before `start` were.
    worth, counts
        Take the answers at the positions of the orders.

    Returns
    -------
    bool
        Whether any of these entries changed an order.
    """
    kind, order, is_purchase, value = entries.kind, entries.order, entries.is_purchase, entries.value
    has_changed = False
    for i in range(start, end):
        if kind[begin + i] == ORDER:
            worth[i] = value[begin + i]
            counts[i] = True
        elif kind[begin + i] == ADJUSTMENT:
            adjusted = order[begin + i]
            worth[adjusted] += value[begin + i]
            counts[adjusted] = is_purchase[begin + i]
            has_changed = True
    return has_changed


@njit(cache=True, nogil=True)
def any_purchase_between(entries: Entries, start: int, end: int, longest: int) -> NDArray[np.bool_]:
    """Whether each customer purchases at or after `start` and before `end`, by what is known at `end`."""
    offsets, occurred_at, kind = entries.offsets, entries.occurred_at, entries.kind
    n_customers = len(offsets) - 1
    out = np.zeros(n_customers, dtype=np.bool_)
    worth = np.empty(longest)
    counts = np.empty(longest, dtype=np.bool_)
    for customer in range(n_customers):
        begin = offsets[customer]
        until = known_end(offsets, occurred_at, customer, end)
        settle_orders(entries, begin, 0, until - begin, worth, counts)
        for entry in range(begin, until):
            if occurred_at[entry] >= start and kind[entry] == ORDER and counts[entry - begin]:
                out[customer] = True
                break
    return out
