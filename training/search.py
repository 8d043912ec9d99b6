"""The search for a classifier: LightGBM's settings by Optuna, and logistic regression on RFM beside them."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from models.metrics import log_loss
from models.propensity import LightGBMParams
from models.purchase_model import BTYD_FEATURES
from training.dataset import Dataset
from training.fit import LOGIT_RFM, ClassifierSettings, fit_evaluated

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
        Of the best LightGBM candidate and of logistic regression on RFM.
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
    study.enqueue_trial(_FIRST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.optimize(objective, n_trials=trials, callbacks=[after_trial])

    best = ClassifierSettings.from_dict(study.best_trial.user_attrs["settings"])
    losses = {"lightgbm": float(study.best_value), "logit_rfm": _selection_loss(LOGIT_RFM, dataset, seed)}
    return SearchResult(
        settings=LOGIT_RFM if losses["logit_rfm"] < losses["lightgbm"] else best,
        trials=len(study.trials),
        stopped_by_time=stopped_by_time,
        selection_log_loss=losses,
    )


# Small and well regularised: on a few thousand customers most of what a search finds lies near it.
_FIRST: dict[str, Any] = {
    "with_btyd": False,
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
    with_btyd = trial.suggest_categorical("with_btyd", [False, True])
    return ClassifierSettings("lightgbm", features if with_btyd else without_btyd, asdict(params))


def _selection_loss(settings: ClassifierSettings, dataset: Dataset, seed: int) -> float:
    model = fit_evaluated(settings, dataset, seed=seed)
    margin = model.classifier.raw_margin(dataset.calibration.inputs(settings.features))
    return log_loss(dataset.calibration.y, model.calibrator.predict(margin))
