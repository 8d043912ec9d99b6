"""How good the models of targets are, against baselines, on the test rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import TargetModel
from models.metrics import auc, auc_difference, binary_report, calibration_curve
from training.comparison import Baseline, doubts
from training.dataset import Dataset, Rows
from training.fit import LOGIT_RFM, ClassifierSettings, fit_evaluated, logit_all
from training.verdict import among_buyers_in_words, verdict

__all__ = ["calibration_points", "evaluate_target", "predict"]

_MEAN_VALUE = "mean_order_value"
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
        JSON-safe: the figures, the baselines' under `baselines`, what `doubts` says of their differences, the plan of
        snapshots, a verdict in plain words. For a propensity of what only buyers can do also `among_buyers`, and
        `makes_segment`: whether it beats the propensity to buy at all, and chance, there.
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
        "baselines": {name: baseline.figures(rows.y) for name, baseline in baselines.items()},
        **doubts(rows.y, probability, baselines, customer=rows.draw, seed=seed),
        "snapshots": dataset.snapshots,
        "classifier": model.classifier.kind,
        "calibration_curve": calibration_points(rows.y, probability),
    }
    report["verdict"] = verdict(report)
    if buys is not None:
        among = _among_buyers(dataset, probability, buys)
        report |= {"among_buyers": among, "makes_segment": among["beats_buys_at_all"] and among["beats_chance"]}
        report["verdict"] += f" {among_buyers_in_words(among)}"
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
) -> dict[str, Baseline]:
    """Return what the test rows would be ranked by without the model: logistic regression, and single columns."""
    rows = dataset.test

    def fitted(settings: ClassifierSettings) -> Baseline:
        evaluated = fit_evaluated(settings, dataset, model.target, seed=seed)
        return Baseline(predict(evaluated, dataset), is_probability=True)

    if not set(LOGIT_RFM.features) <= set(rows.names):
        return {"logit_all": fitted(logit_all(model.classifier.feature_names_))}
    found = {"logit_rfm": fitted(LOGIT_RFM)}
    if model.target.is_churn:
        for name, sign in (("days_since_last_purchase", 1.0), ("p_alive", -1.0)):
            # Orders too few for a purchase model leave P(alive) out.
            if name in rows.names:
                found[name] = Baseline(sign * rows.inputs((name,))[:, 0])
    if buys is not None:
        found["buys_at_all"] = Baseline(buys)
        if (spent := _own_mean_value(rows)) is not None:
            found["own_mean_value"] = Baseline(spent)
    return {name: baseline for name, baseline in found.items() if baseline.known.any()}


def _own_mean_value(rows: Rows) -> NDArray[np.float64] | None:
    if _MEAN_VALUE not in rows.names:
        return None
    return np.nan_to_num(rows.inputs((_MEAN_VALUE,))[:, 0], nan=0.0)


def _among_buyers(dataset: Dataset, probability: NDArray[np.float64], buys: NDArray[np.float64]) -> dict[str, Any]:
    """Compare rankings among those who purchase: whether there is more in it than who buys at all."""
    bought = dataset.test.bought == 1
    rows, ours, theirs = dataset.test.where(bought), probability[bought], buys[bought]
    low, high = _interval(rows.y, ours, theirs)
    # A score that is the same for all stands for chance: .5 whatever the rows.
    above, far_above = _interval(rows.y, ours, np.zeros(len(ours)))
    spent = _own_mean_value(rows)
    baselines = {"buys_at_all": theirs, **({} if spent is None else {"own_mean_value": spent})}
    return {
        "n": len(ours),
        "rate": float(rows.y.mean()) if len(ours) else None,
        "auc": auc(rows.y, ours) if len(ours) else None,
        "baselines": {name: Baseline(score).figures(rows.y) for name, score in baselines.items()},
        "difference": {"low": low, "high": high},
        "beats_buys_at_all": low is not None and low > 0,
        "above_chance": {"low": above, "high": far_above},
        "beats_chance": above is not None and above > 0,
    }


def _interval(
    y: NDArray[np.float64], score: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the difference in AUC; None where there are too few rows for one."""
    compared = auc_difference(y, score, other) if len(y) else None
    if compared is None:
        return None, None
    difference, error = compared
    return difference - _STANDARD_ERRORS * error, difference + _STANDARD_ERRORS * error
