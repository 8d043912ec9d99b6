"""From the cells of a file to canonical rows: what each column means, and which rows can't be taken."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from store.events import ORDER_COMPLETED, REFUND_EVENTS
from store.ingest.canonical import CanonicalRows
from store.ingest.cells import InstantReader, as_id, as_json, as_label, as_number, as_text
from store.ingest.chunks import Chunk
from store.ingest.clock import Clock
from store.ingest.identity import message_ordinals
from store.ingest.mapping import EventMapping
from store.ingest.ordinals import OrdinalCounter
from store.ingest.rejections import CellError, Rejection
from store.ingest.screening import Screening, required
from store.settings import Settings

__all__ = ["EventParser"]

ORDER_REFUNDED = "Order Refunded"
_LONGEST_CATEGORY = 2_000
