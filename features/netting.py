"""Refunds and cancellations find the orders that they take back.

What comes in is facts, one row a line of an order or refund, or an event by itself. What goes out is the entries of an
`EventLog`. The rows of a customer are gone through in time, so that nothing before a refund changes, and what is
already there never depends on what comes later, nor on the order in which rows were stored.

A refund takes from its candidates, newest first, until it is used up:

1. the lines of the order that it names, if that order is earlier (those of its product only, if it names one);
2. else the customer's earlier lines of the same product;
3. else nothing: it is unmatched.

It takes quantity where both have one (and then the line's own value in proportion), else value, else the whole line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.calendar import LocalCalendar
from features.event_log import ADJUSTMENT, ORDER, OTHER, UNMATCHED_REFUND, EventLog

__all__ = ["NO_ORDER", "NO_PRODUCT", "ROW_ORDER", "ROW_OTHER", "ROW_REFUND", "RawEvents", "net"]

# What a row does. At one instant purchases come before refunds, so that dates without a time net as a person would.
ROW_ORDER = 0
ROW_REFUND = 1
ROW_OTHER = 2

NO_ORDER = 0
NO_PRODUCT = -1

_LEAST_QUANTITY = 1e-9
_LEAST_VALUE = 0.005  # half of the smallest coin of most currencies: what is left of a sum refunded in parts


@dataclass(frozen=True, slots=True, eq=False)
class RawEvents:
    """Stored facts of some customers, one element a row, in order of customer, then time, then identity.

    Attributes
    ----------
    customer_ids : tuple of str
        All customers, ascending by code point; those without rows included.
    customer : int64
        Position in `customer_ids`.
    occurred_at : int64
        Microseconds since 1970-01-01 UTC.
    action : int8
        `ROW_ORDER`, `ROW_REFUND` or `ROW_OTHER`.
    group : int64
        The same for all lines of one order.
    order_key : int64
        Hash of the order that it is or names; `NO_ORDER` without one.
    product : int64
        `NO_PRODUCT` without one.
    quantity, value : float64
        NaN without one; of a refund what it takes back, positive.
    event_type : int16
        Index into `event_types`.
    event_types : tuple of str
        Names of events.
    """

    customer_ids: tuple[str, ...]
    customer: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    action: NDArray[np.int8]
    group: NDArray[np.int64]
    order_key: NDArray[np.int64]
    product: NDArray[np.int64]
    quantity: NDArray[np.float64]
    value: NDArray[np.float64]
    event_type: NDArray[np.int16]
    event_types: tuple[str, ...]


class _Rows(NamedTuple):
    """The columns of `RawEvents` in the order in which they act, with groups numbered from 0."""

    occurred_at: NDArray[np.int64]
    action: NDArray[np.int8]
    group: NDArray[np.int64]
    order_key: NDArray[np.int64]
    product: NDArray[np.int64]
    quantity: NDArray[np.float64]
    value: NDArray[np.float64]
    event_type: NDArray[np.int16]


class _Entries(NamedTuple):
    """The columns of the `EventLog` to be filled; of length 0 while entries are only counted."""

    occurred_at: NDArray[np.int64]
    kind: NDArray[np.int8]
    order: NDArray[np.int32]
    is_purchase: NDArray[np.bool_]
    value: NDArray[np.float64]
    event_type: NDArray[np.int16]


class _Left(NamedTuple):
    """What is left of each line (first three) and order (the rest) while its customer is gone through."""

    is_open: NDArray[np.bool_]
    quantity: NDArray[np.float64]
    value: NDArray[np.float64]
    entry: NDArray[np.int64]  # the order's own entry within the customer, -1 before it
    first_at: NDArray[np.int64]
    open_lines: NDArray[np.int64]
    taken: NDArray[np.float64]  # by the present refund
    touched_by: NDArray[np.int64]  # the last refund that took from it
    touched: NDArray[np.int64]  # the orders that the present refund took from, as a list


def net(raw: RawEvents, calendar: LocalCalendar) -> tuple[EventLog, NDArray[np.bool_]]:
    """Let refunds find their orders.

    Parameters
    ----------
    raw : RawEvents
    calendar : LocalCalendar
        The time zone that cuts the days.

    Returns
    -------
    log : EventLog
    unmatched : bool, one element a row of `raw`
        Refunds that found no line, wholly or in part.
    """
    order = np.lexsort((raw.action, raw.occurred_at, raw.customer))
    rows = _Rows(
        occurred_at=raw.occurred_at[order],
        action=raw.action[order],
        group=np.unique(raw.group[order], return_inverse=True)[1].astype(np.int64),
        order_key=raw.order_key[order],
        product=raw.product[order],
        quantity=raw.quantity[order],
        value=raw.value[order],
        event_type=raw.event_type[order],
    )
    ends = np.searchsorted(raw.customer[order], np.arange(len(raw.customer_ids)), side="right")
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends))

    # Once to count, once to write: a refund may touch several orders, so the length is not known before.
    offsets, _ = _net_rows(starts, rows, _left(rows), _empty_entries(0))
    entries = _empty_entries(int(offsets[-1]))
    _, unmatched_in_order = _net_rows(starts, rows, _left(rows), entries)

    unmatched = np.empty_like(unmatched_in_order)
    unmatched[order] = unmatched_in_order
    log = EventLog(
        customer_ids=raw.customer_ids,
        offsets=offsets,
        occurred_at=entries.occurred_at,
        day=calendar.days(entries.occurred_at),
        kind=entries.kind,
        order=entries.order,
        is_purchase=entries.is_purchase,
        value=entries.value,
        event_type=entries.event_type,
        event_types=raw.event_types,
        calendar=calendar,
    )
    return log, unmatched


def _empty_entries(n: int) -> _Entries:
    return _Entries(
        occurred_at=np.empty(n, dtype=np.int64),
        kind=np.empty(n, dtype=np.int8),
        order=np.empty(n, dtype=np.int32),
        is_purchase=np.empty(n, dtype=np.bool_),
        value=np.empty(n, dtype=np.float64),
        event_type=np.empty(n, dtype=np.int16),
    )


def _left(rows: _Rows) -> _Left:
    n = len(rows.occurred_at)
    return _Left(
        is_open=np.zeros(n, dtype=np.bool_),
        quantity=rows.quantity.copy(),
        value=np.nan_to_num(rows.value, nan=0.0),
        entry=np.full(n, -1, dtype=np.int64),
        first_at=np.zeros(n, dtype=np.int64),
        open_lines=np.zeros(n, dtype=np.int64),
        taken=np.zeros(n),
        touched_by=np.full(n, -1, dtype=np.int64),
        touched=np.empty(n, dtype=np.int64),
    )


@njit(cache=True)
def _net_rows(
    starts: NDArray[np.int64], rows: _Rows, left: _Left, out: _Entries
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Go through each customer's rows in time and write the entries, or only count them if `out` is empty."""
    offsets = np.zeros(len(starts), dtype=np.int64)
    unmatched = np.zeros(len(rows.action), dtype=np.bool_)
    n = 0
    for customer in range(len(starts) - 1):
        first, begin = starts[customer], n
        for row in range(first, starts[customer + 1]):
            if rows.action[row] == ROW_ORDER:
                n = _add_line(row, begin, n, rows, left, out)
            elif rows.action[row] == ROW_REFUND:
                n_touched, rest, unmatched[row] = _take_back(row, first, rows, left)
                for order in left.touched[:n_touched]:
                    is_purchase = left.open_lines[order] > 0
                    n = _put(row, n, ADJUSTMENT, left.entry[order], is_purchase, -left.taken[order], rows, out)
                if unmatched[row]:
                    n = _put(row, n, UNMATCHED_REFUND, -1, False, -rest, rows, out)
            else:
                n = _put(row, n, OTHER, -1, False, left.value[row], rows, out)
        offsets[customer + 1] = n
    return offsets, unmatched


@njit(cache=True)
def _put(row: int, n: int, kind: int, order: int, is_purchase: bool, value: float, rows: _Rows, out: _Entries) -> int:
    """Write entry n, which happened with `row`, and return n + 1."""
    if len(out.value) > 0:
        out.occurred_at[n] = rows.occurred_at[row]
        out.kind[n] = kind
        out.order[n] = order
        out.is_purchase[n] = is_purchase
        out.value[n] = value
        out.event_type[n] = rows.event_type[row]
    return n + 1


@njit(cache=True)
def _add_line(row: int, begin: int, n: int, rows: _Rows, left: _Left, out: _Entries) -> int:
    """Begin an order with its earliest line, add a line of the same instant to it, or a later one as an adjustment."""
    order = rows.group[row]
    left.is_open[row] = True
    left.open_lines[order] += 1
    if left.entry[order] < 0:
        left.entry[order] = n - begin
        left.first_at[order] = rows.occurred_at[row]
        return _put(row, n, ORDER, n - begin, True, left.value[row], rows, out)
    if left.first_at[order] == rows.occurred_at[row]:
        if len(out.value) > 0:
            out.value[begin + left.entry[order]] += left.value[row]
        return n
    return _put(row, n, ADJUSTMENT, left.entry[order], True, left.value[row], rows, out)


@njit(cache=True)
def _take_back(row: int, first: int, rows: _Rows, left: _Left) -> tuple[int, float, bool]:
    """Let one refund take from its candidates.

    Returns
    -------
    n_touched : int
        Orders taken from, listed in `left.touched`, with what was taken in `left.taken`.
    rest : float
        Value of what found no line.
    is_unmatched : bool
    """
    by_quantity = not np.isnan(rows.quantity[row])
    by_value = not by_quantity and not np.isnan(rows.value[row])
    asked = rows.quantity[row] if by_quantity else left.value[row]
    least = _LEAST_QUANTITY if by_quantity else _LEAST_VALUE
    order_named = _find_order(row, first, rows)
    still, n_touched = asked, 0

    for line in range(row - 1, first - 1, -1):
        if (by_quantity or by_value) and still <= least and n_touched > 0:
            break
        if not left.is_open[line] or not _is_candidate(line, row, order_named, rows):
            continue
        amount = left.value[line]
        if by_quantity and not np.isnan(left.quantity[line]):
            share = min(still / left.quantity[line], 1.0)
            amount *= share
            still -= share * left.quantity[line]
            left.quantity[line] *= 1.0 - share
            left.is_open[line] = left.quantity[line] > _LEAST_QUANTITY
        elif by_quantity or by_value:
            # The line has no quantity, or the refund none: value goes for value.
            worth = still if by_value else rows.value[row] * still / asked
            amount = amount if np.isnan(worth) else min(amount, worth)
            still = still - amount if by_value else 0.0
            left.is_open[line] = left.value[line] - amount > _LEAST_VALUE
        else:
            left.is_open[line] = False
        left.value[line] -= amount

        order = rows.group[line]
        if left.touched_by[order] != row:
            left.touched_by[order] = row
            left.taken[order] = 0.0
            left.touched[n_touched] = order
            n_touched += 1
        left.taken[order] += amount
        if not left.is_open[line]:
            left.open_lines[order] -= 1

    is_unmatched = n_touched == 0 or ((by_quantity or by_value) and still > least)
    rest = left.value[row]
    if asked > 0.0 and n_touched > 0:
        rest *= still / asked
    return n_touched, rest, is_unmatched


@njit(cache=True)
def _find_order(row: int, first: int, rows: _Rows) -> int:
    """Return the group of the earlier order that a refund names, -1 if there is none."""
    if rows.order_key[row] != NO_ORDER:
        for earlier in range(row - 1, first - 1, -1):
            if rows.action[earlier] == ROW_ORDER and rows.order_key[earlier] == rows.order_key[row]:
                return int(rows.group[earlier])
    return -1


@njit(cache=True)
def _is_candidate(line: int, row: int, order_named: int, rows: _Rows) -> bool:
    """Whether a refund may take from an open line."""
    same_product = bool(rows.product[line] == rows.product[row])
    if order_named >= 0:
        # An order stored as one sum has no products to tell apart.
        anonymous = rows.product[row] == NO_PRODUCT or rows.product[line] == NO_PRODUCT
        return bool(rows.group[line] == order_named) and (anonymous or same_product)
    return bool(rows.product[row] != NO_PRODUCT) and same_product
