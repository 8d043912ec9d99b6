"""Purchases drawn from the models that the simulated shop is drawn from: what the benchmarks of purchases work on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.simulation import Business
from models.simulation.period import DAY, Period
from models.simulation.purchases import draw_orders, draw_traits

__all__ = ["AS_OF", "BUSINESS", "Histories", "purchase_histories", "purchase_rows"]

BUSINESS = Business()
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS = 730
_FIRST_DAY = np.datetime64(AS_OF.date()) - _DAYS

Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """What the BTYD models read, in days, one element a customer; monetary_value is 0 for one-time buyers."""

    frequency: Column
    recency: Column
    T: Column
    monetary_value: Column


def purchase_histories(customers: int, seed: int = 1) -> Histories:
    """Draw customers of the simulated business over two years, with one purchase a day at most."""
    random = np.random.default_rng(seed)
    period = Period.up_to(AS_OF, _DAYS)
    orders = draw_orders(BUSINESS, period, draw_traits(BUSINESS, period, customers, random), random)
    day = orders.occurred_at // DAY
    starts = np.searchsorted(orders.customer, np.arange(customers + 1))
    first, last = day[starts[:-1]], day[starts[1:] - 1]
    frequency = np.diff(starts) - 1.0
    values = np.where(orders.number > 1, orders.cents / 100, 0.0)
    total = np.bincount(orders.customer, weights=values, minlength=customers)
    return Histories(
        frequency=frequency,
        recency=(last - first).astype(np.float64),
        T=(period.last_day - first).astype(np.float64),
        monetary_value=total / np.maximum(frequency, 1.0),
    )


def purchase_rows(rows: int, customers: int, seed: int = 1) -> pd.DataFrame:
    """Draw purchases in no order, of customers with numbers for ids: customer_id, date (with its time) and value."""
    random = np.random.default_rng(seed)
    second = random.integers(0, _DAYS * 86_400, rows).astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "customer_id": random.integers(0, customers, rows),
            "date": _FIRST_DAY.astype("datetime64[s]") + second,
            "value": random.integers(100, 9_000, rows) / 100,
        }
    )
