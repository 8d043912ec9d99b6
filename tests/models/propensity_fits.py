"""Fits of the classifier that its tests share, and Shapley values by their definition."""

import itertools
from typing import Any

import lightgbm
import numpy as np
from scipy.special import expit

from models.propensity import LightGBMParams, PropensityModel

__all__ = ["NAMES", "PARAMS", "fitted", "history", "path_dependent_shapley_values"]


NAMES = ("days_since_last_purchase", "purchases_90d", "mean_gap", "tenure")


PARAMS = LightGBMParams(
    num_rounds=60, early_stopping_rounds=10, feature_fraction=0.7, bagging_fraction=0.8, max_depth=4
)


def history(n: int, seed: int, missing: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.uniform(0, 300, n), rng.poisson(2, n), rng.gamma(2, 20, n), rng.uniform(0, 900, n)])
    y = (rng.random(n) < expit(X[:, 0] / 100 - X[:, 1] + (X[:, 2] > 40))).astype(float)
    X[rng.random(n) < missing, 2] = np.nan
    return X, y


def fitted(n: int = 1500, seed: int = 3, params: LightGBMParams = PARAMS, missing: float = 0.15) -> PropensityModel:
    X, y = history(n, seed, missing)
    return PropensityModel(params=params, seed=7, num_threads=1).fit(X, y, feature_names=NAMES)


def path_dependent_shapley_values(booster: lightgbm.Booster, row: np.ndarray) -> tuple[np.ndarray, float]:
    """Compute Shapley values by their definition: all orders of features, each tree read as a conditional mean."""
    n_features = len(row)

    def expected(node: dict[str, Any], known: frozenset[int]) -> float:
        if "leaf_value" in node:
            return float(node["leaf_value"])
        left, right = node["left_child"], node["right_child"]
        feature = node["split_feature"]
        if feature in known:
            value = row[feature]
            if node["decision_type"] == "==":
                named = {float(code) for code in node["threshold"].split("||")}
                return expected(left if value in named else right, known)
            goes_left = bool(node["default_left"]) if np.isnan(value) else value <= node["threshold"]
            if np.isnan(value) and node["missing_type"] != "NaN":
                goes_left = node["threshold"] >= 0.0
            return expected(left if goes_left else right, known)
        counts = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
        return float(np.average([expected(left, known), expected(right, known)], weights=counts))

    trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]

    def payoff(known: frozenset[int]) -> float:
        return sum(expected(tree, known) for tree in trees)

    worth = {
        frozenset(subset): payoff(frozenset(subset))
        for size in range(n_features + 1)
        for subset in itertools.combinations(range(n_features), size)
    }
    orders = list(itertools.permutations(range(n_features)))
    values = np.zeros(n_features)
    for order in orders:
        for position, feature in enumerate(order):
            before = frozenset(order[:position])
            values[feature] += (worth[before | {feature}] - worth[before]) / len(orders)
    return values, worth[frozenset()]
