"""Stored facts of customers as columns: what netting makes an `EventLog` of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.event_log import NO_CHANNEL, NO_PROPERTIES
from features.line_log import NO_CATEGORY

__all__ = ["NO_ORDER", "NO_PRODUCT", "ROW_ORDER", "ROW_OTHER", "ROW_REFUND", "ROW_UPDATE", "RawEvents"]

# What a row does. At one instant orders come before their updates, and these before refunds, so that dates without a
# time net as a person would.
ROW_ORDER = 0
ROW_UPDATE = 1
ROW_REFUND = 2
ROW_OTHER = 3

NO_ORDER = 0
NO_PRODUCT = -1


@dataclass(frozen=True, slots=True, eq=False)
class RawEvents:
    """Stored facts of some customers, one element a row, in order of customer, then time, then identity.

    Columns that are left out of the constructor are not known of any row.

    Attributes
    ----------
    customer_ids : tuple of str
        All customers, ascending by code point; those without rows included.
    customer : int64
        Position in `customer_ids`.
    occurred_at : int64
        Microseconds since 1970-01-01 UTC.
    action : int8
        `ROW_ORDER`, `ROW_UPDATE`, `ROW_REFUND` or `ROW_OTHER`.
    group : int64
        The same for all lines of one order, and for all lines of one update.
    order_key : int64
        Hash of the order that it is, updates or names; `NO_ORDER` without one.
    product : int64
        `NO_PRODUCT` without one.
    quantity, value : float64
        NaN without one; of a refund what it takes back, positive.
    event_type : int16
        Index into `event_types`.
    event_types : tuple of str
        Names of events, ascending.
    is_line : bool
        Whether a row is a line of its order or refund, rather than a sum.
    category : int64
        Index into `categories`; -1 without one.
    categories : tuple of str
        JSON objects of level name to category, ascending.
    discount : float64
        NaN if unknown.
    channel : int16
        Index into `channels`; -1 without one.
    channels : tuple of str
        Names of channels, ascending.
    properties : int32
        Index into `property_texts`; -1 without any.
    property_texts : tuple of str
        JSON objects, ascending.
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
    is_line: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    category: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    categories: tuple[str, ...] = ()
    discount: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    channel: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, dtype=np.int16))
    channels: tuple[str, ...] = ()
    properties: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    property_texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = {
            "is_line": False,
            "category": NO_CATEGORY,
            "discount": np.nan,
            "channel": NO_CHANNEL,
            "properties": NO_PROPERTIES,
        }
        for name, nothing in unknown.items():
            column = getattr(self, name)
            if not len(column):
                object.__setattr__(self, name, np.full(len(self.customer), nothing, dtype=column.dtype))
