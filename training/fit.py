"""Fitting one classifier with given settings, evaluated or for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.binary_classifier import BinaryClassifier
from models.bundle import TargetModel
from models.calibrator import Calibrator
from models.logistic import LogisticModel
from models.propensity import LightGBMParams, PropensityModel
from training.dataset import Dataset, Rows

__all__ = ["LOGIT_RFM", "ClassifierSettings", "fit_evaluated", "fit_final", "out_of_fold_margins"]

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
    """

    kind: Literal["lightgbm", "logistic"]
    features: tuple[str, ...]
    params: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-safe values."""
        return {**asdict(self), "features": list(self.features)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        return cls(values["kind"], tuple(values["features"]), dict(values["params"]))

    def fit(self, rows: Rows, *, seed: int, early_stopping: Rows | None = None) -> BinaryClassifier:
        """Fit on some rows; only LightGBM stops early."""
        X = rows.inputs(self.features)
        if self.kind == "logistic":
            return LogisticModel(**self.params).fit(X, rows.y, feature_names=self.features)
        watched = None if early_stopping is None else (early_stopping.inputs(self.features), early_stopping.y)
        threads = 1 if len(rows.y) < _ROWS_FOR_TWO_THREADS else 2
        model = PropensityModel(params=LightGBMParams(**self.params), seed=seed, num_threads=threads)
        return model.fit(X, rows.y, feature_names=self.features, early_stopping=watched)

    def with_rounds_of(self, classifier: BinaryClassifier) -> ClassifierSettings:
        """Return the settings that grow as many trees as a fit that stopped early."""
        if not isinstance(classifier, PropensityModel):
            return self
        return ClassifierSettings(self.kind, self.features, {**self.params, "num_rounds": classifier.best_rounds_})


# The baseline that any classifier has to beat, and a candidate itself.
LOGIT_RFM = ClassifierSettings(
    "logistic",
    ("frequency", "recency", "T", "monetary_value"),
    {"l2": 1.0, "log1p": ["frequency", "monetary_value"]},
)


def fit_evaluated(settings: ClassifierSettings, dataset: Dataset, *, seed: int) -> TargetModel:
    """Fit on the training rows, stop on the early stopping rows, calibrate on the calibration rows."""
    classifier = settings.fit(dataset.train, seed=seed, early_stopping=dataset.early_stopping)
    margin = classifier.raw_margin(dataset.calibration.inputs(settings.features))
    calibrator = Calibrator().fit(margin, dataset.calibration.y)
    return TargetModel("churn", classifier, calibrator, float(dataset.train.y.mean()))


def fit_final(settings: ClassifierSettings, rows: Rows, *, seed: int) -> TargetModel:
    """Fit on all labelled rows, calibrated on what each fifth of the customers gets from a fit on the others."""
    classifier = settings.fit(rows, seed=seed)
    calibrator = Calibrator().fit(out_of_fold_margins(settings, rows, seed=seed), rows.y)
    return TargetModel("churn", classifier, calibrator, float(rows.y.mean()))


def out_of_fold_margins(settings: ClassifierSettings, rows: Rows, *, seed: int) -> NDArray[np.float64]:
    """Return for each row the margin given by a fit on the other folds of customers, shape (n,)."""
    fold = (rows.draw * _FOLDS).astype(int)
    margins = np.empty(len(rows.y))
    for left_out in np.unique(fold):
        held = fold == left_out
        classifier = settings.fit(rows.where(~held), seed=seed)
        margins[held] = classifier.raw_margin(rows.inputs(settings.features)[held])
    return margins
