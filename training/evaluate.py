"""How good the models are, against baselines: on the test rows for targets, on a hold-out for clv."""

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
from models.metrics import auc, auc_difference, binary_report, calibration_curve, holdout_errors, log_loss
from training.dataset import Dataset
from training.exceptions import TrainingError
from training.fit import LOGIT_RFM, ClassifierSettings, fit_evaluated, logit_all

__all__ = ["CLV_MODELS", "calibration_points", "evaluate_clv", "evaluate_target", "predict", "verdict"]

CLV_MODELS: Mapping[str, Callable[[], BuyTillYouDieModel]] = {BetaGeoModel.name: BetaGeoModel}

_BASELINES_IN_WORDS = {
    "buys_at_all": "the propensity to buy at all",
    "days_since_last_purchase": "days since the last purchase",
    "logit_all": "logistic regression on all features",
    "logit_rfm": "logistic regression on RFM",
    "own_mean_value": "the customer's own mean value",
    "p_alive": "P(alive) of the purchase model",
}

# Differences in AUC below this are noise on a few thousand customers.
_AUC_TIE = 0.003
_STANDARD_ERRORS = 1.96  # of a 95 % interval


def evaluate_target(model: TargetModel, dataset: Dataset, settings: ClassifierSettings, *, seed: int) -> dict[str, Any]:
    """Measure an evaluated classifier and its baselines on the test rows.

    Parameters
    ----------
    model : TargetModel
        As `fit_evaluated` gave it.
    dataset : Dataset
    settings : ClassifierSettings
        Those of the model, for the baseline that asks who buys at all.
    seed : int

    Returns
    -------
    dict
        JSON-safe: the figures, the baselines' under `baselines`, the plan of snapshots, a verdict in plain words. For a
        propensity of what only buyers can do also `among_buyers`, and `makes_segment`: whether it beats the propensity
        to buy at all, and chance, there.
    """
    rows = dataset.test
    probability = predict(model, dataset)
    figures = binary_report(rows.y, probability)
    asks_what_buyers_do = model.target.kind in ("upsell", "new_category")
    buys = _propensity_to_buy(model, dataset, settings, seed) if asks_what_buyers_do else None
    baselines = _baselines(model, dataset, buys, seed)
    report: dict[str, Any] = {
        **figures,
        "target": model.target.to_dict(),
        "splits": dataset.method,
        "baselines": baselines,
        "snapshots": dataset.snapshots,
        "classifier": model.classifier.kind,
        "verdict": verdict(figures, baselines, model.classifier.kind),
        "calibration_curve": calibration_points(rows.y, probability),
    }
    if buys is not None:
        among = _among_buyers(dataset, probability, buys)
        report |= {"among_buyers": among, "makes_segment": among["beats_buys_at_all"] and among["beats_chance"]}
        report["verdict"] += f" {_among_buyers_in_words(among)}"
    return report


def calibration_points(y: NDArray[np.float64], probability: NDArray[np.float64]) -> dict[str, list[float]]:
    """Return what a drawing of the calibration needs, JSON-safe."""
    curve = calibration_curve(y, probability)
    return {
        "predicted": curve.predicted.tolist(),
        "observed": curve.observed.tolist(),
        "counts": curve.count.tolist(),
    }


def predict(model: TargetModel, dataset: Dataset) -> NDArray[np.float64]:
    """Return the calibrated probabilities of the test rows, shape (n,)."""
    margin = model.classifier.raw_margin(dataset.test.inputs(model.classifier.feature_names_))
    return model.calibrator.predict(margin)


def _propensity_to_buy(
    model: TargetModel, dataset: Dataset, settings: ClassifierSettings, seed: int
) -> NDArray[np.float64]:
    """Return the probability of any purchase, by the same settings fitted on who buys at all."""
    who_buys = dataset.asking_who_buys()
    return predict(fit_evaluated(settings, who_buys, model.target, seed=seed), who_buys)


def _baselines(
    model: TargetModel, dataset: Dataset, buys: NDArray[np.float64] | None, seed: int
) -> dict[str, dict[str, float | None]]:
    rows = dataset.test

    def fitted(settings: ClassifierSettings) -> dict[str, float | None]:
        probability = predict(fit_evaluated(settings, dataset, model.target, seed=seed), dataset)
        return {"auc": auc(rows.y, probability), "log_loss": log_loss(rows.y, probability)}

    if not set(LOGIT_RFM.features) <= set(rows.names):
        return {"logit_all": fitted(logit_all(model.classifier.feature_names_))}
    baselines = {"logit_rfm": fitted(LOGIT_RFM)}
    if model.target.is_churn:
        p_alive, silence = rows.inputs(("p_alive", "days_since_last_purchase")).T
        known = ~np.isnan(p_alive)
        baselines["days_since_last_purchase"] = {"auc": auc(rows.y[known], silence[known])}
        baselines["p_alive"] = {"auc": auc(rows.y[known], -p_alive[known])}
    if buys is not None:
        baselines["buys_at_all"] = {"auc": auc(rows.y, buys)}
        baselines["own_mean_value"] = {"auc": auc(rows.y, _own_mean_value(dataset))}
    return baselines


def _own_mean_value(dataset: Dataset) -> NDArray[np.float64]:
    return np.nan_to_num(dataset.test.inputs(("mean_order_value",))[:, 0], nan=0.0)


def _among_buyers(dataset: Dataset, probability: NDArray[np.float64], buys: NDArray[np.float64]) -> dict[str, Any]:
    """Compare rankings among those who purchase: whether there is more in it than who buys at all."""
    bought = dataset.test.bought == 1
    y = dataset.test.y[bought]
    low, high = _interval(auc_difference(y, probability[bought], buys[bought]))
    # A score that is the same for all stands for chance: .5 whatever the rows.
    above_chance, _ = _interval(auc_difference(y, probability[bought], np.zeros(len(y))))
    return {
        "n": len(y),
        "rate": float(y.mean()) if len(y) else None,
        "auc": auc(y, probability[bought]) if len(y) else None,
        "baselines": {
            "buys_at_all": {"auc": auc(y, buys[bought]) if len(y) else None},
            "own_mean_value": {"auc": auc(y, _own_mean_value(dataset)[bought]) if len(y) else None},
        },
        "difference": {"low": low, "high": high},
        "beats_buys_at_all": low is not None and low > 0,
        "beats_chance": above_chance is not None and above_chance > 0,
    }


def _interval(compared: tuple[float, float] | None) -> tuple[float | None, float | None]:
    if compared is None:
        return None, None
    difference, error = compared
    return difference - _STANDARD_ERRORS * error, difference + _STANDARD_ERRORS * error


def _among_buyers_in_words(among: Mapping[str, Any]) -> str:
    if among["auc"] is None:
        return "Too few of the test rows purchased to say more, so it makes no segment."
    theirs = among["baselines"]["buys_at_all"]["auc"]
    low, high = among["difference"]["low"], among["difference"]["high"]
    interval = f"AUC {among['auc']:.4f} against {theirs:.4f}, difference {low:+.4f} to {high:+.4f}"
    if not among["beats_chance"]:
        return f"Among those who buy it ranks no better than chance ({interval}), so it makes no segment."
    if among["beats_buys_at_all"]:
        return f"Among those who buy it says more than who buys at all ({interval})."
    return f"Among those who buy it says no more than who buys at all ({interval}), so it makes no segment."


def verdict(figures: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]], kind: str) -> str:
    """Say in plain words whether the classifier is worth its keep."""
    name, best = max(baselines.items(), key=lambda item: item[1]["auc"] or 0.0)
    ours, theirs = figures["auc"], best["auc"]
    if ours is None or theirs is None:
        return "All customers of the test rows had the same fate, so that nothing can be said of the ranking."
    figures_in_words = f"AUC {ours:.4f} against {theirs:.4f} of {_BASELINES_IN_WORDS[name]}"
    if kind == "logistic":
        compared = f"AUC {ours:.4f}" if name.startswith("logit") else figures_in_words
        return f"Logistic regression did best on the selection rows and is what is used ({compared})."
    logit = next(figures for name, figures in baselines.items() if name.startswith("logit"))
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
