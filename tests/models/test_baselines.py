"""The baselines of the purchase model, by hand and on the CDNOW sample."""

import numpy as np
import pandas as pd
import pytest

from models.amount_metrics import holdout_errors
from models.baselines import days_since_last_purchase, mean_for_everybody, nobody_returns, same_rate
from models.exceptions import InputError
from tests.conftest import shared_data


def test_the_mean_for_everybody_is_that_of_all_days_observed() -> None:
    predicted = mean_for_everybody(np.array([0.0, 2.0, 4.0]), np.array([0.0, 100.0, 200.0]), 30.0)
    assert predicted == pytest.approx([0.6, 0.6, 0.6])
    assert mean_for_everybody(np.zeros(2), np.zeros(2), 30.0).tolist() == [0.0, 0.0]


def test_baselines_have_the_holdout_errors_measured_on_the_cdnow_sample() -> None:
    log = pd.read_parquet(shared_data("cdnow") / "cdnow_sample.parquet")
    days = pd.to_datetime(log["date"])
    end, holdout_end = pd.Timestamp("1997-09-30"), pd.Timestamp("1998-06-30")
    bought = pd.DataFrame({"customer": log["customer_id"], "day": days}).drop_duplicates()
    by_customer = bought[bought["day"] <= end].groupby("customer")["day"]
    frequency = np.asarray(by_customer.size() - 1, dtype=np.float64)
    T = np.asarray((end - by_customer.min()).dt.days, dtype=np.float64)
    later = bought[bought["day"] > end].groupby("customer").size()
    actual = np.asarray(later.reindex(by_customer.size().index, fill_value=0), dtype=np.float64)
    assert actual.sum() == 1882
    horizon_days = (holdout_end - end).days
    assert holdout_errors(actual, same_rate(frequency, T, horizon_days))["mae"] == pytest.approx(1.0237, abs=5e-5)
    assert holdout_errors(actual, nobody_returns(len(actual)))["mae"] == pytest.approx(0.7985, abs=5e-5)


def test_same_rate_knows_no_rate_of_a_customer_first_seen_on_the_last_day() -> None:
    predicted = same_rate(np.array([0.0, 2.0]), np.array([0.0, 40.0]), 20.0)
    assert predicted.tolist() == [0.0, 1.0]
    with pytest.raises(InputError, match="horizon_days must be above 0"):
        same_rate(np.array([1.0]), np.array([1.0]), 0.0)


def test_days_since_last_purchase_is_the_days_observed_less_recency() -> None:
    assert days_since_last_purchase(np.array([0.0, 30.0]), np.array([50.0, 50.0])).tolist() == [50.0, 20.0]
