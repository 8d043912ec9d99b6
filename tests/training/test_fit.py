"""Fitting one classifier, to be evaluated or for good."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from models.calibrator import Calibrator
from models.propensity import LightGBMParams, PropensityModel
from tests.shop import CHURN_TARGET, local_day, shop_inputs, shop_log
from training.dataset import Rows, labelled_rows
from training.fit import LOGIT_RFM, ClassifierSettings, fit_final, out_of_fold_margins

TREES = ClassifierSettings(
    "lightgbm",
    (*LOGIT_RFM.features, "days_since_last_purchase"),
    asdict(LightGBMParams(num_rounds=20, max_depth=3, num_leaves=6, min_data_in_leaf=20)),
)
BOTH = pytest.mark.parametrize("settings", [LOGIT_RFM, TREES], ids=lambda settings: settings.kind)


@pytest.fixture(scope="module")
def rows() -> Rows:
    days = (local_day(2023, 7, 1), local_day(2024, 1, 1))
    inputs = shop_inputs(local_day(2024, 7, 1))
    return Rows.stack([labelled_rows(shop_log(), day, CHURN_TARGET, inputs) for day in days])


@BOTH
def test_settings_come_back_from_json_as_they_were(settings: ClassifierSettings) -> None:
    assert ClassifierSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_settings_know_their_directions_and_those_of_older_versions_know_none(rows: Rows) -> None:
    held = replace(TREES, monotone={"days_since_last_purchase": 1, "frequency": -1})
    told = json.loads(json.dumps(held.to_dict()))
    assert ClassifierSettings.from_dict(told) == held
    del told["monotone"]
    assert ClassifierSettings.from_dict(told) == TREES
    assert held.among(("T", "frequency")).monotone == {"frequency": -1}
    fitted = held.fit(rows, seed=0)
    assert isinstance(fitted, PropensityModel)
    assert fitted.monotone_ == {"frequency": -1, "days_since_last_purchase": 1}
    assert fitted.to_text() != TREES.fit(rows, seed=0).to_text()
    assert held.with_rounds_of(fitted).monotone == held.monotone


@BOTH
def test_margins_out_of_fold_know_nothing_of_the_labels_of_their_own_fold(
    settings: ClassifierSettings, rows: Rows
) -> None:
    own = rows.draw < 0.2
    otherwise = replace(rows, y=np.where(own, 1 - rows.y, rows.y))
    margins, changed = (out_of_fold_margins(settings, some, seed=0) for some in (rows, otherwise))
    assert changed[own].tobytes() == margins[own].tobytes()
    assert (changed[~own] != margins[~own]).all()


@BOTH
def test_the_final_model_learns_from_all_rows_and_is_calibrated_out_of_fold(
    settings: ClassifierSettings, rows: Rows
) -> None:
    final = fit_final(settings, rows, CHURN_TARGET, seed=3)
    assert final.base_rate == rows.y.mean()
    assert final.classifier.to_text() == settings.fit(rows, seed=3).to_text()
    by_hand = Calibrator().fit(out_of_fold_margins(settings, rows, seed=3), rows.y)
    assert final.calibrator.to_dict() == by_hand.to_dict()
    probability = final.calibrator.predict(out_of_fold_margins(settings, rows, seed=3))
    assert probability.mean() == pytest.approx(rows.y.mean(), abs=0.01)


def test_trees_stop_early_and_the_final_model_grows_as_many(rows: Rows) -> None:
    patient = replace(TREES, params={**TREES.params, "num_rounds": 500, "early_stopping_rounds": 10})
    odd = (rows.draw * 1_000).astype(int) % 2 == 1
    stopped = patient.fit(rows.where(odd), seed=0, early_stopping=rows.where(~odd))
    assert isinstance(stopped, PropensityModel)
    assert 0 < stopped.best_rounds_ < 500
    final = patient.with_rounds_of(stopped)
    assert final.params == {**patient.params, "num_rounds": stopped.best_rounds_}
    assert LOGIT_RFM.with_rounds_of(LOGIT_RFM.fit(rows, seed=0)) is LOGIT_RFM


def test_the_same_seed_gives_the_same_trees_and_another_gives_others(rows: Rows) -> None:
    sampled = replace(TREES, params={**TREES.params, "bagging_fraction": 0.6})
    first, again, other = (sampled.fit(rows, seed=seed).to_text() for seed in (1, 1, 2))
    assert first == again
    assert first != other
