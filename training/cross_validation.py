"""Five-fold cross-validation, for labels without dates: every row is tested by a model that didn't know it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.targets import Target
from models.calibrator import Calibrator
from models.metrics import BinaryReport, binary_report, log_loss
from training.comparison import Baseline, doubts
from training.dataset import Dataset, Rows, require_enough
from training.evaluate import calibration_points
from training.fit import (
    ClassifierSettings,
    fit_evaluated,
    fit_final,
    folds_of_equals,
    logit_all,
    out_of_fold_margins,
)
from training.folds import stratified_folds
from training.monotone import monotone_directions
from training.search import SearchResult, search
from training.verdict import verdict

__all__ = ["CrossValidation", "cross_validate"]

_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """What five folds say of the way a model is found and fitted.

    Attributes
    ----------
    y : float64, shape (n,)
        Labels of the rows.
    customer : str array, shape (n,)
        Whose row it is.
    fold : int64, shape (n,)
        The fold that each row was left out with.
    probability : float64, shape (n,)
        Given to each row by the model that was searched, fitted and calibrated on the other folds.
    baselines : dict of float64 arrays, shape (n,)
        `logit_all`: logistic regression on all features; `base_rate`: the share of the label in the other folds.
    kinds : tuple of str
        Kind of the classifier that the search chose with each fold left out.
    search : SearchResult
        On all rows, for the final fit; its LightGBM settings have the number of trees at which the fit stopped.
    stopped_by_time : bool
        Whether the time limit ended any of the searches.
    seed : int
        Of everything that is drawn.
    """

    y: NDArray[np.float64]
    customer: NDArray[np.str_]
    fold: NDArray[np.int64]
    probability: NDArray[np.float64]
    baselines: dict[str, NDArray[np.float64]]
    kinds: tuple[str, ...]
    search: SearchResult
    stopped_by_time: bool
    seed: int

    def with_settings(self, settings: ClassifierSettings, rows: Rows, target: Target, *, seed: int) -> dict[str, Any]:
        """Return the mean figures of other settings, fitted and measured on the same folds."""
        probability = np.empty(len(self.y))
        for held in self._folds():
            model = fit_final(settings, rows.where(~held), target, seed=seed)
            margin = model.classifier.raw_margin(rows.where(held).inputs(settings.features))
            probability[held] = model.calibrator.predict(margin)
        return _summary(self.figures(probability))[0]

    def figures(self, probability: NDArray[np.float64]) -> list[BinaryReport]:
        """Measure some probabilities of the rows fold by fold."""
        return [binary_report(self.y[held], probability[held]) for held in self._folds()]

    def report(self) -> dict[str, Any]:
        """Return the figures, JSON-safe.

        Each is the mean over the folds (`n` their sum), with its standard deviation over the folds under
        `standard_deviation`; those of each fold are under `folds`, those of the baselines under `baselines`. The
        calibration curve is of the left-out probabilities of all rows together.
        """
        folds = self.figures(self.probability)
        mean, deviation = _summary(folds)
        baselines = {}
        for name, probability in self.baselines.items():
            its_mean, its_deviation = _summary(self.figures(probability))
            baselines[name] = {**its_mean, "standard_deviation": its_deviation}
        kind = self.search.settings.kind
        known = {name: Baseline(probability, is_probability=True) for name, probability in self.baselines.items()}
        report = {
            **mean,
            "standard_deviation": deviation,
            "folds": [{**figures, "classifier": kind} for figures, kind in zip(folds, self.kinds, strict=True)],
            "baselines": baselines,
            **doubts(self.y, self.probability, known, customer=self.customer, seed=self.seed, fold=self.fold),
            "classifier": kind,
            "calibration_curve": calibration_points(self.y, self.probability),
        }
        return {**report, "verdict": verdict(report)}

    def _folds(self) -> list[NDArray[np.bool_]]:
        return [self.fold == left_out for left_out in range(_FOLDS)]


def cross_validate(
    rows: Rows,
    features: tuple[str, ...],
    *,
    customer_ids: Sequence[str],
    target: Target,
    trials: int,
    seed: int,
    time_limit_seconds: float,
    progress: Callable[[float], None],
) -> CrossValidation:
    """Measure by five folds how good a model is that is found, fitted and calibrated on the rows of the other four.

    What is done with four folds is what is done with all rows for the model that is used: the search divides them
    once more into rows to train, to stop and to select by; then its choice is fitted on all of them. So the figures
    are of the whole procedure, and no left-out row has any part in what it is measured by.

    Parameters
    ----------
    rows : Rows
        Without dates: all labels count as of one day.
    features : tuple of str
        What a candidate may use.
    customer_ids : sequence of str, length n
    target : Target
    trials : int
        Budget of each of the six searches: one a fold, one on all rows.
    seed : int
    time_limit_seconds : float
        Safety stop of all searches together.
    progress : callable
        Told the share of the work that is done.

    Raises
    ------
    TrainingError
        There are too few rows, too few of a label, or too few that differ.
    """
    require_enough("five folds", rows, target)
    fold = stratified_folds(rows.inputs(features), rows.y, customer_ids=customer_ids, n_folds=_FOLDS, seed=seed)
    ids = np.asarray(customer_ids)
    probability = np.empty(len(rows.y))
    baselines = {"logit_all": np.empty(len(rows.y)), "base_rate": np.empty(len(rows.y))}

    def found_on(part: Rows, part_ids: NDArray[np.str_], searches_done: int) -> SearchResult:
        return _search_within(
            part,
            features,
            customer_ids=part_ids.tolist(),
            target=target,
            trials=trials,
            seed=seed,
            time_limit_seconds=time_limit_seconds / (_FOLDS + 1),
            progress=lambda done: progress((searches_done + done) / (_FOLDS + 1)),
        )

    found = []
    for left_out in range(_FOLDS):
        held = fold == left_out
        others, tested = rows.where(~held), rows.where(held)
        found.append(found_on(others, ids[~held], left_out))
        model = fit_final(found[-1].settings, others, target, seed=seed)
        margin = model.classifier.raw_margin(tested.inputs(model.classifier.feature_names_))
        probability[held] = model.calibrator.predict(margin)
        logit = logit_all(features).fit(others, seed=seed)
        baselines["logit_all"][held] = expit(logit.raw_margin(tested.inputs(features)))
        baselines["base_rate"][held] = others.y.mean()
    final = found_on(rows, ids, _FOLDS)
    return CrossValidation(
        y=rows.y,
        customer=ids,
        fold=fold,
        probability=probability,
        baselines=baselines,
        kinds=tuple(result.settings.kind for result in found),
        search=final,
        stopped_by_time=any(result.stopped_by_time for result in (*found, final)),
        seed=seed,
    )


def _search_within(
    rows: Rows,
    features: tuple[str, ...],
    *,
    customer_ids: Sequence[str],
    target: Target,
    trials: int,
    seed: int,
    time_limit_seconds: float,
    progress: Callable[[float], None],
) -> SearchResult:
    """Search on three fifths of some rows; the fourth stops the trees, the fifth selects.

    The best of many trials owes part of its lead to the few rows that chose it. So boosted trees are kept only if they
    beat logistic regression out of fold on all of these rows as well.
    """
    fold = stratified_folds(rows.inputs(features), rows.y, customer_ids=customer_ids, n_folds=_FOLDS, seed=seed)
    dataset = Dataset(
        method="five folds",
        snapshots={},
        train=rows.where(fold < 3),
        early_stopping=rows.where(fold == 3),
        calibration=rows.where(fold == 4),
        test=rows.where(fold < 0),
    )
    found = search(
        dataset,
        features,
        monotone=monotone_directions(target, features),
        trials=trials,
        seed=seed,
        time_limit_seconds=time_limit_seconds,
        progress=progress,
    )
    if found.settings.kind == "logistic":
        return found
    stopped = fit_evaluated(found.settings, dataset, target, seed=seed)
    candidates = {
        "logit_all": logit_all(features),
        "lightgbm": found.settings.with_rounds_of(stopped.classifier),
    }
    losses = {name: _out_of_fold_loss(settings, rows, seed) for name, settings in candidates.items()}
    return replace(found, settings=candidates[min(losses, key=losses.__getitem__)], selection_log_loss=losses)


def _out_of_fold_loss(settings: ClassifierSettings, rows: Rows, seed: int) -> float:
    fold = folds_of_equals(rows, settings.features, seed=seed)
    margin = out_of_fold_margins(settings, rows, seed=seed, fold=fold)
    return log_loss(rows.y, Calibrator().fit(margin, rows.y).predict(margin))


def _summary(folds: Sequence[BinaryReport]) -> tuple[dict[str, Any], dict[str, float | None]]:
    """Return the mean of each figure over the folds, and its standard deviation."""
    mean: dict[str, Any] = {}
    deviation: dict[str, float | None] = {}
    for name in BinaryReport.__annotations__:
        values = [figures[name] for figures in folds]  # type: ignore[literal-required]
        known = None not in values
        mean[name] = float(np.mean(values)) if known else None
        deviation[name] = float(np.std(values, ddof=1)) if known else None
    mean["n"] = sum(figures["n"] for figures in folds)
    del deviation["n"]
    return mean, deviation
