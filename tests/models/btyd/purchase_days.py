"""Real purchase logs as the columns that the models read; tests that need one are skipped where it is absent."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """One row a customer: what was known at the end of calibration, and the purchase days that followed."""

    frequency: Column
    recency: Column
    T: Column
    monetary_value: Column
    holdout_purchases: Column


def real_file(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the real data set {name} is not on this machine")
    return path


def calibration(log: pd.DataFrame, last_day: str) -> Calibration:
    """Summarise a log of (customer_id, date, value) up to the end of ``last_day``, in days.

    Several orders on one day are one purchase; hold-out are all purchase days after the last day.
    """
    last = pd.Timestamp(last_day)
    days = log.groupby(["customer_id", "date"], as_index=False)["value"].sum()
    first = days.groupby("customer_id")["date"].min()
    first = first[first <= last]
    known = days[days["date"] <= last]
    latest = known.groupby("customer_id")["date"].max()
    frequency = known.groupby("customer_id").size() - 1
    repeats = known[known["date"] > known["customer_id"].map(first)]
    value = repeats.groupby("customer_id")["value"].mean().reindex(first.index)
    later = days[days["date"] > last].groupby("customer_id").size().reindex(first.index, fill_value=0)
    return Calibration(
        frequency=frequency.to_numpy(dtype=np.float64),
        recency=(latest - first).dt.days.to_numpy(dtype=np.float64),
        T=(last - first).dt.days.to_numpy(dtype=np.float64),
        monetary_value=value.to_numpy(dtype=np.float64),
        holdout_purchases=later.to_numpy(dtype=np.float64),
    )
