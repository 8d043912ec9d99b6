"""Orders as they stand after what updates, refunds and cancellations did to them.

What comes in is facts, one row a line of an order, update or refund, or an event by itself. What goes out is the
entries of an `EventLog`, and beside them the lines of orders as they were ordered. The rows of a customer are gone
through in time, so that nothing before an update or a refund changes, and what is already there never depends on what
comes later, nor on the order in which rows were stored. `features/order_telling.py` has the rules of orders and their
updates, `features/refund_taking.py` those of refunds.

An update that names no order, or a row of one that has neither product nor quantity nor value, changes nothing: it is
kept as something else that the customer did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.calendar import LocalCalendar
from features.event_log import ADJUSTMENT, OTHER, UNMATCHED_REFUND, EventLog
from features.line_log import LineLog
from features.order_records import ENTRY, ROW, Records, put, unknown_orders
from features.order_telling import Tellings, add_line, tell
from features.raw_events import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, ROW_UPDATE, RawEvents
from features.refund_taking import take_back

__all__ = ["NO_ORDER", "NO_PRODUCT", "ROW_ORDER", "ROW_OTHER", "ROW_REFUND", "ROW_UPDATE", "RawEvents", "net"]


def net(raw: RawEvents, calendar: LocalCalendar) -> tuple[EventLog, NDArray[np.bool_]]:
    """Let updates and refunds find their orders.

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
    raw = _without_idle_updates(raw)
    in_order = _acting_order(raw)
    customer = raw.customer[in_order]
    ends = np.searchsorted(customer, np.arange(len(raw.customer_ids)), side="right")
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends))
    rows = _rows(raw, in_order)
    orders = unknown_orders(int(rows["group"].max(initial=-1)) + 1)
    tellings = Tellings.of(customer, rows, bool((raw.action == ROW_UPDATE).any()))
    # A line makes one entry and is used up once at most; a refund leaves one line half used and one rest at most.
    entries = np.empty(2 * len(rows), dtype=ENTRY)
    offsets, unmatched_in_order = _net_rows(starts, rows, orders, tellings, entries)
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
        lines=_lines(raw, in_order, orders["entry"][rows["group"]], tellings, calendar),
    )
    return log, unmatched


def _without_idle_updates(raw: RawEvents) -> RawEvents:
    """Let updates that change nothing be something else that customers did."""
    is_idle = raw.action == ROW_UPDATE
    if not is_idle.any():
        return raw
    says_nothing = (raw.product == NO_PRODUCT) & np.isnan(raw.quantity) & np.isnan(raw.value)
    is_idle &= (raw.order_key == NO_ORDER) | says_nothing
    return replace(raw, action=np.where(is_idle, np.int8(ROW_OTHER), raw.action))


def _lines(
    raw: RawEvents,
    in_order: NDArray[np.int64],
    order: NDArray[np.int64],
    tellings: Tellings,
    calendar: LocalCalendar,
) -> LineLog:
    """Pick the lines of orders from rows taken in the order in which they act, each with the entry of its order."""
    is_line = ((raw.action <= ROW_UPDATE) & raw.is_line)[in_order]
    rows = in_order[is_line]
    occurred_at = raw.occurred_at[rows]
    ordered_at = tellings.ordered_at[is_line] if len(tellings.ordered_at) else occurred_at
    return LineLog(
        offsets=np.searchsorted(raw.customer[rows], np.arange(len(raw.customer_ids) + 1)),
        occurred_at=occurred_at,
        day=calendar.days(ordered_at),
        order=order[is_line].astype(np.int32),
        product=raw.product[rows].astype(np.int32),
        category=raw.category[rows].astype(np.int32),
        quantity=raw.quantity[rows],
        value=raw.value[rows],
        discount=raw.discount[rows],
        categories=raw.categories,
        ordered_at=ordered_at,
        until=tellings.until[is_line] if len(tellings.until) else tellings.until,
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


def _rows(raw: RawEvents, in_order: NDArray[np.int64]) -> Records:
    rows = np.zeros(len(in_order), dtype=ROW)
    for name in (
        *("occurred_at", "action", "order_key", "product", "quantity", "value"),
        *("event_type", "channel", "properties"),
    ):
        rows[name] = getattr(raw, name)[in_order]
    rows["group"] = _numbered(raw.group)[in_order]
    rows["quantity_left"] = rows["quantity"]
    rows["value_left"] = np.nan_to_num(rows["value"], nan=0.0)
    return rows


def _column(records: Records, name: str) -> NDArray[Any]:
    return np.ascontiguousarray(records[name])


@njit(cache=True)
def _net_rows(
    starts: NDArray[np.int64], rows: Records, orders: Records, tellings: Tellings, out: Records
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Go through each customer's rows in time and write the entries."""
    offsets = np.zeros(len(starts), dtype=np.int64)
    unmatched = np.zeros(len(rows), dtype=np.bool_)
    touched = np.empty(len(rows), dtype=np.int64)  # the orders that the present refund takes from
    has_updates = len(tellings.story) > 0
    n = 0
    for customer in range(len(starts) - 1):
        first, end, begin = starts[customer], starts[customer + 1], n
        for i in range(first, end):
            row = rows[i]
            if row.action <= ROW_UPDATE and has_updates:
                n = tell(i, end, begin, n, rows, orders, tellings, out)
            elif row.action == ROW_ORDER:
                n = add_line(i, row, orders[row.group], begin, n, out)
            elif row.action == ROW_REFUND:
                n_touched, rest, unmatched[i] = take_back(i, first, rows, orders, touched)
                for group in touched[:n_touched]:
                    order = orders[group]
                    order.is_over = order.open_lines == 0
                    n = put(row, n, ADJUSTMENT, order.entry, order.open_lines > 0, -order.taken, out)
                if unmatched[i]:
                    n = put(row, n, UNMATCHED_REFUND, -1, False, -rest, out)
            else:
                n = put(row, n, OTHER, -1, False, row.value_left, out)
        offsets[customer + 1] = n
    return offsets, unmatched
