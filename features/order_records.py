"""What netting goes through, what it keeps of each order meanwhile, and the entries that it writes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["ENTRY", "LEAST_QUANTITY", "LEAST_VALUE", "ORDER_RECORD", "ROW", "Records", "put", "unknown_orders"]

LEAST_QUANTITY = 1e-9
LEAST_VALUE = 0.005  # half of the smallest coin of most currencies: what is left of a sum refunded in parts

# What is gone through, in the order in which it acts: facts of a row, and, of an order's line, what is left of it.
ROW = np.dtype(
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
        ("is_read", np.bool_),  # already, with an earlier row of its instant
    ],
    align=True,
)

# What is left of an order, and what the present refund takes from it. It stands at the group that told it first.
ORDER_RECORD = np.dtype(
    [
        ("entry", np.int64),  # its own entry within the customer, -1 before it
        ("first_at", np.int64),
        ("row", np.int64),  # the first of those that say what it is now
        ("open_lines", np.int64),
        ("value_left", np.float64),
        ("taken_back", np.float64),  # by all refunds so far
        ("taken", np.float64),
        ("touched_by", np.int64),  # row of the last refund that took from it; no refund in row 0 finds an order
        ("owes", np.bool_),  # whether its lines stand for more than is left of it
        ("is_over", np.bool_),  # whether refunds took all that there was
    ],
    align=True,
)

# The columns of the `EventLog` that netting decides.
ENTRY = np.dtype(
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

Records = NDArray[np.void]


def unknown_orders(n: int) -> Records:
    """Return records of n groups of which nothing is known yet."""
    orders = np.zeros(n, dtype=ORDER_RECORD)
    orders["entry"] = -1
    return orders


@njit(cache=True)
def put(row: Any, n: int, kind: int, order: int, is_purchase: bool, value: float, out: Records) -> int:
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
