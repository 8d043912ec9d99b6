"""Contributions from tables: equal to shap's, to LightGBM's own and to the definition, whatever the trees."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exceptions import InputError
from models.tree_shap import TreeShap
from models.tree_shap.forest import ZERO_LEFT, ZERO_RIGHT, Forest

N_FEATURES = 6
MANY_CODES, FEW_CODES = 4, 5
EXACT = 1e-10


def rows(n: int, seed: int, missing: float = 0.15) -> np.ndarray:
    """Four numbers, one of them often 0, and two categories; some are missing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, N_FEATURES))
    X[:, 3] = np.maximum(X[:, 3], 0.0)
    X[:, MANY_CODES], X[:, FEW_CODES] = rng.integers(0, 100, n), rng.integers(0, 3, n)
    X[rng.random(X.shape) < missing] = np.nan
    return X


def trained(
    n_rounds: int = 40, n: int = 3000, missing: float = 0.15, categorical: tuple[int, ...] = (MANY_CODES, FEW_CODES),
    before: lightgbm.Booster | None = None, **params: Any,
) -> lightgbm.Booster:  # fmt: skip
    X = rows(n, seed=3, missing=missing)
    known = np.nan_to_num(X)
    odds = known[:, 0] + known[:, 1] * known[:, 2] + (known[:, MANY_CODES] * 37 % 101 < 40) - known[:, 3]
    y = (odds + np.random.default_rng(4).logistic(size=n) > 0).astype(float)
    common = {"objective": "binary", "verbosity": -1, "num_threads": 1, "deterministic": True, "seed": 1}
    data = lightgbm.Dataset(X, y, categorical_feature=list(categorical))
    return lightgbm.train({**common, "min_data_in_leaf": 5, **params}, data, n_rounds, init_model=before)


def pred_contrib(booster: lightgbm.Booster, X: np.ndarray) -> np.ndarray:
    return np.asarray(booster.predict(X, pred_contrib=True, num_threads=1))


KINDS: dict[str, Callable[[], lightgbm.Booster]] = {
    "missing values and categories": lambda: trained(num_leaves=31, max_depth=6),
    "deep trees": lambda: trained(n_rounds=10, num_leaves=256, max_depth=8, min_data_in_leaf=2),
    "nothing missing in training": lambda: trained(n_rounds=20, missing=0.0, max_depth=4),
    "zero is missing": lambda: trained(n_rounds=20, zero_as_missing=True, max_depth=5),
    "missing values don't matter": lambda: trained(n_rounds=20, use_missing=False, max_depth=5),
    "one column, so repeated on each path": lambda: trained(
        n_rounds=10, max_depth=7, interaction_constraints=[[0], [1]]
    ),
    "single leaves": lambda: trained(n_rounds=3, min_data_in_leaf=3000),
    "a single leaf among others": lambda: trained(n_rounds=5, before=trained(n_rounds=1, min_data_in_leaf=3000)),
    "drawn rows and columns": lambda: trained(bagging_freq=1, bagging_fraction=0.5, feature_fraction=0.6, max_depth=5),
    "many categories": lambda: trained(num_leaves=16, max_depth=4, cat_smooth=1.0, max_cat_threshold=100),
}


@cache
def model(kind: str) -> lightgbm.Booster:
    return KINDS[kind]()


def tables(booster: lightgbm.Booster) -> TreeShap:
    made = TreeShap.from_text(booster.model_to_string())
    assert made is not None
    return made


def asked(n: int = 300) -> np.ndarray:
    """Rows that training has not seen, with values at the edges: zeros, tiny values, unmet codes, nothing known."""
    X = rows(n, seed=9)
    X[0] = np.nan
    X[1] = 0.0
    X[2, :4], X[3, :4] = 1e-36, -1e-34
    X[4:8, MANY_CODES] = 100.0, 127.0, 128.0, 60_000.0
    X[8:10, FEW_CODES] = 3.0, 32.0
    X[10:14, 0] = 1e300, -1e300, 5e-324, -0.0
    return X


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_equal_pred_contrib_of_lightgbm_and_sum_to_its_margin(kind: str) -> None:
    booster, X = model(kind), asked()
    reference = pred_contrib(booster, X)
    values = tables(booster).values(X)
    np.testing.assert_allclose(values, reference[:, :-1], atol=EXACT, rtol=0)
    margin = np.asarray(booster.predict(X, raw_score=True, num_threads=1))
    np.testing.assert_allclose(values.sum(axis=1) + reference[:, -1], margin, atol=1e-12, rtol=0)


def test_the_kinds_of_models_hold_what_their_names_say() -> None:
    forests = {kind: Forest.from_text(model(kind).model_to_string()) for kind in KINDS}
    deep = model("deep trees").trees_to_dataframe()
    assert deep["node_depth"].max() == 9
    assert len(forests["single leaves"].first_node) == 1
    assert model("a single leaf among others").num_trees() == 6
    assert len(forests["a single leaf among others"].first_node) == 6
    assert set(forests["zero is missing"].rule) & {ZERO_LEFT, ZERO_RIGHT}
    assert np.diff(forests["many categories"].first_word).max() > 0
    repeated = forests["one column, so repeated on each path"]
    for first, end in zip(repeated.first_node[:-1], repeated.first_node[1:], strict=True):
        assert len(set(repeated.feature[first:end])) == 1


@pytest.mark.parametrize("kind", ["missing values and categories", "deep trees"])
def test_contributions_equal_those_of_the_tree_explainer_of_shap_as_documented(kind: str) -> None:
    booster, X = model(kind), asked(100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        reference = shap.TreeExplainer(booster).shap_values(X)
    np.testing.assert_allclose(tables(booster).values(X), reference, atol=EXACT, rtol=0)


def test_contributions_equal_those_of_the_own_implementation_of_shap() -> None:
    booster = trained(n_rounds=10, missing=0.0, categorical=(), max_depth=8, num_leaves=100)
    X = rows(100, seed=9, missing=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        explainer = shap.TreeExplainer(booster)
        # Left alone it calls LightGBM for the values. It knows no categories and reads NaN as a number.
        explainer.model.model_type = "internal"
        reference = explainer.shap_values(X)
    np.testing.assert_allclose(tables(booster).values(X), reference, atol=1e-9, rtol=0)


@given(
    seed=st.integers(0, 2**31 - 1),
    num_leaves=st.integers(2, 40),
    max_depth=st.integers(1, 8),
    n=st.integers(30, 300),
    zero_as_missing=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_contributions_equal_pred_contrib_on_random_small_models(
    seed: int, num_leaves: int, max_depth: int, n: int, zero_as_missing: bool
) -> None:
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(n, 3)), 1)
    X[:, 2] = rng.integers(0, 12, n)
    y = (rng.random(n) < 0.5).astype(float)
    X[rng.random(X.shape) < rng.choice([0.0, 0.3])] = np.nan
    params = {
        "objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1, "num_leaves": num_leaves,
        "max_depth": max_depth, "zero_as_missing": zero_as_missing, "min_data_per_group": 1, "learning_rate": 0.3,
    }  # fmt: skip
    booster = lightgbm.train(params, lightgbm.Dataset(X, y, categorical_feature=[2]), 4)
    reference = pred_contrib(booster, X)
    np.testing.assert_allclose(tables(booster).values(X), reference[:, :-1], atol=EXACT, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_gets_to_the_last_bit_what_it_gets_among_many(kind: str) -> None:
    made, X = tables(model(kind)), asked(50)
    many = made.values(X)
    for i in range(len(X)):
        np.testing.assert_array_equal(made.values(X[i : i + 1])[0], many[i])


def test_neither_blocks_nor_threads_nor_the_order_in_memory_change_a_bit() -> None:
    made, X = tables(model("missing values and categories")), asked(5000)
    values = made.values(X)
    np.testing.assert_array_equal(made.values(X, num_threads=2), values)
    np.testing.assert_array_equal(made.values(X, num_threads=3), values)
    np.testing.assert_array_equal(made.values(np.asfortranarray(X)), values)
    np.testing.assert_array_equal(made.values(X[::2]), values[::2])
    np.testing.assert_array_equal(made.values(X[1777:3000]), values[1777:3000])
    assert made.values(X[:0]).shape == (0, N_FEATURES)


def test_a_model_whose_tables_would_be_too_large_gets_none() -> None:
    text = model("deep trees").model_to_string()
    made = TreeShap.from_text(text)
    assert made is not None
    assert TreeShap.from_text(text, most_bytes=made.nbytes) is not None
    assert TreeShap.from_text(text, most_bytes=made.nbytes - 1) is None


def test_a_path_longer_than_decisions_have_bits_gets_none() -> None:
    n = 400
    X, y = np.arange(n, dtype=float)[:, None], np.arange(n) % 2.0
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1, "num_leaves": 300}
    booster = lightgbm.train({**params, "max_bin": 1000, "min_data_in_bin": 1}, lightgbm.Dataset(X, y), 1)
    assert booster.trees_to_dataframe()["node_depth"].max() > 20
    assert TreeShap.from_text(booster.model_to_string()) is None


@pytest.mark.parametrize(
    "params", [{"linear_tree": True}, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}]
)
def test_trees_that_are_not_sums_of_constants_are_refused(params: dict[str, Any]) -> None:
    booster = trained(n_rounds=2, categorical=(), missing=0.0, **params)
    with pytest.raises(InputError, match="expected trees with constant leaves that are added up"):
        TreeShap.from_text(booster.model_to_string())
