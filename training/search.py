"""The search for a classifier: LightGBM's settings by Optuna, and logistic regression beside them."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping
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
    monotone: Mapping[str, int],
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
    monotone : mapping of str to {-1, 1}
        Those of them with which the target is known to rise or fall; candidates are held to it only where that helps.
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
    space = _Space(features, monotone)
    started = clock()
    stopped_by_time = False

    def objective(trial: optuna.Trial) -> float:
        settings = space.suggest(trial)
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
    for values in space.first_trials():
        study.enqueue_trial(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.optimize(objective, n_trials=trials, callbacks=[after_trial])

    best = ClassifierSettings.from_dict(study.best_trial.user_attrs["settings"])
    # Of equal ones the first is kept.
    candidates = {**_logits(features, space.without_btyd), "lightgbm": best}
    losses = {
        name: float(study.best_value) if settings is best else _selection_loss(settings, dataset, seed)
        for name, settings in candidates.items()
    }
    return SearchResult(
        settings=candidates[min(losses, key=losses.__getitem__)],
        trials=len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))),
        stopped_by_time=stopped_by_time,
        selection_log_loss=losses,
    )


def _logits(features: tuple[str, ...], without_btyd: tuple[str, ...]) -> dict[str, ClassifierSettings]:
    # On purchases, many inputs that drift with the log's length tempt a linear model on one snapshot and mislead it on
    # the next; on attributes there is nothing else to read.
    if set(LOGIT_RFM.features) <= set(features):
        return {"logit_rfm": LOGIT_RFM}
    return {"logit_all": logit_all(without_btyd)}


# Tried first, however small the budget. All are small and well regularised: on a few thousand customers most of what a
# search finds lies near them. Stumps can't tell how features act together, which is where trees overfit first.
_FIRST: tuple[dict[str, Any], ...] = (
    {
        "learning_rate": 0.05,
        "max_depth": 4,
        "num_leaves": 12,
        "min_data_in_leaf": 100,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "lambda_l2": 10.0,
        "monotone": False,
    },
    {
        "learning_rate": 0.1,
        "max_depth": 1,
        "num_leaves": 2,
        "min_data_in_leaf": 50,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "lambda_l2": 10.0,
        "monotone": False,
    },
    {
        "learning_rate": 0.05,
        "max_depth": 2,
        "num_leaves": 4,
        "min_data_in_leaf": 100,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "lambda_l2": 100.0,
        "monotone": True,
    },
)


class _Space:
    """What the search may choose from.

    Parameters
    ----------
    features : tuple of str
        All that a candidate may use.
    monotone : mapping of str to {-1, 1}
        Directions that a candidate may be held to.
    """

    def __init__(self, features: tuple[str, ...], monotone: Mapping[str, int]) -> None:
        self.features = features
        self.without_btyd = tuple(name for name in features if name not in BTYD_FEATURES)
        self.monotone = {name: monotone[name] for name in features if name in monotone}
        # Choices that are none are not asked for, so that no trial is spent on them.
        self._choices = {
            "with_btyd": len(self.without_btyd) < len(features),
            "monotone": bool(self.monotone),
        }

    def first_trials(self) -> list[dict[str, Any]]:
        """Return the values of the trials that come before any that is drawn."""
        return [
            {name: value for name, value in {**first, "with_btyd": False}.items() if self._choices.get(name, True)}
            for first in _FIRST
        ]

    def suggest(self, trial: optuna.Trial) -> ClassifierSettings:
        """Draw a candidate."""
        params = LightGBMParams(
            learning_rate=trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
            max_depth=trial.suggest_int("max_depth", 1, 6),
            num_leaves=trial.suggest_int("num_leaves", 2, 48, log=True),
            min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 10, 400, log=True),
            feature_fraction=trial.suggest_float("feature_fraction", 0.3, 1.0),
            bagging_fraction=trial.suggest_float("bagging_fraction", 0.5, 1.0),
            lambda_l2=trial.suggest_float("lambda_l2", 0.01, 300.0, log=True),
            num_rounds=500,
            early_stopping_rounds=30,
        )
        features = self.features if self._chosen(trial, "with_btyd") else self.without_btyd
        held_to = self.monotone if self._chosen(trial, "monotone") else {}
        return ClassifierSettings(
            "lightgbm", features, asdict(params), {name: held_to[name] for name in features if name in held_to}
        )

    def _chosen(self, trial: optuna.Trial, name: str) -> bool:
        return self._choices[name] and trial.suggest_categorical(name, [False, True])


def _selection_loss(settings: ClassifierSettings, dataset: Dataset, seed: int) -> float:
    classifier = settings.fit(dataset.train, seed=seed, early_stopping=dataset.early_stopping)
    margin = classifier.raw_margin(dataset.calibration.inputs(settings.features))
    calibrator = Calibrator().fit(margin, dataset.calibration.y)
    return log_loss(dataset.calibration.y, calibrator.predict(margin))
