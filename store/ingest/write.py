"""Writes canonical rows: short transactions that add what is new and leave what is already there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from store.engine import Database
from store.events import ORDER_COMPLETED, REFUND_EVENTS
from store.ingest.canonical import CanonicalRows
from store.ingest.identity import RowIdentities, order_key
from store.ingest.keys import KeyCache
from store.ingest.orders import HeadDetails, LineContent, OrderComparison, StoredHead, merge
from store.ingest.staging import StagingTable

__all__ = ["EventWriter", "OrderConflict", "Written"]
