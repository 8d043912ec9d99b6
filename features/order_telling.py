"""How orders are told: line by line, and all over again by updates.

An `Order Updated` replaces what an order is from its own instant on: its lines, and its value less what refunds took
back before, which is taken back for good. Of an order that is not known yet, it is the order; and if `Order Completed`
comes after it, that one replaces in its turn. Each telling replaces the one before it; of two that begin at one
instant, the one whose first row stands later. A line that comes later than the rest of its own telling adds to what the
order is then.

What of the order is left after an update depends on all that refunds took back so far and on nothing that was told in
between: at least 0, and if that leaves nothing, the order is no purchase until another telling leaves something. Only
an order that refunds took back wholly is never brought back by an update; a line of it that comes late does that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import ADJUSTMENT, ORDER
from features.line_log import STILL_HOLDS
from features.order_records import LEAST_VALUE, Records, put
from features.raw_events import NO_ORDER, ROW_UPDATE
from features.refund_taking import close

__all__ = ["Tellings", "add_line", "tell"]


class Tellings(NamedTuple):
    """Which rows tell of one order, and what that does to lines; empty where there are no updates.

    Attributes
    ----------
    story : int64, one a row
        The same for all that tells of one order, from 0; -1 for none.
    told : int64, one a story
        Group of the order; -1 before it is told.
    is_updated : bool, one a story
        Whether an update has told it.
    tells_of : int64, one a group, and more
        Of a group that told an order again the group of that order; -1 of others.
    ordered_at : int64, one a row
        When a line counts as ordered.
    until : int64, one a row
        When a line was replaced; `STILL_HOLDS` if never.
    """

    story: NDArray[np.int64]
    told: NDArray[np.int64]
    is_updated: NDArray[np.bool_]
    tells_of: NDArray[np.int64]
    ordered_at: NDArray[np.int64]
    until: NDArray[np.int64]

    @classmethod
    def of(cls, customer: NDArray[np.int64], rows: Records, has_updates: bool) -> Tellings:
        """Find the rows that tell of one order: of one customer and with one order key.

        Parameters
        ----------
        customer : int64, one a row
        rows : array of ROW
            In the order in which they act.
        has_updates : bool
            Whether any of them is an update.
        """
        n = len(rows) if has_updates else 0
        story = np.full(n, -1, dtype=np.int64)
        if n:
            telling = np.flatnonzero((rows["action"] <= ROW_UPDATE) & (rows["order_key"] != NO_ORDER))
            customer, key = customer[telling], rows["order_key"][telling]
            by_name = np.lexsort((key, customer))
            customer, key = customer[by_name], key[by_name]
            is_next = (customer[1:] != customer[:-1]) | (key[1:] != key[:-1])
            story[telling[by_name[1:]]] = np.cumsum(is_next)
            story[telling[by_name[:1]]] = 0
        return cls(
            story,
            np.full(n, -1, dtype=np.int64),
            np.zeros(n, dtype=np.bool_),
            np.full(n, -1, dtype=np.int64),
            rows["occurred_at"][:n].copy(),
            np.full(n, STILL_HOLDS, dtype=np.int64),
        )


@njit(cache=True)
def add_line(i: int, line: Any, order: Any, begin: int, n: int, out: Records) -> int:
    """Begin an order with its earliest line, row i, add a line of the same instant, or a later one as an adjustment."""
    line.is_open = True
    order.is_over = False
    order.open_lines += 1
    order.value_left += line.value_left
    if order.entry < 0:
        order.entry = n - begin
        order.first_at = line.occurred_at
        order.row = i
        return put(line, n, ORDER, n - begin, True, line.value_left, out)
    if order.first_at == line.occurred_at:
        out[begin + order.entry].value += line.value_left
        return n
    return _adjust(line, order, begin, n, line.value_left, out)


@njit(cache=True)
def tell(i: int, end: int, begin: int, n: int, rows: Records, orders: Records, tellings: Tellings, out: Records) -> int:
    """Let row i tell of its order, where there are updates; return the number of entries then.

    Parameters
    ----------
    i, end : int
        The row, and the end of the customer's rows.
    begin, n : int
        Where the customer's entries begin, and how many entries there are.
    """
    row, story = rows[i], tellings.story[i]
    if row.is_read:
        return n
    if tellings.tells_of[row.group] >= 0:
        row.group = tellings.tells_of[row.group]
    if story >= 0 and orders[row.group].entry < 0:
        is_update = row.action == ROW_UPDATE
        told = tellings.told[story]
        is_told_again = told >= 0 and (is_update or tellings.is_updated[story])
        tellings.is_updated[story] |= is_update
        if is_told_again:
            return _replace(i, end, begin, n, told, rows, orders, tellings, out)
        tellings.told[story] = row.group
    return add_line(i, row, orders[row.group], begin, n, out)


@njit(cache=True)
def _replace(
    i: int,
    end: int,
    begin: int,
    n: int,
    told: int,
    rows: Records,
    orders: Records,
    tellings: Tellings,
    out: Records,
) -> int:
    """Let the rows of this instant that are of the group of row i be what the order `told` is from now on."""
    row, order = rows[i], orders[told]
    telling, now = row.group, row.occurred_at
    ordered_at, until = tellings.ordered_at, tellings.until
    at = order.row
    while at < end and rows[at].occurred_at <= now:
        # Lines of the same instant too, whether they were gone through or not.
        if rows[at].group == told and until[at] == STILL_HOLDS:
            until[at] = now
            rows[at].is_open = False
            rows[at].is_read = True
        at += 1
    value, n_lines = 0.0, 0
    at = i
    while at < end and rows[at].occurred_at == now and rows[at].action <= ROW_UPDATE:
        if rows[at].group == telling:
            value += rows[at].value_left
            n_lines += 1
            ordered_at[at] = order.first_at
            rows[at].group = told
            rows[at].is_open = True
            rows[at].is_read = True
        at += 1

    tellings.tells_of[telling] = told
    order.row = i
    before = order.value_left
    if order.is_over:
        order.owes = False
        close(told, order, i, at, rows)
    else:
        taken_back = min(order.taken_back, max(value, 0.0))
        order.owes = taken_back != 0.0
        order.open_lines = n_lines
        order.value_left = value - taken_back
        if taken_back > LEAST_VALUE >= order.value_left:
            close(told, order, i, at, rows)
    return _adjust(row, order, begin, n, order.value_left - before, out)


@njit(cache=True)
def _adjust(row: Any, order: Any, begin: int, n: int, value: float, out: Records) -> int:
    """Write that an order changed otherwise than by a refund: as an event of the order's own name."""
    after = put(row, n, ADJUSTMENT, order.entry, order.open_lines > 0, value, out)
    out[n].event_type = out[begin + order.entry].event_type
    return after
