"""Stored rows of events and lines, as the columns that netting takes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from features.line_log import NO_CATEGORY
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, RawEvents
from features.ragged import recode, take_rows
from store.bulk_read import Column, Kind, read_blocks, read_columns
from store.customer_keys import CustomerKeys, among
from store.names import StoredNames, TextCodes, read_categories

__all__ = ["ORDER_COMPLETED", "REFUND_EVENTS", "read_raw", "read_raw_and_identities"]

ORDER_COMPLETED = "Order Completed"
REFUND_EVENTS = ("Order Cancelled", "Order Refunded")

_NO_ID = 0  # ids begin at 1

_Columns = dict[str, NDArray[Any]]
