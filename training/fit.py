"""Fitting one classifier with given settings, evaluated or for good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from features.catalogue import find_feature
from features.feature import Feature
from features.targets import Target
from models.binary_classifier import BinaryClassifier
from models.bundle import TargetModel
from models.calibrator import Calibrator
from models.drivers import find_edges
from models.logistic import LogisticModel
from models.propensity import LightGBMParams, PropensityModel
from training.dataset import Dataset, Rows
from training.folds import stratified_folds

__all__ = [
    "LOGIT_RFM",
    "ClassifierSettings",
    "fit_evaluated",
    "fit_final",
    "folds_of_equals",
    "logit_all",
    "out_of_fold_margins",
]

_FOLDS = 5

# Below this many rows a second thread costs more than it brings, above all beside other work. The number depends on
# the rows alone, since LightGBM may sum in another order with another number of threads.
_ROWS_FOR_TWO_THREADS = 500_000


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """All that decides a fit besides rows and seed.

    Attributes
    ----------
    kind : {"lightgbm", "logistic"}
    features : tuple of str
    params : dict
        For LightGBM those of `LightGBMParams`, for logistic regression `l2` and `log1p`.
    monotone : dict of str to int
        Features with which LightGBM's log-odds may only rise (1) or only fall (-1); logistic regression knows none.
    """

    kind: Literal["lightgbm", "logistic"]
    features: tuple[str, ...]
    params: dict[str, Any]
    monotone: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-safe values."""
        return {**asdict(self), "features": list(self.features)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave, here or in a version that knew of no monotone features."""
        return cls(values["kind"], tuple(values["features"]), dict(values["params"]), dict(values.get("monotone", {})))

    def among(self, names: Iterable[str]) -> Self:
        """Return the settings with only those of their features that are among some names."""
        known = set(names)
        return replace(
            self,
            features=tuple(name for name in self.features if name in known),
            params={
                key: [name for name in value if name in known] if key == "log1p" else value
                for key, value in self.params.items()
            },
            monotone={name: direction for name, direction in self.monotone.items() if name in known},
        )

    def fit(self, rows: Rows, *, seed: int, early_stopping: Rows | None = None) -> BinaryClassifier:
        """Fit on some rows; only LightGBM stops early."""
        X = rows.inputs(self.features)
        categorical = tuple(name for name in self.features if name in rows.categorical)
        if self.kind == "logistic":
            logged = [name for name in self.params["log1p"] if name not in categorical]
            logistic = LogisticModel(l2=self.params["l2"], log1p=logged)
            return logistic.fit(X, rows.y, feature_names=self.features, categorical=categorical)
        watched = None if early_stopping is None else (early_stopping.inputs(self.features), early_stopping.y)
        threads = 1 if len(rows.y) < _ROWS_FOR_TWO_THREADS else 2
        model = PropensityModel(params=LightGBMParams(**self.params), seed=seed, num_threads=threads)
        return model.fit(
            X,
            rows.y,
            feature_names=self.features,
            categorical=categorical,
            monotone=self.monotone,
            early_stopping=watched,
        )

    def with_rounds_of(self, classifier: BinaryClassifier) -> ClassifierSettings:
        """Return the settings that grow as many trees as a fit that stopped early."""
        if not isinstance(classifier, PropensityModel):
            return self
        return replace(self, params={**self.params, "num_rounds": classifier.best_rounds_})


# The baseline that any classifier has to beat, and a candidate itself.
LOGIT_RFM = ClassifierSettings(
    "logistic",
    ("frequency", "recency", "T", "monetary_value"),
    {"l2": 1.0, "log1p": ["frequency", "monetary_value"]},
)


# Of these units a tenth of the customers have many times what most have; logarithms bring them together.
_SKEWED = frozenset(
    {
        "attribute",
        "categories",
        "currency",
        "days",
        "items",
        "orders",
        "pieces",
        "products",
        "purchase days",
        "refunds",
        "times",
    }
)


def logit_all(names: tuple[str, ...]) -> ClassifierSettings:
    """Return logistic regression on all of some features, with logarithms of skewed ones."""
    return ClassifierSettings(
        "logistic",
        names,
        {"l2": 10.0, "log1p": [name for name in names if _is_skewed(find_feature(name))]},
    )


def _is_skewed(feature: Feature | None) -> bool:
    return feature is not None and feature.source != "btyd" and feature.unit in _SKEWED


def fit_evaluated(settings: ClassifierSettings, dataset: Dataset, target: Target, *, seed: int) -> TargetModel:
    """Fit on the training rows, stop on the early stopping rows, calibrate on the calibration rows."""
    classifier = settings.fit(dataset.train, seed=seed, early_stopping=dataset.early_stopping)
    margin = classifier.raw_margin(dataset.calibration.inputs(settings.features))
    calibrator = Calibrator().fit(margin, dataset.calibration.y)
    return TargetModel(target, classifier, calibrator, float(dataset.train.y.mean()), edges={})


def fit_final(settings: ClassifierSettings, rows: Rows, target: Target, *, seed: int) -> TargetModel:
    """Fit on all labelled rows, calibrated on what each fifth of the customers gets from a fit on the others."""
    classifier = settings.fit(rows, seed=seed)
    fold = None
    if target.kind == "label":
        # Whoever looks the same has one fate as often as not; a fold must not know it from its twin.
        fold = folds_of_equals(rows, settings.features, seed=seed)
    calibrator = Calibrator().fit(out_of_fold_margins(settings, rows, seed=seed, fold=fold), rows.y)
    edges = find_edges(rows.inputs(settings.features), settings.features, categorical=rows.categorical)
    return TargetModel(target, classifier, calibrator, float(rows.y.mean()), edges)


def folds_of_equals(rows: Rows, features: tuple[str, ...], *, seed: int) -> NDArray[np.int64]:
    """Return five folds in which equal rows, and those of one customer, stay together, shape (n,)."""
    customers = [repr(draw) for draw in rows.draw.tolist()]
    return stratified_folds(rows.inputs(features), rows.y, customer_ids=customers, n_folds=_FOLDS, seed=seed)


def out_of_fold_margins(
    settings: ClassifierSettings, rows: Rows, *, seed: int, fold: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return for each row the margin given by a fit on the other folds, shape (n,); by default fifths of customers."""
    if fold is None:
        fold = (rows.draw * _FOLDS).astype(np.int64)
    margins = np.empty(len(rows.y))
    for left_out in np.unique(fold):
        held = fold == left_out
        classifier = settings.fit(rows.where(~held), seed=seed)
        margins[held] = classifier.raw_margin(rows.inputs(settings.features)[held])
    return margins
