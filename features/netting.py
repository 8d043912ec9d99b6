"""Refunds and cancellations find the orders that they take back.

What comes in is facts, one row a line of an order or refund, or an event by itself. What goes out is the entries of an
`EventLog`, and beside them the lines of orders as they were ordered. The rows of a customer are gone through in time,
so that nothing before a refund changes, and what is already there never depends on what comes later, nor on the order
in which rows were stored.

A refund takes from its candidates, newest first, until it is used up:

1. the lines of the order that it names, if that order is earlier (those of its product only, if it names one);
2. else the customer's earlier lines of the same product;
3. else nothing: it is unmatched.

It takes quantity where both have one above 0 (and then the line's own value in proportion), else value for value, else
the whole: all lines of the order named, or the newest line of the product. Value for value, it passes over lines that
are worth nothing, and an order of which no value is left is wholly refunded, free lines and all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.calendar import LocalCalendar
from features.event_log import ADJUSTMENT, ORDER, OTHER, UNMATCHED_REFUND, EventLog
from features.line_log import LineLog
from features.raw_events import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, RawEvents

__all__ = ["NO_ORDER", "NO_PRODUCT", "ROW_ORDER", "ROW_OTHER", "ROW_REFUND", "RawEvents", "net"]

_LEAST_QUANTITY = 1e-9
_LEAST_VALUE = 0.005  # half of the smallest coin of most currencies: what is left of a sum refunded in parts


# What is gone through, in the order in which it acts: facts of a row, and, of an order's line, what is left of it.
_ROW = np.dtype(
    [
        ("occurred_at", np.int64),
        ("group", np.int64),  # from 0 to less than the number of rows
        ("order_key", np.int64),
        ("product", np.int64),
        ("quantity", np.float64),
        ("value", np.float64),
        ("quantity_left", np.float64),
        ("value_left", np.float64),
        ("properties", np.int32),
        ("event_type", np.int16),
        ("channel", np.int16),
        ("action", np.int8),
        ("is_open", np.bool_),
    ],
    align=True,
)

# What is left of an order, and what the present refund takes from it.
_ORDER = np.dtype(
    [
        ("entry", np.int64),  # its own entry within the customer, -1 before it
        ("first_at", np.int64),
        ("open_lines", np.int64),
        ("value_left", np.float64),
        ("taken", np.float64),
        ("touched_by", np.int64),  # the last refund that took from it
    ],
    align=True,
)

# The columns of the `EventLog` that netting decides.
_ENTRY = np.dtype(
    [
        ("occurred_at", np.int64),
        ("value", np.float64),
        ("order", np.int32),
        ("properties", np.int32),
        ("event_type", np.int16),
        ("channel", np.int16),
        ("kind", np.int8),
        ("is_purchase", np.bool_),
    ],
    align=True,
)

_Records = NDArray[np.void]


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
    in_order = _acting_order(raw)
    ends = np.searchsorted(raw.customer[in_order], np.arange(len(raw.customer_ids)), side="right")
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends))
    rows, orders = _rows(raw, in_order), _orders(len(in_order))
    # A line makes one entry and is used up once at most; a refund leaves one line half used and one rest at most.
    entries = np.empty(2 * len(rows), dtype=_ENTRY)
    offsets, unmatched_in_order = _net_rows(starts, rows, orders, entries)
    entries = entries[: offsets[-1]]

    unmatched = np.empty_like(unmatched_in_order)
    unmatched[in_order] = unmatched_in_order
    occurred_at = _column(entries, "occurred_at")
    log = EventLog(
        customer_ids=raw.customer_ids,
        offsets=offsets,
        occurred_at=occurred_at,
        day=calendar.days(occurred_at),
        kind=_column(entries, "kind"),
        order=_column(entries, "order"),
        is_purchase=_column(entries, "is_purchase"),
        value=_column(entries, "value"),
        event_type=_column(entries, "event_type"),
        event_types=raw.event_types,
        calendar=calendar,
        channel=_column(entries, "channel"),
        channels=raw.channels,
        properties=_column(entries, "properties"),
        property_texts=raw.property_texts,
        lines=_lines(raw, in_order, orders["entry"][rows["group"]], calendar),
    )
    return log, unmatched


def _lines(raw: RawEvents, in_order: NDArray[np.int64], order: NDArray[np.int64], calendar: LocalCalendar) -> LineLog:
    """Pick the lines of orders from rows taken in the order in which they act, each with the entry of its order."""
    is_line = ((raw.action == ROW_ORDER) & raw.is_line)[in_order]
    rows = in_order[is_line]
    occurred_at = raw.occurred_at[rows]
    return LineLog(
        offsets=np.searchsorted(raw.customer[rows], np.arange(len(raw.customer_ids) + 1)),
        occurred_at=occurred_at,
        day=calendar.days(occurred_at),
        order=order[is_line].astype(np.int32),
        product=raw.product[rows].astype(np.int32),
        category=raw.category[rows].astype(np.int32),
        quantity=raw.quantity[rows],
        value=raw.value[rows],
        discount=raw.discount[rows],
        categories=raw.categories,
    )


def _acting_order(raw: RawEvents) -> NDArray[np.int64]:
    """Return the positions of rows by customer, time and action."""
    later = np.ones(max(len(raw.customer) - 1, 0), dtype=np.bool_)
    for column in (raw.action, raw.occurred_at, raw.customer):
        later = (column[1:] > column[:-1]) | (later & (column[1:] == column[:-1]))
    if later.all():  # as mostly: to see it takes a tenth of sorting
        return np.arange(len(raw.customer))
    return np.lexsort((raw.action, raw.occurred_at, raw.customer))


def _numbered(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number groups from 0 to less than the number of rows, unless they are."""
    if len(groups) and groups.min() >= 0 and groups.max() < len(groups):
        return groups
    return np.unique(groups, return_inverse=True)[1]


def _rows(raw: RawEvents, in_order: NDArray[np.int64]) -> _Records:
    rows = np.zeros(len(in_order), dtype=_ROW)
    for name in (
        *("occurred_at", "action", "order_key", "product", "quantity", "value"),
        *("event_type", "channel", "properties"),
    ):
        rows[name] = getattr(raw, name)[in_order]
    rows["group"] = _numbered(raw.group)[in_order]
    rows["quantity_left"] = rows["quantity"]
    rows["value_left"] = np.nan_to_num(rows["value"], nan=0.0)
    return rows


def _orders(n: int) -> _Records:
    orders = np.zeros(n, dtype=_ORDER)
    orders["entry"] = -1
    orders["touched_by"] = -1
    return orders


def _column(records: _Records, name: str) -> NDArray[Any]:
    return np.ascontiguousarray(records[name])


@njit(cache=True)
def _net_rows(
    starts: NDArray[np.int64], rows: _Records, orders: _Records, out: _Records
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Go through each customer's rows in time and write the entries."""
    offsets = np.zeros(len(starts), dtype=np.int64)
    unmatched = np.zeros(len(rows), dtype=np.bool_)
    touched = np.empty(len(rows), dtype=np.int64)  # the orders that the present refund takes from
    n = 0
    for customer in range(len(starts) - 1):
        first, begin = starts[customer], n
        for i in range(first, starts[customer + 1]):
            row = rows[i]
            if row.action == ROW_ORDER:
                n = _add_line(row, orders[row.group], begin, n, out)
            elif row.action == ROW_REFUND:
                n_touched, rest, unmatched[i] = _take_back(i, first, rows, orders, touched)
                for group in touched[:n_touched]:
                    order = orders[group]
                    n = _put(row, n, ADJUSTMENT, order.entry, order.open_lines > 0, -order.taken, out)
                if unmatched[i]:
                    n = _put(row, n, UNMATCHED_REFUND, -1, False, -rest, out)
            else:
                n = _put(row, n, OTHER, -1, False, row.value_left, out)
        offsets[customer + 1] = n
    return offsets, unmatched


@njit(cache=True)
def _put(row: Any, n: int, kind: int, order: int, is_purchase: bool, value: float, out: _Records) -> int:
    """Write entry n, which happened with `row`, and return n + 1."""
    entry = out[n]
    entry.occurred_at = row.occurred_at
    entry.event_type = row.event_type
    entry.channel = row.channel
    entry.properties = row.properties
    entry.kind = kind
    entry.order = order
    entry.is_purchase = is_purchase
    entry.value = value
    return n + 1


@njit(cache=True)
def _add_line(line: Any, order: Any, begin: int, n: int, out: _Records) -> int:
    """Begin an order with its earliest line, add a line of the same instant to it, or a later one as an adjustment."""
    line.is_open = True
    order.open_lines += 1
    order.value_left += line.value_left
    if order.entry < 0:
        order.entry = n - begin
        order.first_at = line.occurred_at
        return _put(line, n, ORDER, n - begin, True, line.value_left, out)
    if order.first_at == line.occurred_at:
        out[begin + order.entry].value += line.value_left
        return n
    return _put(line, n, ADJUSTMENT, order.entry, True, line.value_left, out)


@njit(cache=True)
def _take_back(
    at: int, first: int, rows: _Records, orders: _Records, touched: NDArray[np.int64]
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
    least = _LEAST_QUANTITY if by_quantity else _LEAST_VALUE
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
        if by_quantity and line.quantity > 0.0:
            pieces = min(still, line.quantity_left)
            amount = line.value_left * (pieces / line.quantity_left)
            line.quantity_left -= pieces
            _take(line, order, amount, line.quantity_left <= _LEAST_QUANTITY)
            still -= pieces
        elif np.isnan(refund.value):
            amount = line.value_left
            _take(line, order, amount, True)
            still = 0.0
        else:
            worth = refund.value * still / asked if asked > 0.0 else 0.0
            available = max(min(line.value_left, order.value_left), 0.0)
            if available <= _LEAST_VALUE < worth:
                continue
            amount = min(available, worth)
            _take(line, order, amount, line.value_left - amount <= _LEAST_VALUE)
            if order.value_left <= _LEAST_VALUE:
                _close(line.group, order, first, at, rows)
            still -= still * amount / worth if worth > 0.0 else still

        if order.touched_by != at:
            order.touched_by = at
            order.taken = 0.0
            touched[n_touched] = line.group
            n_touched += 1
        order.taken += amount

    rest = refund.value_left * (still / asked) if asked > 0.0 else refund.value_left
    return n_touched, rest, n_touched == 0 or still > least


@njit(cache=True)
def _take(line: Any, order: Any, amount: float, is_used_up: bool) -> None:
    """Lower what is left of a line and of its order."""
    line.value_left -= amount
    order.value_left -= amount
    if is_used_up:
        line.is_open = False
        order.open_lines -= 1


@njit(cache=True)
def _close(group: int, order: Any, first: int, end: int, rows: _Records) -> None:
    """Let an order be wholly refunded, whatever lines it has left."""
    order.open_lines = 0
    for i in range(first, end):
        if rows[i].group == group:
            rows[i].is_open = False


@njit(cache=True)
def _find_order(at: int, first: int, rows: _Records) -> int:
    """Return the group of the earlier order that a refund names, -1 if there is none."""
    key = rows[at].order_key
    if key != NO_ORDER:
        for i in range(at - 1, first - 1, -1):
            if rows[i].action == ROW_ORDER and rows[i].order_key == key:
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
