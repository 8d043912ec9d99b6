"""Boosted trees for a target within the prediction horizon; churn is one such target.

The trees are LightGBM's. What this module adds: parameters that are bounded and typed, the same model text for the same
input, log-odds and contributions in float64 for one customer or a million, a constant model where there is too little
data to split, and text that is checked before LightGBM parses it.

Load boosters after a fork, never before: LightGBM's OpenMP threads don't survive one.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Self

import lightgbm
import numpy as np

from models.binary_classifier import FloatArray, as_categorical, as_feature_names, as_features, as_outcomes
from models.exceptions import NotFittedError
from models.lightgbm_params import LightGBMParams, as_monotone
from models.lightgbm_text import booster_of, columns_of, params_of, settings_for
from models.tree_shap import TreeShap

__all__ = ["LightGBMParams", "PropensityModel"]

_UNCONSTRAINED: Mapping[str, int] = MappingProxyType({})


class PropensityModel:
    """Gradient-boosted trees for the log-odds of a target (Friedman 2001; Ke et al. 2017, LightGBM).

    Parameters
    ----------
    params : LightGBMParams
        Settings of the trees.
    seed : int
        Seed of everything that is drawn (rows, features), from 0.
    num_threads : int
        Threads for fitting and for predicting more than one row, from 1. One row is always predicted with one.

    Attributes
    ----------
    feature_names_ : tuple of str
        Names of the columns of X, in order.
    categorical_ : tuple of str
        Those of them that hold codes of categories; a split sends a set of codes one way and all others the other.
    monotone_ : dict of str to int
        Those of them with which the log-odds may only rise (1) or only fall (-1), all else equal.
    best_rounds_ : int
        Trees that the model holds: the best number found by early stopping, or all that were fitted.
    base_value_ : float
        Mean of the raw margin over the training rows, by the trees' own counts; contributions start from it.

    Notes
    -----
    The same rows in the same order, names, settings, seed, number of threads, LightGBM version and machine type give
    the same text, byte for byte. The text holds no data, path or time.
    """

    kind: ClassVar[str] = "lightgbm"

    feature_names_: tuple[str, ...]
    categorical_: tuple[str, ...]
    monotone_: dict[str, int]
    best_rounds_: int
    base_value_: float

    def __init__(self, *, params: LightGBMParams, seed: int, num_threads: int) -> None:
        self.params = params
        self.seed = seed
        self.num_threads = num_threads
        self._booster: lightgbm.Booster | None = None

    def fit(
        self,
        X: FloatArray,
        y: FloatArray,
        *,
        feature_names: Sequence[str],
        categorical: Sequence[str] = (),
        monotone: Mapping[str, int] = _UNCONSTRAINED,
        early_stopping: tuple[FloatArray, FloatArray] | None = None,
    ) -> Self:
        """Grow the trees.

        With too few rows for a single split, or with one class only, the model is a constant: the log-odds of
        (events + 1/2) / (rows + 1), finite for every input.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            Features; NaN is missing.
        y : ndarray, shape (n,)
            1 where the target came about, else 0.
        feature_names : sequence of str
            Names of the columns, without white space and ``" , : [ ] { }``.
        categorical : sequence of str
            Names of the columns that hold codes of categories: 0, 1, 2, …, NaN where missing. What goes the other way
            at a split than the codes it names is every other code, the missing and the never met among them.
        monotone : mapping of str to {-1, 1}
            Names of columns, none of them categorical, with which the log-odds may only rise (1) or only fall (-1),
            all else equal. What is missing stands outside that order.
        early_stopping : pair of ndarrays (X, y), optional
            Rows on which the log loss is watched; trees after its best round are dropped. Without it, all
            ``params.num_rounds`` are kept.

        Raises
        ------
        InputError
            The arrays don't fit each other, are empty, or hold values that are not legal.
        """
        names = as_feature_names(feature_names)
        categories = as_categorical(categorical, names)
        directions = as_monotone(monotone, names, categories)
        features = as_features(X, names, categories)
        outcomes = as_outcomes(y, len(features))
        weights = None
        splits = self._can_split(outcomes)
        if not splits:
            features, outcomes, weights = _constant_rows(len(names), outcomes)
            early_stopping = None
        settings = {
            **self._settings(draws_rows=splits, stops_early=early_stopping is not None),
            **_monotone_settings(directions, names),
        }
        train = lightgbm.Dataset(
            features,
            outcomes,
            weight=weights,
            feature_name=list(names),
            categorical_feature=[names.index(name) for name in categories],
            params=settings,
        )
        watched = []
        if early_stopping is not None:
            watched_features = as_features(early_stopping[0], names, categories)
            watched_outcomes = as_outcomes(early_stopping[1], len(watched_features))
            watched = [lightgbm.Dataset(watched_features, watched_outcomes, reference=train, params=settings)]
        booster = lightgbm.train(settings, train, num_boost_round=self.params.num_rounds, valid_sets=watched)
        # The text, not the trained object, is the model: what is evaluated is then what is stored, to the last bit.
        return self._adopt(booster.model_to_string(num_iteration=booster.best_iteration))

    def raw_margin(self, X: FloatArray) -> FloatArray:
        """Return the log-odds of the target, not calibrated.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            Features in the order of ``feature_names_``; NaN is missing.

        Returns
        -------
        ndarray, shape (n,), float64

        Raises
        ------
        NotFittedError, InputError
        """
        features, booster = self._ready(X)
        if len(features) == 0:
            return np.empty(0)
        margin = booster.predict(features, raw_score=True, num_threads=self._threads_for(features))
        return np.asarray(margin, dtype=np.float64)

    def contributions(self, X: FloatArray) -> tuple[FloatArray, float]:
        """Return how much each feature moved each customer's log-odds (path-dependent TreeSHAP).

        Lundberg, Erion & Lee 2018, "Consistent individualized feature attribution for tree ensembles", algorithm 2;
        looked up in tables (``models.tree_shap``), which the first call makes. A model too large for them is left to
        LightGBM's own implementation, which takes many times as long.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            Features in the order of ``feature_names_``; NaN is missing.

        Returns
        -------
        values : ndarray, shape (n, n_features), float64
            SHAP values in log-odds. ``values.sum(axis=1) + base_value`` is ``raw_margin(X)`` within 1e-9.
        base_value : float
            The same for every row.

        Raises
        ------
        NotFittedError, InputError
        """
        features, booster = self._ready(X)
        if len(features) == 0:
            return np.empty(features.shape), self.base_value_
        tree_shap = self._tree_shap()
        if tree_shap is not None:
            return tree_shap.values(features, num_threads=self.num_threads), self.base_value_
        values = np.asarray(
            booster.predict(features, pred_contrib=True, num_threads=self._threads_for(features)), dtype=np.float64
        )
        return values[:, :-1], self.base_value_

    def to_text(self) -> str:
        """Return LightGBM's own model text; it opens in any LightGBM.

        Raises
        ------
        NotFittedError
        """
        text: str = self._fitted().model_to_string()
        return text

    @classmethod
    def from_text(cls, text: str, *, num_threads: int = 1) -> Self:
        """Return the model that ``to_text`` wrote, with the settings and the seed it was fitted with.

        Parameters
        ----------
        text : str
            A whole model text. ``params.early_stopping_rounds`` is the default where the fit watched no rows, since
            the text then doesn't say.
        num_threads : int
            Threads for predicting more than one row, from 1.

        Raises
        ------
        InputError
            The text is no model of ours, or not whole. (LightGBM itself may abort the process on such text, so it is
            checked first.)
        """
        booster = booster_of(text, objective="binary")
        model = cls(params=params_of(booster), seed=booster.params["seed"], num_threads=num_threads)
        return model._adopt(text)

    def _settings(self, *, draws_rows: bool, stops_early: bool) -> dict[str, Any]:
        settings = settings_for(
            self.params,
            objective="binary",
            metric="binary_logloss",
            seed=self.seed,
            num_threads=self.num_threads,
            draws_rows=draws_rows,
        )
        return settings | {"early_stopping_round": self.params.early_stopping_rounds if stops_early else 0}

    def _can_split(self, outcomes: FloatArray) -> bool:
        drawn_rows = int(len(outcomes) * self.params.bagging_fraction)
        return drawn_rows >= 2 * self.params.min_data_in_leaf and 0 < outcomes.sum() < len(outcomes)

    def _adopt(self, text: str) -> Self:
        booster = lightgbm.Booster(model_str=text)
        unknown_customer = np.full((1, booster.num_feature()), np.nan)
        self._booster = booster
        # Made when first asked for: most models of a search are never explained.
        self._tree_shap = cache(lambda: TreeShap.from_text(booster.model_to_string()))
        self.feature_names_, self.categorical_ = columns_of(booster)
        directions = booster.params.get("monotone_constraints") or [0] * len(self.feature_names_)
        self.monotone_ = {name: sign for name, sign in zip(self.feature_names_, directions, strict=True) if sign}
        self.best_rounds_ = booster.num_trees()
        # The last column is the expected value over the training rows, whichever customer is asked about.
        self.base_value_ = float(np.asarray(booster.predict(unknown_customer, pred_contrib=True, num_threads=1))[0, -1])
        return self

    def _fitted(self) -> lightgbm.Booster:
        if self._booster is None:
            raise NotFittedError("this PropensityModel has no trees yet; call fit, or from_text for a stored one")
        return self._booster

    def _ready(self, X: FloatArray) -> tuple[FloatArray, lightgbm.Booster]:
        booster = self._fitted()
        return as_features(X, self.feature_names_, self.categorical_), booster

    def _threads_for(self, features: FloatArray) -> int:
        return 1 if len(features) == 1 else self.num_threads


def _monotone_settings(directions: Mapping[str, int], names: tuple[str, ...]) -> dict[str, Any]:
    if not directions:
        return {}
    # "basic" would keep the two sides of a split apart by its midpoint, which costs most of what the others may learn.
    return {
        "monotone_constraints": [directions.get(name, 0) for name in names],
        "monotone_constraints_method": "intermediate",
    }


def _constant_rows(n_features: int, outcomes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    # LightGBM starts from the weighted log-odds and finds nothing to split in two equal rows, so their weights say the
    # constant. Left to itself it refuses a single row, and answers one class with log-odds of 34.5.
    events = float(outcomes.sum())
    weights = np.array([events + 0.5, len(outcomes) - events + 0.5])
    return np.zeros((2, n_features)), np.array([1.0, 0.0]), weights
