"""Quality against baselines: published figures, hand-made verdicts, and what the report holds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from models.baselines import same_rate
from models.metrics import auc, log_loss
from tests.data.cdnow import END_DAY, cdnow_log
from tests.shop import AS_OF, Row, local_day, shop_log, shop_training, to_log
from training.evaluate import CLV_MODELS, evaluate_clv, verdict
from training.exceptions import TrainingError

HOLDOUT_DAYS = 273


@pytest.fixture(scope="module")
def full() -> dict[str, Any]:
    return _evaluate("cdnow_master.parquet")


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    return _evaluate("cdnow_sample.parquet")


def _evaluate(file: str) -> dict[str, Any]:
    return evaluate_clv(cdnow_log(file), end_day=END_DAY, holdout_days=HOLDOUT_DAYS, model_name="bg_nbd")


def test_full_cdnow_has_the_parameters_that_lifetimes_finds(full: dict[str, Any]) -> None:
    # published-numbers.md, "CDNOW full"; alpha in days.
    published = {"r": 0.2516, "alpha": 33.52, "a": 0.7234, "b": 2.1611}
    assert full["params"] == pytest.approx(published, rel=0.005)
    assert full["n_customers"] == 23_570
    assert full["calibration_end"] == "1997-09-30"


def test_full_cdnow_has_the_hold_out_errors_that_lifetimes_reaches(full: dict[str, Any]) -> None:
    assert full["holdout"]["days"] == HOLDOUT_DAYS
    assert full["holdout"]["mae"] == pytest.approx(0.8187, rel=0.005)
    assert full["holdout"]["rmse"] == pytest.approx(1.7329, rel=0.005)


def test_the_cdnow_sample_has_the_published_parameters_in_days(sample: dict[str, Any]) -> None:
    # Fader, Hardie & Lee 2005, in weeks: r .2426, alpha 4.4136, a .7929, b 2.4259.
    published = {"r": 0.2426, "alpha": 7 * 4.4136, "a": 0.7929, "b": 2.4259}
    assert sample["params"] == pytest.approx(published, rel=0.005)
    assert sample["n_customers"] == 2_357


def test_the_cdnow_sample_has_the_measured_hold_out_errors_and_baselines(sample: dict[str, Any]) -> None:
    holdout = sample["holdout"]
    assert holdout["mae"] == pytest.approx(0.7855, rel=0.002)
    assert holdout["rmse"] == pytest.approx(1.6080, rel=0.002)
    assert holdout["baselines"]["same_rate"]["mae"] == pytest.approx(1.0237, abs=0.00005)
    assert holdout["baselines"]["nobody_returns"]["mae"] == pytest.approx(0.7985, abs=0.00005)
    # 1,882 purchase days came, 1,653 were expected.
    assert holdout["bias"] == pytest.approx((1_653 - 1_882) / 2_357, rel=0.01)


def test_the_hold_out_of_a_hand_made_log_is_counted_in_purchase_days_of_known_customers() -> None:
    start = AS_OF.replace(month=1)
    rows = [Row(f"c{number:02}", start.replace(month=month), 10.0) for number in range(40) for month in (1, 2, 3)]
    rows += [Row("c00", start.replace(month=6, day=day, hour=hour), 10.0) for day in (5, 6) for hour in (9, 17)]
    rows.append(Row("too late", start.replace(month=6, day=7), 10.0))
    report = evaluate_clv(to_log(rows), end_day=local_day(2024, 7, 1), holdout_days=30, model_name="bg_nbd")
    assert report["n_customers"] == 40
    # One of 40 bought, on two days.
    assert report["holdout"]["baselines"]["nobody_returns"]["mae"] == pytest.approx(2 / 40)
    expected = float(same_rate(np.array([2.0]), np.array([151.0]), 30)[0])
    by_hand = (39 * expected + abs(2 - expected)) / 40
    assert report["holdout"]["baselines"]["same_rate"]["mae"] == pytest.approx(by_hand)


def test_a_hold_out_longer_than_the_log_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"Nobody purchased before 2016-.* hold-out of 3000 days .* shorter"):
        evaluate_clv(shop_log(), end_day=local_day(2024, 7, 1), holdout_days=3_000, model_name="bg_nbd")


def test_every_clv_model_is_known_by_its_own_name() -> None:
    assert {make().name: make().name for make in CLV_MODELS.values()} == {name: name for name in CLV_MODELS}


def test_the_report_of_a_training_is_json_without_nan() -> None:
    text = json.dumps(shop_training().bundle.report, allow_nan=False)
    assert json.loads(text) == shop_training().bundle.report


def test_the_metrics_kept_for_promotion_are_those_of_the_report() -> None:
    churn = shop_training().bundle.report["targets"]["churn"]
    assert shop_training().test_metrics == {
        "target": {"name": "churn", "auc": churn["auc"], "log_loss": churn["log_loss"]},
        "champion": None,
    }


def test_baselines_are_ranked_towards_churn() -> None:
    baselines = shop_training().bundle.report["targets"]["churn"]["baselines"]
    assert set(baselines) == {"days_since_last_purchase", "logit_rfm", "p_alive"}
    assert all(figures["auc"] > 0.5 for figures in baselines.values())


Baselines = dict[str, dict[str, float | None]]


def _baselines(best: float | None) -> Baselines:
    lower = None if best is None else best - 0.1
    return {"p_alive": {"auc": lower}, "logit_rfm": {"auc": best, "log_loss": 0.6}}


@pytest.mark.parametrize(
    ("ours", "loss", "words"),
    [
        (0.7531, 0.55, "better than every baseline (AUC 0.7531 against 0.7500 of logistic regression on RFM)."),
        (0.7529, 0.55, "no better than its best baseline (AUC 0.7529 against 0.7500"),
        (0.7529, 0.55, "but its probabilities are better (log loss 0.5500 against 0.6000"),
        (0.7471, 0.65, "and its probabilities are no better either (log loss 0.6500 against 0.6000"),
        (0.7469, 0.55, "worse than its best baseline (AUC 0.7469 against 0.7500 of logistic regression on RFM). Use"),
    ],
)
def test_the_verdict_says_better_no_better_or_worse(ours: float, loss: float, words: str) -> None:
    assert words in verdict({"auc": ours, "log_loss": loss}, _baselines(0.75), "lightgbm")


def test_the_verdict_says_that_logistic_regression_is_what_is_used() -> None:
    told = verdict({"auc": 0.75, "log_loss": 0.6}, _baselines(0.75), "logistic")
    assert told.startswith("Logistic regression did best on the selection rows and is what is used (AUC 0.7500")


def test_the_verdict_says_so_where_everybody_had_the_same_fate() -> None:
    told = verdict({"auc": None, "log_loss": 0.1}, _baselines(None), "lightgbm")
    assert told.startswith("All customers of the test rows had the same fate")


def test_the_evaluated_probabilities_are_measured_by_the_metrics_that_are_tested_elsewhere() -> None:
    y, probability = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.9, 0.2, 0.4, 0.8])
    assert auc(y, probability) == 1.0
    assert log_loss(y, probability) == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.4, 0.8])))
