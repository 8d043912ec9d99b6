"""Quality of a target against baselines: what the report holds, and what is left out where it can't be known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features.targets import Target
from models.metrics import auc, log_loss
from models.purchase_model import BTYD_FEATURES
from tests.shop import CHURN_TARGET, HORIZON_DAYS, local_day, shop_inputs, shop_log, shop_training
from training.dataset import Dataset, Rows, labelled_rows
from training.evaluate import evaluate_target
from training.fit import LOGIT_RFM, fit_evaluated

UPSELL_TARGET = Target(name="upsell", kind="upsell").with_defaults(HORIZON_DAYS, None)


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


def test_the_report_holds_how_far_differences_and_calibration_can_be_trusted() -> None:
    churn = shop_training().bundle.report["targets"]["churn"]
    for figure, sign in (("auc", 1), ("log_loss", -1)):
        told = churn["differences"][figure]
        difference = churn[figure] - churn["baselines"][told["against"]][figure]
        assert told["low"] <= difference <= told["high"]
        others = [figures[figure] for figures in churn["baselines"].values() if figure in figures]
        assert sign * churn["baselines"][told["against"]][figure] == max(sign * figure for figure in others)
    assert 0 < churn["calibration_error_if_perfect"]["mean"] < churn["calibration_error_if_perfect"]["p95"] < 0.1
    assert f"{churn['calibration_error_if_perfect']['p95']:.4f}" in churn["verdict"]


def _dataset(target: Target, without: tuple[str, ...] = ()) -> Dataset:
    """Rows of the shop at two days, without some of their features."""
    inputs = shop_inputs(local_day(2024, 1, 1))

    def rows(day: int) -> Rows:
        made = labelled_rows(shop_log(), day, target, inputs)
        kept = tuple(name for name in made.names if name not in without)
        return replace(made, names=kept, X=made.inputs(kept))

    earlier, later = rows(local_day(2023, 7, 1)), rows(local_day(2024, 1, 1))
    thirds = (earlier.draw * 3).astype(int)
    train, early_stopping, calibration = (earlier.where(thirds == part) for part in range(3))
    return Dataset("customer folds", {}, train, early_stopping, calibration, later)


def _evaluated(dataset: Dataset, target: Target) -> dict[str, Any]:
    model = fit_evaluated(LOGIT_RFM, dataset, target, seed=0)
    return evaluate_target(model, dataset, LOGIT_RFM, seed=0)


def test_orders_too_few_for_a_purchase_model_leave_the_baseline_of_p_alive_out() -> None:
    dataset = _dataset(CHURN_TARGET, without=BTYD_FEATURES)
    assert "p_alive" not in dataset.test.names
    report = _evaluated(dataset, Target(name="churn", kind="label"))
    assert set(report["baselines"]) == {"logit_rfm", "days_since_last_purchase"}


def test_without_a_mean_order_value_that_baseline_is_left_out() -> None:
    report = _evaluated(_dataset(UPSELL_TARGET, without=("mean_order_value",)), UPSELL_TARGET)
    assert set(report["baselines"]) == {"logit_rfm", "buys_at_all"}
    assert set(report["among_buyers"]["baselines"]) == {"buys_at_all"}


def test_a_baseline_that_knows_nobody_is_left_out() -> None:
    dataset = _dataset(CHURN_TARGET)
    X = dataset.test.X.copy()
    X[:, dataset.test.names.index("p_alive")] = np.nan
    report = _evaluated(replace(dataset, test=replace(dataset.test, X=X)), CHURN_TARGET)
    assert set(report["baselines"]) == {"logit_rfm", "days_since_last_purchase"}


@pytest.mark.parametrize(("bought", "came"), [(0, 0), (30, 0), (30, 1), (30, 29), (30, 30)])
def test_buyers_too_few_or_all_alike_are_said_to_be_too_few(bought: int, came: int) -> None:
    dataset = _dataset(UPSELL_TARGET)
    n = np.arange(len(dataset.test.y))
    # Those who did not buy have both labels, so that only what is said of buyers is at stake.
    y = np.where(n < bought, n < came, n % 2).astype(np.float64)
    test = replace(dataset.test, y=y, bought=(n < bought).astype(np.float64))
    report = _evaluated(replace(dataset, test=test), UPSELL_TARGET)
    assert report["among_buyers"]["n"] == bought
    assert report["verdict"].endswith("Too few of the test rows purchased to say more, so it makes no segment.")
    assert not report["makes_segment"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_evaluated_probabilities_are_measured_by_the_metrics_that_are_tested_elsewhere() -> None:
    y, probability = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.9, 0.2, 0.4, 0.8])
    assert auc(y, probability) == 1.0
    assert log_loss(y, probability) == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.4, 0.8])))
