"""The search for a classifier: LightGBM's settings by Optuna, and logistic regression beside them."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from models.calibrator import Calibrator
from models.metrics import log_loss
from models.propensity import LightGBMParams
from models.purchase_model import BTYD_FEATURES
from training.dataset import Dataset
from training.fit import LOGIT_RFM, ClassifierSettings, logit_all

__all__ = ["SearchResult", "search"]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What the search found.

    Attributes
    ----------
    settings : ClassifierSettings
        Of the candidate with the least log loss on the calibration rows.
    trials : int
        LightGBM candidates tried.
    stopped_by_time : bool
        Whether the time limit ended it, which makes the result depend on the machine's speed.
    selection_log_loss : dict
        Of the best LightGBM candidate and of each logistic regression.
    """

    settings: ClassifierSettings
    trials: int
    stopped_by_time: bool
    selection_log_loss: dict[str, float]


def search(
    dataset: Dataset,
    features: tuple[str, ...],
    *,
    trials: int,
    seed: int,
    time_limit_seconds: float,
    progress: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> SearchResult:
    """Try settings on the training rows and keep the best on the calibration rows.

    Parameters
    ----------
    dataset : Dataset
        Its test rows are not looked at.
    features : tuple of str
        What a candidate may use; BTYD outputs among them are kept only where they help.
    trials : int
        Budget, at least 1.
    seed : int
    time_limit_seconds : float
        Safety stop, checked between trials.
    progress : callable
        Told the share of trials done.
    clock : callable
        Seconds, for the safety stop.
    """
    without_btyd = tuple(name for name in features if name not in BTYD_FEATURES)
    with_btyd = len(without_btyd) < len(features)
    started = clock()
    stopped_by_time = False

    def objective(trial: optuna.Trial) -> float:
        settings = _suggest(trial, features, without_btyd)
        trial.set_user_attr("settings", settings.to_dict())
        return _selection_loss(settings, dataset, seed)

    def after_trial(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        nonlocal stopped_by_time
        progress((trial.number + 1) / trials)
        if trial.number + 1 < trials and clock() - started > time_limit_seconds:
            stopped_by_time = True
            study.stop()

    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), direction="minimize")
    study.enqueue_trial({**_FIRST, **({"with_btyd": False} if with_btyd else {})})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.optimize(objective, n_trials=trials, callbacks=[after_trial])

    best = ClassifierSettings.from_dict(study.best_trial.user_attrs["settings"])
    # Of equal ones the first is kept.
    candidates = {**_logits(features, without_btyd), "lightgbm": best}
    losses = {
        name: float(study.best_value) if settings is best else _selection_loss(settings, dataset, seed)
        for name, settings in candidates.items()
    }
    return SearchResult(
        settings=candidates[min(losses, key=losses.__getitem__)],
        trials=len(study.trials),
        stopped_by_time=stopped_by_time,
        selection_log_loss=losses,
    )


def _logits(features: tuple[str, ...], without_btyd: tuple[str, ...]) -> dict[str, ClassifierSettings]:
    # On purchases, many inputs that drift with the log's length tempt a linear model on one snapshot and mislead it on
    # the next; on attributes there is nothing else to read.
    if set(LOGIT_RFM.features) <= set(features):
        return {"logit_rfm": LOGIT_RFM}
    return {"logit_all": logit_all(without_btyd)}


# Small and well regularised: on a few thousand customers most of what a search finds lies near it.
_FIRST: dict[str, Any] = {
    "learning_rate": 0.05,
    "max_depth": 4,
    "num_leaves": 12,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "lambda_l2": 10.0,
}


def _suggest(trial: optuna.Trial, features: tuple[str, ...], without_btyd: tuple[str, ...]) -> ClassifierSettings:
    params = LightGBMParams(
        learning_rate=trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        max_depth=trial.suggest_int("max_depth", 2, 6),
        num_leaves=trial.suggest_int("num_leaves", 4, 48, log=True),
        min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 10, 400, log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.3, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.5, 1.0),
        lambda_l2=trial.suggest_float("lambda_l2", 0.01, 100.0, log=True),
        num_rounds=500,
        early_stopping_rounds=30,
    )
    with_btyd = len(without_btyd) < len(features) and trial.suggest_categorical("with_btyd", [False, True])
    return ClassifierSettings("lightgbm", features if with_btyd else without_btyd, asdict(params))


def _selection_loss(settings: ClassifierSettings, dataset: Dataset, seed: int) -> float:
    classifier = settings.fit(dataset.train, seed=seed, early_stopping=dataset.early_stopping)
    margin = classifier.raw_margin(dataset.calibration.inputs(settings.features))
    calibrator = Calibrator().fit(margin, dataset.calibration.y)
    return log_loss(dataset.calibration.y, calibrator.predict(margin))
