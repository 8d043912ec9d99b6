"""Reasons: all contributions of each customer, beside `shap.TreeExplainer`.

    python -m benchmarks.reasons --customers 100000 --json

Four cases: a fixed model of 300 trees of depth 6 with 64 leaves, for many rows and for one row at a time; and one as
small as the search of a training finds (60 trees of depth 4). Thirty features, a tenth of their values missing, two of
them categories. Both sides take all processors for many rows. The model is loaded and our tables are made before; the
note says how long those take.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.comparison import Case, Side, compare
from models.propensity import LightGBMParams, PropensityModel
from models.tree_shap import TreeShap

__all__ = ["main"]

FloatArray = NDArray[np.float64]

_FEATURES = tuple(f"feature_{number:02d}" for number in range(30))
_CATEGORICAL = _FEATURES[:2]
_CATEGORIES = (8, 40)
_MISSING = 0.1
_TRAINING_ROWS = 20_000
_PEER_ROWS = 5_000
_SINGLE_ROWS = 200
_PEER = "shap.TreeExplainer"
_MODELS = {
    "300_trees_depth_6": LightGBMParams(num_rounds=300, max_depth=6, num_leaves=64, learning_rate=0.1),
    "60_trees_depth_4": LightGBMParams(num_rounds=60, max_depth=4, num_leaves=12, learning_rate=0.1),
}


def main() -> None:
    """Measure and print."""
    compare(_cases, description=__doc__, customers=100_000)


def _cases(customers: int) -> Iterator[Case]:
    share = min(1.0, _PEER_ROWS / customers)
    for name, params in _MODELS.items():
        X, y = _labelled(_TRAINING_ROWS)
        fitted = PropensityModel(params=params, seed=1, num_threads=1).fit(
            X, y, feature_names=_FEATURES, categorical=_CATEGORICAL
        )
        text, made = fitted.to_text(), _making(fitted.to_text())
        yield Case(
            f"reasons_{name}",
            customers,
            ours=Side(_all_at_once, text, customers),
            peer=Side(_explained_at_once, text, customers, round(share * customers)),
            peer_name=_PEER,
            peer_share=share,
            note=made,
        )
        yield Case(
            f"reasons_{name}_singly",
            _SINGLE_ROWS,
            ours=Side(_one_by_one, text),
            peer=Side(_explained_one_by_one, text),
            peer_name=_PEER,
            note=f"{_SINGLE_ROWS} calls with one row each",
        )


def _labelled(n: int) -> tuple[FloatArray, FloatArray]:
    """Return features, shape (n, 30), and an outcome that depends on some of them together."""
    random = np.random.default_rng(1)
    X = random.normal(size=(n, len(_FEATURES)))
    for column, categories in enumerate(_CATEGORIES):
        X[:, column] = random.integers(0, categories, n)
    log_odds = X[:, 2] + X[:, 3] * X[:, 4] - np.abs(X[:, 5]) + (X[:, 1] % 3 - 1) + 0.5 * X[:, 6:12].sum(axis=1)
    y = (random.random(n) < expit(log_odds)).astype(np.float64)
    X[random.random(X.shape) < _MISSING] = np.nan
    return X, y


def _making(text: str) -> str:
    TreeShap.from_text(text)  # compiles
    started = time.perf_counter()
    tables = TreeShap.from_text(text)
    seconds = time.perf_counter() - started
    assert tables is not None
    return f"tables made once, in {seconds * 1e3:.0f} ms, {tables.nbytes / 1e6:.1f} MB"


def _all_at_once(text: str, customers: int) -> Callable[[], FloatArray]:
    model = PropensityModel.from_text(text, num_threads=os.cpu_count() or 1)
    X, _ = _labelled(customers)
    model.contributions(X[:2])
    return lambda: model.contributions(X)[0]


def _explained_at_once(text: str, customers: int, kept: int) -> Callable[[], FloatArray]:
    explain = _explainer(text)
    X = _labelled(customers)[0][:kept]
    explain(X[:2])
    return lambda: explain(X)


def _one_by_one(text: str) -> Callable[[], FloatArray]:
    model = PropensityModel.from_text(text)
    X, _ = _labelled(_SINGLE_ROWS)
    model.contributions(X[:1])
    return lambda: np.concatenate([model.contributions(row)[0] for row in np.split(X, len(X))])


def _explained_one_by_one(text: str) -> Callable[[], FloatArray]:
    explain = _explainer(text)
    X, _ = _labelled(_SINGLE_ROWS)
    explain(X[:1])
    return lambda: np.concatenate([explain(row) for row in np.split(X, len(X))])


def _explainer(text: str) -> Callable[[FloatArray], FloatArray]:
    import lightgbm

    # Its import and its first call warn of what other versions do.
    warnings.simplefilter("ignore")
    import shap

    explainer = shap.TreeExplainer(lightgbm.Booster(model_str=text))
    return lambda X: np.asarray(explainer.shap_values(X), dtype=np.float64)


if __name__ == "__main__":
    main()
