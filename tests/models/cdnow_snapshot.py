"""Features and churn of the customers of CDNOW at a day, by pandas alone."""

import numpy as np
import pandas as pd

from tests.conftest import shared_data

__all__ = ["cdnow_snapshot", "read_cdnow"]


def read_cdnow() -> pd.DataFrame:
    """Read the purchases with their days; skips the test where the data is absent."""
    log = pd.read_parquet(shared_data("cdnow") / "cdnow_master.parquet")
    log["day"] = pd.to_datetime(log["date"])
    return log


def cdnow_snapshot(log: pd.DataFrame, snapshot_date: str) -> tuple[np.ndarray, np.ndarray]:
    start, end = pd.Timestamp(snapshot_date), pd.Timestamp(snapshot_date) + pd.Timedelta(days=90)
    before = log[log["day"] < start]
    by_customer = before.groupby("customer_id")
    first, last, n_days = by_customer["day"].min(), by_customer["day"].max(), by_customer["day"].nunique()
    columns = [
        (start - last).dt.days,
        n_days - 1,
        (last - first).dt.days,
        (start - first).dt.days,
        by_customer["dollar_value"].sum(),
        by_customer["dollar_value"].mean(),
        *(
            before[before["day"] >= start - pd.Timedelta(days=days)]
            .groupby("customer_id")["day"]
            .nunique()
            .reindex(n_days.index, fill_value=0)
            for days in (30, 90, 180)
        ),
    ]
    bought = log.loc[(log["day"] >= start) & (log["day"] < end), "customer_id"]
    X = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
    return X, np.asarray(~n_days.index.isin(bought), dtype=np.float64)
