"""The search: its budget, its safety stop, its choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from features.catalogue import CATALOGUE
from models.binary_classifier import BinaryClassifier
from models.purchase_model import BTYD_FEATURES
from training.dataset import Dataset, Rows
from training.fit import LOGIT_RFM, ClassifierSettings
from training.search import SearchResult, search

FEATURES = (*LOGIT_RFM.features, "days_since_last_purchase", "purchase_days_90d", *BTYD_FEATURES)
DIRECTIONS = {"days_since_last_purchase": 1, "purchase_days_90d": -1, "expected_purchases": -1}
LogOdds = Callable[[dict[str, NDArray[np.float64]]], NDArray[np.float64]]


def _linear(rfm: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Log-odds that logistic regression on RFM can write down."""
    return 1.5 - np.log1p(rfm["frequency"]) + 0.01 * (rfm["T"] - rfm["recency"]) - 0.3 * np.log1p(rfm["monetary_value"])


def _two_steps(rfm: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Log-odds that only trees can write down."""
    return np.where((rfm["T"] > 150) ^ (rfm["frequency"] > 4), 2.5, -2.5)


def _rows(log_odds: LogOdds, n: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    columns = {name: rng.uniform(0, 1, n) for name in FEATURES}
    columns["frequency"] = np.floor(rng.uniform(0, 9, n))
    columns["T"] = np.floor(rng.uniform(0, 300, n))
    columns["recency"] = np.floor(columns["T"] * rng.uniform(0, 1, n))
    columns["monetary_value"] = rng.uniform(5, 200, n)
    y = (rng.uniform(0, 1, n) < expit(log_odds(columns))).astype(np.float64)
    return Rows(FEATURES, np.column_stack(list(columns.values())), y, rng.uniform(0, 1, n), np.full(n, np.nan))


def _dataset(log_odds: LogOdds) -> Dataset:
    parts = [_rows(log_odds, n, seed) for seed, n in enumerate((700, 300, 300, 300))]
    return Dataset("customer folds", {}, *parts)


@pytest.fixture(scope="module")
def stepped() -> Dataset:
    return _dataset(_two_steps)


def _search(dataset: Dataset, **changes: object) -> SearchResult:
    options = {"monotone": {}, "trials": 3, "seed": 0, "time_limit_seconds": 1e9, "progress": lambda _: None, **changes}
    return search(dataset, FEATURES, **options)  # type: ignore[arg-type]


def test_the_same_seed_finds_the_same_and_another_looks_elsewhere(stepped: Dataset) -> None:
    # The first three trials are the same for all; with five, two are drawn.
    first, again, other = (_search(stepped, trials=5, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert other.selection_log_loss["lightgbm"] != first.selection_log_loss["lightgbm"]


def test_the_budget_of_trials_is_used_up_and_told(stepped: Dataset) -> None:
    told: list[float] = []
    found = _search(stepped, trials=3, progress=told.append)
    assert found.trials == 3
    assert not found.stopped_by_time
    np.testing.assert_allclose(told, [1 / 3, 2 / 3, 1])


def _clock(*seconds: float) -> Callable[[], float]:
    ticks: Iterator[float] = iter(seconds)
    return lambda: next(ticks)


def test_the_time_limit_stops_between_trials_and_is_recorded(stepped: Dataset) -> None:
    found = _search(stepped, trials=10, time_limit_seconds=60, clock=_clock(1_000, 1_030, 1_061))
    assert found.trials == 2
    assert found.stopped_by_time


def test_a_budget_used_up_as_time_runs_out_was_not_stopped_by_time(stepped: Dataset) -> None:
    found = _search(stepped, trials=2, time_limit_seconds=60, clock=_clock(1_000, 1_030, 9_999))
    assert found.trials == 2
    assert not found.stopped_by_time


def test_logistic_regression_is_kept_where_log_odds_are_linear() -> None:
    found = _search(_dataset(_linear), trials=4)
    assert found.settings == LOGIT_RFM
    assert found.selection_log_loss["logit_rfm"] < found.selection_log_loss["lightgbm"]


def test_boosted_trees_are_kept_where_logistic_regression_is_blind(stepped: Dataset) -> None:
    found = _search(stepped)
    assert found.settings.kind == "lightgbm"
    assert found.selection_log_loss["lightgbm"] < found.selection_log_loss["logit_rfm"] - 0.1


def test_the_test_rows_are_not_looked_at(stepped: Dataset) -> None:
    n = len(stepped.test.y)
    unreadable = Rows(
        FEATURES, np.full((n, len(FEATURES)), np.inf), np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    )
    assert _search(replace(stepped, test=unreadable)) == _search(stepped)


def _tried(
    dataset: Dataset, trials: int, monkeypatch: pytest.MonkeyPatch, **changes: object
) -> list[ClassifierSettings]:
    """Return the boosted trees that a search fitted, in order."""
    tried: list[ClassifierSettings] = []
    fit = ClassifierSettings.fit

    def watched(settings: ClassifierSettings, *args: Any, **options: Any) -> BinaryClassifier:
        if settings.kind == "lightgbm":
            tried.append(settings)
        return fit(settings, *args, **options)

    monkeypatch.setattr(ClassifierSettings, "fit", watched)
    _search(dataset, trials=trials, **changes)
    return tried


def test_small_and_strongly_regularised_trees_are_tried_even_on_a_budget_of_three(
    stepped: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = [settings.params for settings in _tried(stepped, 3, monkeypatch, monotone=DIRECTIONS)]
    assert [params["max_depth"] for params in tried] == [4, 1, 2]
    assert all(params["num_leaves"] <= 12 for params in tried)
    assert all(params["lambda_l2"] >= 10 for params in tried)


def test_directions_are_tried_and_left_out_and_each_feature_keeps_its_own(
    stepped: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _tried(stepped, 8, monkeypatch, monotone={**DIRECTIONS, "no feature of the rows": 1})
    held_to = [settings.monotone for settings in tried]
    assert {} in held_to
    for settings in tried:
        assert settings.monotone in ({}, {name: DIRECTIONS[name] for name in settings.features if name in DIRECTIONS})
    assert any(len(directions) < len(DIRECTIONS) for directions in held_to if directions)


def test_without_known_directions_no_trial_is_held_to_any(stepped: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(settings.monotone == {} for settings in _tried(stepped, 4, monkeypatch))


def test_a_candidate_has_the_btyd_features_all_or_none(stepped: Dataset) -> None:
    assert set(FEATURES) <= set(CATALOGUE)
    for seed in range(3):
        kept = set(_search(stepped, trials=3, seed=seed).settings.features)
        assert kept in (set(FEATURES), set(FEATURES) - set(BTYD_FEATURES))
