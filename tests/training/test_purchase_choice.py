"""Which purchase model is kept, what challenges it, and that the choice holds on real data."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from features.event_log import EventLog
from features.windows import Snapshot
from models.btyd import PURCHASE_MODELS
from models.model_inputs import ModelInputs
from models.poisson_forecast import PoissonForecast
from tests.data.cdnow import END_DAY, cdnow_log
from tests.shop import local_day, shop_log
from training.evaluate_clv import evaluate_clv
from training.exceptions import TrainingError
from training.purchase_choice import PurchaseChoice, best_of, choose_purchase_model
from training.purchase_forecast import ForecastTrees
from training.purchase_holdout import PurchaseHoldout

SHOP_END = local_day(2024, 7, 1)


def inputs_at(log: EventLog, day: int) -> ModelInputs:
    return ModelInputs.fit(log, Snapshot.at_midnight(day, log.calendar), 90, btyd=None)


def chosen(log: EventLog, end_day: int, days: int, asked: str | None = None) -> PurchaseChoice:
    trees = ForecastTrees(inputs_at(log, end_day - days), seed=1)
    return choose_purchase_model(log, end_day=end_day, holdout_days=days, asked=asked, trees=trees)


@cache
def of_the_shop() -> PurchaseChoice:
    return chosen(shop_log(), SHOP_END, 90)


@cache
def of_cdnow(days: int) -> PurchaseChoice:
    return chosen(cdnow_log("cdnow_sample.parquet"), END_DAY, days)


def figures(
    rmse: float = 1.0, deviance: float = 1.0, spearman: float | None = 0.4, total: float | None = 0.1
) -> dict[str, Any]:
    return {"rmse": rmse, "poisson_deviance": deviance, "spearman": spearman, "total_error": total}


@pytest.mark.parametrize(
    ("simple", "other", "best"),
    [
        (figures(rmse=1.002), figures(rmse=1.0, deviance=2.0), "other"),
        (figures(rmse=1.0005), figures(rmse=1.0), "simple"),
        (figures(rmse=1.0005, deviance=1.02), figures(deviance=1.0), "other"),
        (figures(deviance=1.005), figures(deviance=1.0), "simple"),
        (figures(spearman=0.39), figures(spearman=0.4), "other"),
        (figures(spearman=0.396), figures(spearman=0.4), "simple"),
        (figures(spearman=None), figures(spearman=0.4), "other"),
        (figures(total=-0.2), figures(total=0.1), "other"),
        (figures(total=-0.1), figures(total=0.095), "simple"),
        (figures(total=None), figures(total=0.5), "simple"),
        (figures(rmse=0.0, deviance=0.0), figures(rmse=0.0, deviance=0.0), "simple"),
    ],
)
def test_error_decides_then_deviance_then_ranking_then_total_then_simplicity(
    simple: dict[str, Any], other: dict[str, Any], best: str
) -> None:
    assert best_of({"simple": simple, "other": other}).name == best


def test_what_decided_is_told_with_both_figures() -> None:
    three = {"a": figures(rmse=1.3), "b": figures(rmse=1.1), "c": figures(rmse=1.2)}
    assert best_of(three).reason == "root mean squared error 1.1000 against 1.2000 of c"
    tied = {"a": figures(deviance=1.5), "b": figures(deviance=1.2)}
    assert best_of(tied).reason == "Poisson deviance 1.2000 against 1.5000 of a"
    assert best_of({"a": figures()}).reason == "the only one"


@pytest.mark.parametrize("days", [90, 273])
def test_on_the_cdnow_sample_what_is_kept_is_the_best_of_all_candidates_and_baselines(days: int) -> None:
    report = of_cdnow(days).report
    everything = {**report["candidates"], **report["baselines"]}
    kept = report["candidates"][report["forecast"]]
    assert kept["rmse"] <= 1.001 * min(found["rmse"] for found in everything.values())
    assert kept["poisson_deviance"] <= 1.01 * min(found["poisson_deviance"] for found in everything.values())
    assert kept["mae_of_median"] < kept["mae"]


def test_the_report_holds_every_candidate_with_its_fit_and_every_baseline_as_json() -> None:
    report = of_the_shop().report
    assert list(report["candidates"]) == [*PURCHASE_MODELS, PoissonForecast.name]
    assert set(report["baselines"]) == {"same_rate", "same_as_before", "mean_for_everybody", "nobody_returns"}
    for name in PURCHASE_MODELS:
        found = report["candidates"][name]
        assert set(found["params"]) == set(PURCHASE_MODELS[name].parameter_names)
        assert found["certificate"]["converged"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    kept = report["candidates"][report["kept"]]
    assert report["model"] == report["kept"] == of_the_shop().name
    assert report["params"] == kept["params"]
    assert {key: report["holdout"][key] for key in ("mae", "rmse")} == {key: kept[key] for key in ("mae", "rmse")}
    assert (report["calibration_end"], report["holdout_days"]) == ("2024-04-01", 90)


def test_trees_find_little_to_correct_in_customers_who_follow_the_bg_nbd() -> None:
    candidates = of_the_shop().report["candidates"]
    assert candidates[PoissonForecast.name]["rmse"] > 0.97 * candidates["bg_nbd"]["rmse"]


def test_the_same_log_and_seed_give_the_same_report() -> None:
    assert chosen(shop_log(), SHOP_END, 90).report == of_the_shop().report


def test_what_was_asked_for_is_kept_and_forecasts_whatever_the_rule_says() -> None:
    best = of_the_shop().name
    others = [name for name in PURCHASE_MODELS if name != best]
    choice = chosen(shop_log(), SHOP_END, 90, asked=others[0])
    assert (choice.name, choice.forecast_name, choice.report["asked"]) == (others[0], others[0], others[0])
    assert choice.report["why"].startswith(f"{others[0]} was asked for. The rule would have kept {best}: ")


def test_a_model_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        TrainingError, match=r"no purchase model 'lightgbm'. Choose one of: bg_nbd, mbg_nbd, pareto_nbd"
    ):
        chosen(shop_log(), SHOP_END, 90, asked="lightgbm")


def test_without_an_earlier_period_the_purchase_models_are_compared_alone_and_it_is_said() -> None:
    report = of_cdnow(273).report
    assert list(report["candidates"]) == list(PURCHASE_MODELS)
    assert any(note.startswith("Boosted trees could not be compared") for note in report["notes"])


def test_trees_read_measured_features_only_and_none_that_was_left_out() -> None:
    log, inputs = shop_log(), inputs_at(shop_log(), SHOP_END - 90)
    forecast = ForecastTrees(inputs, 1, ("frequency",)).fit(
        log, end_day=SHOP_END - 90, horizon_days=90, model=PURCHASE_MODELS["bg_nbd"]
    )
    known = {feature.name: feature for feature in inputs.plan.features}
    assert {known[name].source for name in forecast.feature_names_} == {"log"}
    assert "recency" in forecast.feature_names_
    assert "frequency" not in forecast.feature_names_


def test_a_forecast_knows_nothing_of_what_came_after_it() -> None:
    log = shop_log()
    before = log.before(log.calendar.midnight(SHOP_END - 90))
    expected = []
    for known in (log, before):
        trees = ForecastTrees(inputs_at(known, SHOP_END - 90), seed=1)
        forecast = trees.fit(known, end_day=SHOP_END - 90, horizon_days=90, model=PURCHASE_MODELS["bg_nbd"])
        period = PurchaseHoldout.of(known, end_day=SHOP_END, days=90)
        btyd = PURCHASE_MODELS["bg_nbd"]().fit(*period.history)
        expected.append(trees.expected(forecast, btyd, known, period))
    np.testing.assert_array_equal(expected[0], expected[1])


def test_few_customers_are_not_enough_to_correct_a_model_by() -> None:
    log = shop_log()
    early = local_day(2022, 7, 1)
    with pytest.raises(TrainingError, match=r"customers had purchased before 2022-05-02; .* at least 500"):
        ForecastTrees(inputs_at(log, early), seed=1).fit(
            log, end_day=early, horizon_days=60, model=PURCHASE_MODELS["bg_nbd"]
        )


def test_an_evaluation_adds_intervals_and_the_fit_of_the_value_model() -> None:
    report = evaluate_clv(shop_log(), end_day=SHOP_END, holdout_days=90, asked="bg_nbd", seed=1)
    assert report["kept"] == report["intervals"]["model"] == "bg_nbd"
    assert report["gamma_gamma"]["certificate"]["converged"]
    assert set(report["intervals"]["notes"]) <= set(report["notes"])
    assert json.loads(json.dumps(report, allow_nan=False)) == report
