"""CDNOW as event logs; a test that needs it is skipped where it is absent."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, RawEvents, net
from models.segment_policy import SegmentPolicy
from store.settings import load_settings
from store.training_request import TrainingRequest
from tests.conftest import shared_data
from training.fit_bundle import Training, fit_bundle

__all__ = ["AS_OF", "END_DAY", "cdnow_log", "fit_to_cdnow"]

# The log ends with 1998-06-30: local day of 1998-07-01.
END_DAY = 10_408
AS_OF = datetime(1998, 7, 1, tzinfo=UTC)


@cache
def cdnow_log(file: str) -> EventLog:
    """Read `cdnow_master.parquet` (23,570 customers) or `cdnow_sample.parquet` (the published 1/10)."""
    table = pq.read_table(shared_data("cdnow") / file, columns=["customer_id", "date", "dollar_value"])
    ids, customer = np.unique(table["customer_id"].to_numpy().astype("U"), return_inverse=True)
    occurred_at = table["date"].to_numpy().astype("datetime64[us]").astype(np.int64)
    order = np.lexsort((occurred_at, customer))
    n = len(order)
    raw = RawEvents(
        customer_ids=tuple(ids.tolist()),
        customer=customer[order].astype(np.int64),
        occurred_at=occurred_at[order],
        action=np.full(n, ROW_ORDER, dtype=np.int8),
        group=np.arange(n, dtype=np.int64),
        order_key=np.full(n, NO_ORDER, dtype=np.int64),
        product=np.full(n, NO_PRODUCT, dtype=np.int64),
        quantity=np.full(n, np.nan),
        value=table["dollar_value"].to_numpy()[order].astype(np.float64),
        event_type=np.zeros(n, dtype=np.int16),
        event_types=("Order Completed",),
    )
    return net(raw, LocalCalendar("UTC"))[0]


def fit_to_cdnow(request: TrainingRequest) -> Training:
    """Fit what is asked for to all customers, with the whole log known."""
    settings = load_settings(as_of=AS_OF, bundle_dir=Path("unused"), database_url="sqlite:///unused.db")
    return fit_bundle(cdnow_log("cdnow_master.parquet"), settings, request, today=AS_OF, policy=SegmentPolicy())
