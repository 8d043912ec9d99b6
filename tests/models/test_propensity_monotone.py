"""The LightGBM classifier whose margins may only rise, or only fall, with a feature."""

import dataclasses

import lightgbm
import numpy as np
import pytest
from scipy.special import expit

from models.propensity import LightGBMParams, PropensityModel
from tests.models.propensity_fits import NAMES, PARAMS, history, path_dependent_shapley_values


def zigzag(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds that rise with the first feature, but for a dent, fall with the second, and step up with the third."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 10, (n, 3))
    log_odds = X[:, 0] / 2 - 2.5 * ((X[:, 0] > 4) & (X[:, 0] < 6)) - X[:, 1] / 3 + (X[:, 2] > 7)
    y = (rng.random(n) < expit(log_odds)).astype(float)
    X[rng.random(n) < 0.1] *= np.array([np.nan, 1, 1])
    return X, y


def zigzag_model(monotone: dict[str, int], params: LightGBMParams = PARAMS) -> PropensityModel:
    X, y = zigzag(3000, seed=1)
    model = PropensityModel(params=params, seed=7, num_threads=1)
    return model.fit(X, y, feature_names="abc", monotone=monotone)


def steps(model: PropensityModel, column: int) -> np.ndarray:
    """Changes of the margin along a fine grid of one feature, for many values of the others."""
    others, _ = zigzag(60, seed=2)
    grid = np.linspace(-1, 11, 200)
    X = np.repeat(others, len(grid), axis=0)
    X[:, column] = np.tile(grid, len(others))
    return np.diff(model.raw_margin(X).reshape(len(others), len(grid)), axis=1)


def test_margins_rise_and_fall_with_monotone_features_only_as_they_may() -> None:
    free, held = zigzag_model({}), zigzag_model({"b": -1, "a": 1})
    assert steps(free, 0).min() < -0.5
    assert steps(free, 1).max() > 0
    assert steps(held, 0).min() >= -1e-12
    assert steps(held, 1).max() <= 1e-12
    assert steps(held, 0).max() > 0.1
    assert free.monotone_ == {}
    assert held.monotone_ == {"a": 1, "b": -1}


def test_the_text_of_a_monotone_model_brings_it_back_and_is_the_same_twice() -> None:
    model = zigzag_model({"a": 1, "c": -1})
    restored = PropensityModel.from_text(model.to_text())
    assert restored.monotone_ == {"a": 1, "c": -1}
    assert restored.seed == model.seed
    assert restored.to_text() == model.to_text() == zigzag_model({"c": -1, "a": 1}).to_text()
    X, _ = zigzag(50, seed=3)
    np.testing.assert_array_equal(restored.raw_margin(X), model.raw_margin(X))


def test_without_monotone_features_the_text_is_that_of_a_fit_that_knows_none() -> None:
    X, y = history(500, seed=3)
    model = PropensityModel(params=PARAMS, seed=7, num_threads=1)
    texts = [
        model.fit(X, y, feature_names=NAMES).to_text(),
        model.fit(X, y, feature_names=NAMES, monotone={}).to_text(),
    ]
    assert texts[0] == texts[1]
    assert "[monotone_constraints: ]" in texts[0]


def test_a_constant_model_knows_its_monotone_features() -> None:
    X, y = zigzag(5, seed=1)
    model = PropensityModel(params=PARAMS, seed=7, num_threads=1).fit(X, y, feature_names="abc", monotone={"b": 1})
    assert model.monotone_ == {"b": 1}


def test_contributions_of_a_monotone_model_equal_shapley_values_by_their_definition() -> None:
    model = zigzag_model({"a": 1, "b": -1}, dataclasses.replace(PARAMS, num_rounds=8, max_depth=3))
    booster = lightgbm.Booster(model_str=model.to_text())
    X, _ = zigzag(20, seed=9)
    values, base_value = model.contributions(X)
    for row, ours in zip(X, values, strict=True):
        reference, reference_base = path_dependent_shapley_values(booster, row)
        np.testing.assert_allclose(ours, reference, atol=1e-10)
        assert base_value == pytest.approx(reference_base, abs=1e-10)
