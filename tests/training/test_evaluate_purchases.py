"""Figures of forecasts on a hold-out: published ones, and a log made by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from models.baselines import same_rate
from models.btyd import BetaGeoModel
from tests.data.cdnow import END_DAY, cdnow_log
from tests.shop import AS_OF, Row, local_day, shop_log, to_log
from training.evaluate_purchases import evaluate_baselines, evaluate_btyd, evaluate_forecast
from training.exceptions import TrainingError
from training.purchase_holdout import PurchaseHoldout

HOLDOUT_DAYS = 273


@cache
def holdout(file: str) -> PurchaseHoldout:
    return PurchaseHoldout.of(cdnow_log(file), end_day=END_DAY, days=HOLDOUT_DAYS)


@cache
def bg_nbd(file: str) -> dict[str, Any]:
    return evaluate_btyd(BetaGeoModel().fit(*holdout(file).history), holdout(file))


def test_full_cdnow_has_the_parameters_and_hold_out_errors_that_lifetimes_reaches() -> None:
    # published-numbers.md, "CDNOW full"; alpha in days.
    found = bg_nbd("cdnow_master.parquet")
    assert found["params"] == pytest.approx({"r": 0.2516, "alpha": 33.52, "a": 0.7234, "b": 2.1611}, rel=0.005)
    assert found["log_likelihood"] == pytest.approx(-95_368.44 - _repeats("cdnow_master.parquet") * np.log(7), rel=1e-4)
    assert len(holdout("cdnow_master.parquet").actual) == 23_570
    assert found["mae"] == pytest.approx(0.8187, rel=0.005)
    assert found["rmse"] == pytest.approx(1.7329, rel=0.005)


def _repeats(file: str) -> float:
    return float(holdout(file).rfm.frequency.sum())


def test_the_median_of_full_cdnow_has_a_smaller_absolute_error_than_the_mean() -> None:
    found = bg_nbd("cdnow_master.parquet")
    assert found["mae_of_median"] == pytest.approx(0.7014, rel=0.002)
    assert found["mae_of_median"] < found["mae"]


def test_the_cdnow_sample_has_the_published_parameters_in_days_and_the_measured_errors() -> None:
    # Fader, Hardie & Lee 2005, in weeks: r .2426, alpha 4.4136, a .7929, b 2.4259.
    found = bg_nbd("cdnow_sample.parquet")
    published = {"r": 0.2426, "alpha": 7 * 4.4136, "a": 0.7929, "b": 2.4259}
    assert found["params"] == pytest.approx(published, rel=0.005)
    assert found["mae"] == pytest.approx(0.7855, rel=0.002)
    assert found["rmse"] == pytest.approx(1.6080, rel=0.002)
    # 1,882 purchase days came, 1,653 were expected.
    assert found["bias"] == pytest.approx((1_653 - 1_882) / 2_357, rel=0.01)
    assert found["total_error"] == pytest.approx(1_653 / 1_882 - 1, abs=0.001)


def test_baselines_of_the_cdnow_sample_have_the_measured_errors() -> None:
    baselines = evaluate_baselines(holdout("cdnow_sample.parquet"))
    assert baselines["same_rate"]["mae"] == pytest.approx(1.0237, abs=0.00005)
    assert baselines["nobody_returns"]["mae"] == pytest.approx(0.7985, abs=0.00005)
    assert baselines["nobody_returns"]["total_error"] == -1.0
    assert baselines["mean_for_everybody"]["spearman"] is None


def test_the_hold_out_of_a_hand_made_log_is_counted_in_purchase_days_of_known_customers() -> None:
    start = AS_OF.replace(month=1)
    rows = [Row(f"c{number:02}", start.replace(month=month), 10.0) for number in range(40) for month in (1, 2, 3, 6)]
    rows = [row for row in rows if row.at.month != 6 or row.customer_id == "c07"]
    rows += [Row("c00", start.replace(month=6, day=day, hour=hour), 10.0) for day in (5, 6) for hour in (9, 17)]
    rows.append(Row("too late", start.replace(month=6, day=7), 10.0))
    found = PurchaseHoldout.of(to_log(rows), end_day=local_day(2024, 7, 1), days=30)
    assert found.start.date.isoformat() == "2024-06-01"
    # c00 bought on two days; c07 did on the first of June, with which the hold-out begins.
    assert found.actual.tolist() == [2.0, *(6 * [0.0]), 1.0, *(32 * [0.0])]
    assert found.before.tolist() == 40 * [0.0]
    baselines = evaluate_baselines(found)
    assert baselines["nobody_returns"]["mae"] == pytest.approx(3 / 40)
    expected = float(same_rate(np.array([2.0]), np.array([151.0]), 30)[0])
    by_hand = (38 * expected + abs(2 - expected) + abs(1 - expected)) / 40
    assert baselines["same_rate"]["mae"] == pytest.approx(by_hand)
    assert baselines["same_rate"]["mae_of_median"] == pytest.approx(3 / 40)


def test_as_before_is_what_came_in_as_many_days_before() -> None:
    found = PurchaseHoldout.of(shop_log(), end_day=local_day(2024, 7, 1), days=90)
    earlier = PurchaseHoldout.of(shop_log(), end_day=local_day(2024, 4, 2), days=90)
    known = np.isin(found.rfm.rows, earlier.rfm.rows)
    np.testing.assert_array_equal(found.before[known], earlier.actual)
    assert evaluate_baselines(found)["same_as_before"] == evaluate_forecast(found.before, found)


def test_a_hold_out_longer_than_the_log_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"Nobody purchased before 2016-.* hold-out of 3000 days .* shorter"):
        PurchaseHoldout.of(shop_log(), end_day=local_day(2024, 7, 1), days=3_000)
