"""The order of stored rows: by customer, then time, then identity, so that it never depends on how they were stored.

Identities are compared only at instants at which a customer has several rows that did not come in order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.ragged import take_rows

__all__ = ["in_order"]


def in_order(
    customer: NDArray[np.int64], occurred_at: NDArray[np.int64], identity: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Return the positions of rows in their order.

    Parameters
    ----------
    customer : int64
    occurred_at : int64
    identity : uint64, shape (n, 2)
        First and last eight bytes; no two rows have the same.
    """
    order = _by_customer_and_time(customer, occurred_at)
    customer, occurred_at = customer[order], occurred_at[order]
    goes_on = (customer[1:] == customer[:-1]) & (occurred_at[1:] == occurred_at[:-1])
    if not goes_on.any():
        return order
    first, last = identity[order].T
    falls = (first[1:] < first[:-1]) | ((first[1:] == first[:-1]) & (last[1:] < last[:-1]))
    wrong = np.flatnonzero(goes_on & falls)
    if not len(wrong):
        return order
    instant = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(~goes_on)))
    is_mixed = np.zeros(instant[-1] + 1, dtype=np.bool_)
    is_mixed[instant[wrong]] = True
    mixed = np.flatnonzero(is_mixed[instant])
    order[mixed] = order[mixed][np.lexsort((last[mixed], first[mixed], instant[mixed]))]
    return order


def _by_customer_and_time(customer: NDArray[np.int64], occurred_at: NDArray[np.int64]) -> NDArray[np.int64]:
    changes = customer[1:] != customer[:-1]
    if not (~changes & (occurred_at[1:] < occurred_at[:-1])).any():
        # An index gives the rows of one customer after another, each in time: whole customers are put in order then.
        starts = np.concatenate((np.zeros(1, dtype=np.int64), np.flatnonzero(changes) + 1))[: len(customer)]
        customers = np.argsort(customer[starts])
        if (np.diff(customer[starts][customers]) > 0).all():
            return take_rows(np.append(starts, len(customer)), customers)[1]
    return np.lexsort((occurred_at, customer))
