"""What a refund takes from the orders before it.

It takes from its candidates, newest first, until it is used up:

1. the lines of the order that it names, if that order is earlier (those of its product only, if it names one);
2. else the customer's earlier lines of the same product;
3. else nothing: it is unmatched.

It takes quantity where both have one above 0 (and then the line's own value in proportion), else value for value, else
the whole: all lines of the order named, or the newest line of the product. Value for value, it passes over lines that
are worth nothing, and an order of which no value is left is wholly refunded, free lines and all.

The lines of an order that was told again after a refund stand for more than is left of it. They are taken as any, but
the order gives no more than it has, and all of that with its last line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.order_records import LEAST_QUANTITY, LEAST_VALUE, Records
from features.raw_events import NO_ORDER, NO_PRODUCT, ROW_UPDATE

__all__ = ["close", "take_back"]


@njit(cache=True)
def take_back(
    at: int, first: int, rows: Records, orders: Records, touched: NDArray[np.int64]
) -> tuple[int, float, bool]:
    """Let the refund in row `at` take from its candidates.

    Returns
    -------
    n_touched : int
        Orders taken from, listed in `touched`; each holds what was `taken`.
    rest : float
        Value of what found no line.
    is_unmatched : bool
    """
    refund = rows[at]
    by_quantity = refund.quantity > 0.0  # not so for NaN
    has_amount = by_quantity or not np.isnan(refund.value)
    asked = refund.quantity if by_quantity else (refund.value if has_amount else 1.0)
    least = LEAST_QUANTITY if by_quantity else LEAST_VALUE
    group_named = _find_order(at, first, rows)
    takes_all = group_named >= 0 and not has_amount
    still, n_touched = asked, 0

    for i in range(at - 1, first - 1, -1):
        if n_touched > 0 and still <= least and not takes_all:
            break
        line = rows[i]
        if not line.is_open or not _is_candidate(line, refund, group_named):
            continue
        order = orders[line.group]
        is_for_value = False
        if by_quantity and line.quantity > 0.0:
            pieces = min(still, line.quantity_left)
            amount = line.value_left * (pieces / line.quantity_left)
            line.quantity_left -= pieces
            lost = _take(line, order, amount, line.quantity_left <= LEAST_QUANTITY)
            still -= pieces
        elif np.isnan(refund.value):
            lost = _take(line, order, line.value_left, True)
            still = 0.0
        else:
            is_for_value = True
            worth = refund.value * still / asked if asked > 0.0 else 0.0
            available = max(min(line.value_left, order.value_left), 0.0)
            if available <= LEAST_VALUE < worth:
                continue
            amount = min(available, worth)
            lost = _take(line, order, amount, line.value_left - amount <= LEAST_VALUE)
            still -= still * amount / worth if worth > 0.0 else still
        if (is_for_value or order.owes) and order.value_left <= LEAST_VALUE:
            close(line.group, order, order.row, at, rows)

        if order.touched_by != at:
            order.touched_by = at
            order.taken = 0.0
            touched[n_touched] = line.group
            n_touched += 1
        order.taken += lost

    rest = refund.value_left * (still / asked) if asked > 0.0 else refund.value_left
    return n_touched, rest, n_touched == 0 or still > least


@njit(cache=True)
def close(group: int, order: Any, begin: int, end: int, rows: Records) -> None:
    """Let an order be wholly refunded, whatever lines it has left among the rows begin to end - 1."""
    order.open_lines = 0
    for i in range(begin, end):
        if rows[i].group == group:
            rows[i].is_open = False


@njit(cache=True)
def _take(line: Any, order: Any, amount: float, is_used_up: bool) -> float:
    """Lower what is left of a line and of its order; return what the order lost."""
    line.value_left -= amount
    if is_used_up:
        line.is_open = False
        order.open_lines -= 1
    lost = amount
    if order.owes:
        lost = order.value_left if order.open_lines == 0 else min(amount, max(order.value_left, 0.0))
    order.value_left -= lost
    order.taken_back += lost
    return lost


@njit(cache=True)
def _find_order(at: int, first: int, rows: Records) -> int:
    """Return the group of the earlier order that a refund names, -1 if there is none."""
    key = rows[at].order_key
    if key != NO_ORDER:
        for i in range(at - 1, first - 1, -1):
            if rows[i].action <= ROW_UPDATE and rows[i].order_key == key:
                return int(rows[i].group)
    return -1


@njit(cache=True)
def _is_candidate(line: Any, refund: Any, group_named: int) -> bool:
    """Whether a refund may take from an open line."""
    same_product = bool(line.product == refund.product)
    if group_named >= 0:
        # An order stored as one sum has no products to tell apart.
        anonymous = refund.product == NO_PRODUCT or line.product == NO_PRODUCT
        return bool(line.group == group_named) and (anonymous or same_product)
    return bool(refund.product != NO_PRODUCT) and same_product
