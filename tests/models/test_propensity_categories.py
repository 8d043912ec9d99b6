"""The LightGBM classifier with features that are categories."""

import dataclasses

import lightgbm
import numpy as np
import pytest
from scipy.special import expit

from models.exceptions import InputError
from models.metrics import auc
from models.propensity import LightGBMParams, PropensityModel
from tests.models.propensity_fits import NAMES, PARAMS, history, path_dependent_shapley_values


def with_categories(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Few categories and many, whose codes have no order that tells anything; some are missing."""
    rng = np.random.default_rng(seed)
    contract, city, tenure = rng.integers(0, 3, n), rng.integers(0, 25, n), rng.uniform(0, 72, n)
    log_odds = np.array([1.2, -1.0, 0.5])[contract] + 1.5 * (city * 7 % 25 < 9) - tenure / 40
    y = (rng.random(n) < expit(log_odds)).astype(float)
    X = np.column_stack([contract, tenure, city]).astype(float)
    X[rng.random(n) < 0.1, 2] = np.nan
    return X, y


CATEGORIES = ("contract", "tenure", "city")


CATEGORICAL_PARAMS = LightGBMParams(num_rounds=40, max_depth=3, num_leaves=8, min_data_in_leaf=10)


def fitted_with_categories(params: LightGBMParams = CATEGORICAL_PARAMS) -> PropensityModel:
    X, y = with_categories(2000, seed=3)
    model = PropensityModel(params=params, seed=7, num_threads=1)
    # Their order in the argument means nothing.
    return model.fit(X, y, feature_names=CATEGORIES, categorical=("city", "contract"))


def test_contributions_with_categories_equal_shapley_values_by_their_definition_and_sum_to_the_margin() -> None:
    model = fitted_with_categories(dataclasses.replace(CATEGORICAL_PARAMS, num_rounds=8))
    X, _ = with_categories(60, seed=9)
    X[:5, 2] = [np.nan, 24, 25, 60_000, np.nan]
    values, base_value = model.contributions(X)
    booster = lightgbm.Booster(model_str=model.to_text())
    assert "==" in {node["decision_type"] for node in booster.trees_to_dataframe().to_dict("records")}
    for row, ours in zip(X, values, strict=True):
        reference, reference_base = path_dependent_shapley_values(booster, row)
        np.testing.assert_allclose(ours, reference, atol=1e-10)
        assert base_value == pytest.approx(reference_base, abs=1e-10)
    assert np.abs(values.sum(axis=1) + base_value - model.raw_margin(X)).max() < 1e-6


def test_a_code_that_training_did_not_meet_counts_as_missing() -> None:
    model = fitted_with_categories()
    X, _ = with_categories(200, seed=4)
    missing, unseen = X.copy(), X.copy()
    missing[:, 2], unseen[:, 2] = np.nan, 999
    np.testing.assert_array_equal(model.raw_margin(unseen), model.raw_margin(missing))
    np.testing.assert_array_equal(model.contributions(unseen)[0], model.contributions(missing)[0])


def test_the_numbering_of_categories_is_without_influence_where_it_is_of_numbers() -> None:
    X, y = with_categories(2000, seed=3)
    renumbered = X.copy()
    renumbered[:, 2] = X[:, 2] * 7 % 25

    def margins(columns: np.ndarray, categorical: tuple[str, ...]) -> np.ndarray:
        model = PropensityModel(params=CATEGORICAL_PARAMS, seed=7, num_threads=1)
        return model.fit(columns, y, feature_names=CATEGORIES, categorical=categorical).raw_margin(columns)

    np.testing.assert_allclose(margins(renumbered, ("city",)), margins(X, ("city",)), atol=1e-9)
    assert np.abs(margins(renumbered, ()) - margins(X, ())).max() > 0.01
    assert (auc(y, margins(X, ("contract", "city"))) or 0) > (auc(y, margins(X, ())) or 0) + 0.01


def test_text_with_categories_gives_the_same_model_and_is_the_same_twice() -> None:
    model = fitted_with_categories()
    restored = PropensityModel.from_text(model.to_text())
    assert model.categorical_ == restored.categorical_ == ("contract", "city")
    assert restored.to_text() == model.to_text() == fitted_with_categories().to_text()
    X, _ = with_categories(100, seed=5)
    np.testing.assert_array_equal(restored.raw_margin(X), model.raw_margin(X))


def test_without_categories_the_text_is_that_of_a_fit_that_knows_none() -> None:
    X, y = history(500, seed=3)
    model = PropensityModel(params=PARAMS, seed=7, num_threads=1)
    texts = [
        model.fit(X, y, feature_names=NAMES).to_text(),
        model.fit(X, y, feature_names=NAMES, categorical=()).to_text(),
    ]
    assert texts[0] == texts[1]
    assert "[categorical_feature: ]" in texts[0]
    assert PropensityModel.from_text(texts[0]).categorical_ == ()


def test_a_constant_model_knows_which_features_are_categorical() -> None:
    X, y = with_categories(5, seed=1)
    model = PropensityModel(params=PARAMS, seed=7, num_threads=1).fit(
        X, y, feature_names=CATEGORIES, categorical=("city",), early_stopping=(X, y)
    )
    assert model.categorical_ == ("city",)


@pytest.mark.parametrize("illegal", [-1.0, 65_536.0, 0.5])
def test_what_is_no_code_of_a_category_is_refused(illegal: float) -> None:
    with pytest.raises(InputError, match=rf"'city' holds {illegal:g} in row 1 \(1 such row\(s\)\)"):
        fitted_with_categories().raw_margin(np.array([[0, 1, 24.0], [0, 1, illegal]]))
