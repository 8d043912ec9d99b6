"""Real data, read once a session."""

import pandas as pd
import pytest

from tests.models.btyd.purchase_days import Calibration, calibration, real_file


@pytest.fixture(scope="session")
def cdnow_summary() -> pd.DataFrame:
    """The published 1/10 sample as Fader, Hardie & Lee summarise it, in weeks: ID, x, t_x, T, zbar."""
    return pd.read_csv(real_file("cdnow/cdnow_sample_summary_T38.86.csv.gz"))


@pytest.fixture(scope="session")
def cdnow_sample() -> Calibration:
    """The 1/10 sample in days, calibrated to 1997-09-30."""
    return _cdnow("cdnow/cdnow_sample.parquet")


@pytest.fixture(scope="session")
def cdnow_full() -> Calibration:
    """All 23,570 customers in days, calibrated to 1997-09-30."""
    return _cdnow("cdnow/cdnow_master.parquet")


@pytest.fixture(scope="session")
def online_retail() -> Calibration:
    """UCI Online Retail in days, calibrated to 2011-08-31: positive lines of orders that aren't cancellations."""
    columns = ["CustomerID", "InvoiceNo", "InvoiceDate", "Quantity", "UnitPrice"]
    lines = pd.read_parquet(real_file("uci_online_retail/online_retail.parquet"), columns=columns)
    bought = (
        lines["CustomerID"].notna()
        & ~lines["InvoiceNo"].astype("str").str.startswith("C")
        & (lines["Quantity"] > 0)
        & (lines["UnitPrice"] > 0)
    )
    lines = lines[bought]
    log = pd.DataFrame(
        {
            "customer_id": lines["CustomerID"],
            "date": lines["InvoiceDate"].dt.normalize(),
            "value": lines["Quantity"] * lines["UnitPrice"],
        }
    )
    return calibration(log, "2011-08-31")


def _cdnow(name: str) -> Calibration:
    log = pd.read_parquet(real_file(name), columns=["customer_id", "date", "dollar_value"])
    return calibration(log.rename(columns={"dollar_value": "value"}), "1997-09-30")
