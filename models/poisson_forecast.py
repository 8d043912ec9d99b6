"""Boosted trees for the purchase days of a horizon: what a purchase model expects, corrected by all other features.

A purchase model reads three numbers of a customer. The trees learn by which factor customers with some features bought
more or less than it expected, so that what they know least of, the far ends, stays with the purchase model: trees alone
can't say more than the largest mean of a leaf, and were off by that on the customers who buy most.

By how much all of them together bought more or less is not learnt: that is the season, and the next period has another.
(Measured on the last 90 days of UCI Online Retail, root mean squared error: 1.53 of the BG/NBD alone, 1.49 of trees
alone, 1.43 of trees that begin with the BG/NBD, 1.40 when they leave the level to it.)

Load boosters after a fork, never before: LightGBM's OpenMP threads don't survive one.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import lightgbm
import numpy as np
from numpy.typing import ArrayLike

from models.binary_classifier import FloatArray, as_categorical, as_feature_names, as_features
from models.exceptions import FitError, InputError, NotFittedError
from models.lightgbm_params import LightGBMParams
from models.lightgbm_text import booster_of, columns_of, params_of, settings_for

__all__ = ["SMALL_TREES", "PoissonForecast"]

# Few and shallow, drawn to a factor of 1: a handful of features say most of it, and one period is little to learn from.
SMALL_TREES = LightGBMParams(
    learning_rate=0.05,
    num_leaves=8,
    max_depth=3,
    min_data_in_leaf=100,
    feature_fraction=0.8,
    lambda_l2=10.0,
    num_rounds=150,
)

# Somebody whom the purchase model has all but given up is not beyond correction.
FEWEST_EXPECTED = 0.05
LEAST_TOTAL = 1e-9


class PoissonForecast:
    """Poisson regression by gradient-boosted trees, with the purchase model's expectation as its offset.

    The mean of a customer's purchase days is ``max(expected, .05) exp(f(x))``, f being a sum of trees grown on the
    Poisson likelihood (Friedman 2001; McCullagh & Nelder 1989, section 6.2 for the offset). While they grow, what was
    expected is scaled to sum to what came, so that f holds differences between customers only; and f is lowered by what
    the least of .05 adds to the sum, so that the level stays that of the purchase model.

    Parameters
    ----------
    params : LightGBMParams
        Settings of the trees.
    seed : int
        Seed of everything that is drawn (features, rows), from 0.
    num_threads : int
        Threads for fitting and for predicting more than one row, from 1. One row is always predicted with one.

    Attributes
    ----------
    feature_names_ : tuple of str
        Names of the columns of X, in order.
    categorical_ : tuple of str
        Those of them that hold codes of categories.

    Notes
    -----
    The same rows in the same order, names, settings, seed, number of threads, LightGBM version and machine type give
    the same text, byte for byte. The text holds no data, path or time.
    """

    name: ClassVar[str] = "lightgbm_poisson"

    feature_names_: tuple[str, ...]
    categorical_: tuple[str, ...]

    def __init__(self, *, params: LightGBMParams = SMALL_TREES, seed: int, num_threads: int) -> None:
        self.params = params
        self.seed = seed
        self.num_threads = num_threads
        self._booster: lightgbm.Booster | None = None

    def fit(
        self,
        X: FloatArray,
        y: ArrayLike,
        expected: ArrayLike,
        *,
        feature_names: Sequence[str],
        categorical: Sequence[str] = (),
    ) -> Self:
        """Grow the trees.

        With too few rows for a split exp(f) is 1 for everybody.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            Features; NaN is missing.
        y : array_like, shape (n,)
            Purchase days that came within the horizon, 0 or more.
        expected : array_like, shape (n,)
            Purchase days that the purchase model expected, 0 or more.
        feature_names : sequence of str
            Names of the columns, without white space and ``" , : [ ] { }``.
        categorical : sequence of str
            Names of the columns that hold codes of categories: 0, 1, 2, …, NaN where missing.

        Raises
        ------
        InputError
            The arrays don't fit each other, are empty, or hold values that are not legal.
        FitError
            Nobody purchased within the horizon.
        """
        names = as_feature_names(feature_names)
        categories = as_categorical(categorical, names)
        features = as_features(X, names, categories)
        counts = _as_counts("y", y, len(features))
        offset = _log_offset(expected, len(features))
        if not len(counts):
            raise InputError("expected at least one row, got none; nothing can be learnt from no customers")
        if not counts.any():
            raise FitError(
                f"none of {len(counts)} customers purchased within the horizon, so no rate can be learnt; choose a "
                "longer horizon"
            )
        total = float(np.exp(offset).sum())
        level = np.log(counts.sum() / total)
        settings: dict[str, Any] = settings_for(
            self.params,
            objective="poisson",
            metric="poisson",
            seed=self.seed,
            num_threads=self.num_threads,
            draws_rows=True,
        )
        rows = lightgbm.Dataset(
            features,
            counts,
            init_score=offset + level,
            feature_name=list(names),
            categorical_feature=[names.index(name) for name in categories],
            params=settings,
        )
        booster = lightgbm.train(settings, rows, num_boost_round=self.params.num_rounds)
        if booster.num_trees():
            _raise_by(booster, float(np.log(max(float(np.sum(expected)), LEAST_TOTAL) / max(total, LEAST_TOTAL))))
        # The text, not the trained object, is the model: what is evaluated is then what is stored, to the last bit.
        return self._adopt(booster.model_to_string())

    def predict(self, X: FloatArray, expected: ArrayLike) -> FloatArray:
        """Return the purchase days to expect of each customer within the horizon of the fit.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            Features in the order of ``feature_names_``; NaN is missing.
        expected : array_like, shape (n,)
            What the purchase model expects of them, 0 or more.

        Returns
        -------
        ndarray, shape (n,), float64
            Above 0.

        Raises
        ------
        NotFittedError, InputError
        """
        booster = self._fitted()
        features = as_features(X, self.feature_names_, self.categorical_)
        offset = _log_offset(expected, len(features))
        if len(features) == 0:
            return np.empty(0)
        threads = 1 if len(features) == 1 else self.num_threads
        log_factor = booster.predict(features, raw_score=True, num_threads=threads)
        return np.asarray(np.exp(offset + np.asarray(log_factor, dtype=np.float64)))

    def to_text(self) -> str:
        """Return LightGBM's own model text; it opens in any LightGBM, where it gives the factor's logarithm.

        Raises
        ------
        NotFittedError
        """
        text: str = self._fitted().model_to_string()
        return text

    @classmethod
    def from_text(cls, text: str, *, num_threads: int = 1) -> Self:
        """Return the model that ``to_text`` wrote, with the settings and the seed it was fitted with.

        Raises
        ------
        InputError
            The text is no model of ours, or not whole.
        """
        booster = booster_of(text, objective="poisson")
        forecast = cls(params=params_of(booster), seed=booster.params["seed"], num_threads=num_threads)
        return forecast._adopt(text)

    def _fitted(self) -> lightgbm.Booster:
        if self._booster is None:
            raise NotFittedError("this PoissonForecast has no trees yet; call fit, or from_text for a stored one")
        return self._booster

    def _adopt(self, text: str) -> Self:
        booster = lightgbm.Booster(model_str=text)
        self._booster = booster
        self.feature_names_, self.categorical_ = columns_of(booster)
        return self


def _raise_by(booster: lightgbm.Booster, constant: float) -> None:
    """Add a constant to what the trees say of everybody: to each leaf of the first."""
    leaves = booster.dump_model(num_iteration=1)["tree_info"][0]["num_leaves"]
    for leaf in range(leaves):
        booster.set_leaf_output(0, leaf, booster.get_leaf_output(0, leaf) + constant)


def _log_offset(expected: ArrayLike, n_rows: int) -> FloatArray:
    return np.asarray(np.log(np.maximum(_as_counts("expected", expected, n_rows), FEWEST_EXPECTED)))


def _as_counts(name: str, values: ArrayLike, n_rows: int) -> FloatArray:
    counts = np.asarray(values, dtype=np.float64)
    if counts.shape != (n_rows,):
        raise InputError(f"expected {name} of shape ({n_rows},), one number a row, got {counts.shape}")
    illegal = ~(np.isfinite(counts) & (counts >= 0))
    if illegal.any():
        first = int(np.argmax(illegal))
        raise InputError(
            f"expected {name} of 0 or more, got {counts[first]} in row {first} ({int(illegal.sum())} such row(s))"
        )
    return counts
