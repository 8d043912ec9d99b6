"""How good the models are, against baselines: on the test snapshot for churn, on a hold-out for clv."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure, aggregate
from features.build import build_features
from features.event_log import EventLog
from features.rfm import Rfm
from features.windows import Snapshot
from models.baselines import nobody_returns, same_rate
from models.btyd import BetaGeoModel, BuyTillYouDieModel
from models.bundle import TargetModel
from models.metrics import auc, binary_report, calibration_curve, holdout_errors, log_loss
from training.dataset import Dataset
from training.exceptions import TrainingError
from training.fit import LOGIT_RFM, fit_evaluated

__all__ = ["CLV_MODELS", "evaluate_churn", "evaluate_clv", "predict", "verdict"]

CLV_MODELS: Mapping[str, Callable[[], BuyTillYouDieModel]] = {BetaGeoModel.name: BetaGeoModel}

_BASELINES_IN_WORDS = {
    "days_since_last_purchase": "days since the last purchase",
    "logit_rfm": "logistic regression on RFM",
    "p_alive": "P(alive) of the purchase model",
}

# Differences in AUC below this are noise on a few thousand customers.
_AUC_TIE = 0.003


def evaluate_churn(model: TargetModel, dataset: Dataset, *, seed: int) -> dict[str, Any]:
    """Measure an evaluated classifier and its baselines on the test rows.

    Returns
    -------
    dict
        JSON-safe: the figures, the baselines' under `baselines`, the plan of snapshots, a verdict in plain words.
    """
    rows = dataset.test
    probability = predict(model, dataset)
    logit_probability = predict(fit_evaluated(LOGIT_RFM, dataset, seed=seed), dataset)
    (p_alive, silence) = rows.inputs(("p_alive", "days_since_last_purchase")).T
    figures = binary_report(rows.y, probability)
    baselines = {
        "days_since_last_purchase": {"auc": auc(rows.y, silence)},
        "logit_rfm": {"auc": auc(rows.y, logit_probability), "log_loss": log_loss(rows.y, logit_probability)},
        "p_alive": {"auc": auc(rows.y, -p_alive)},
    }
    curve = calibration_curve(rows.y, probability)
    return {
        **figures,
        "splits": dataset.splits.method,
        "baselines": baselines,
        "snapshots": dataset.splits.as_dates(),
        "classifier": model.classifier.kind,
        "verdict": verdict(figures, baselines, model.classifier.kind),
        "calibration_curve": {
            "predicted": curve.predicted.tolist(),
            "observed": curve.observed.tolist(),
            "counts": curve.count.tolist(),
        },
    }


def predict(model: TargetModel, dataset: Dataset) -> NDArray[np.float64]:
    """Return the calibrated probabilities of the test rows, shape (n,)."""
    margin = model.classifier.raw_margin(dataset.test.inputs(model.classifier.feature_names_))
    return model.calibrator.predict(margin)


def verdict(figures: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]], kind: str) -> str:
    """Say in plain words whether the classifier is worth its keep."""
    name, best = max(baselines.items(), key=lambda item: item[1]["auc"] or 0.0)
    ours, theirs = figures["auc"], best["auc"]
    if ours is None or theirs is None:
        return "All customers of the test snapshot had the same fate, so that nothing can be said of the ranking."
    figures_in_words = f"AUC {ours:.4f} against {theirs:.4f} of {_BASELINES_IN_WORDS[name]}"
    if kind == "logistic":
        return f"Logistic regression on RFM did best on the selection rows and is what is used ({figures_in_words})."
    logit = baselines["logit_rfm"]
    better_loss = figures["log_loss"] < logit["log_loss"]
    if ours > theirs + _AUC_TIE:
        return f"It ranks customers better than every baseline ({figures_in_words})."
    if ours >= theirs - _AUC_TIE:
        loss = f"log loss {figures['log_loss']:.4f} against {logit['log_loss']:.4f} of logistic regression"
        gain = "but its probabilities are better" if better_loss else "and its probabilities are no better either"
        return f"It ranks customers no better than its best baseline ({figures_in_words}), {gain} ({loss})."
    return f"It ranks customers worse than its best baseline ({figures_in_words}). Use it with care."


def evaluate_clv(log: EventLog, *, end_day: int, holdout_days: int, model_name: str) -> dict[str, Any]:
    """Fit a BTYD model before a hold-out and compare what it expects with what came, in purchase days a customer.

    Parameters
    ----------
    log : EventLog
    end_day : int
        Local day at whose midnight the log ends.
    holdout_days : int
        Length of the hold-out before it.
    model_name : str
        One of `CLV_MODELS`.

    Raises
    ------
    TrainingError
        Nobody purchased before the hold-out.
    """
    start = Snapshot.at_midnight(end_day - holdout_days, log.calendar)
    frame = build_features(log, start)
    rfm = Rfm.of(frame)
    if not len(rfm.rows):
        raise TrainingError(
            f"Nobody purchased before {start.date}, where a hold-out of {holdout_days} days begins. Choose a shorter "
            "one."
        )
    model = CLV_MODELS[model_name]().fit(rfm.frequency, rfm.recency, rfm.T)
    end = Snapshot.at_midnight(end_day, log.calendar)
    bought = aggregate(log, end, (Aggregate(Measure.PURCHASE_DAYS, days=holdout_days),))[rfm.rows, 0]
    actual = np.nan_to_num(bought, nan=0.0)
    errors = holdout_errors(actual, model.expected_purchases(holdout_days, rfm.frequency, rfm.recency, rfm.T))
    baselines = {
        "same_rate": holdout_errors(actual, same_rate(rfm.frequency, rfm.T, holdout_days)),
        "nobody_returns": holdout_errors(actual, nobody_returns(len(actual))),
    }
    return {
        "model": model.name,
        "params": dict(model.params_),
        "log_likelihood": model.log_likelihood_,
        "n_customers": model.n_customers_,
        "calibration_end": (date(1970, 1, 1) + timedelta(days=start.last_day)).isoformat(),
        "holdout": {
            "days": holdout_days,
            **errors,
            "baselines": {name: {key: found[key] for key in ("mae", "rmse")} for name, found in baselines.items()},
        },
        "notes": list(model.certificate_.notes),
    }
