"""Figures of what a scoring run said, against what came about: pure, from vectors of the customers compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.amount_metrics import holdout_errors, total_error
from models.metrics import binary_report, calibration_curve, lift_at
from models.predictive import DEFAULT_LEVEL, Interval
from models.predictive.interval_metrics import coverage
from models.share_intervals import wilson_interval
from models.stability_index import drift_between

__all__ = ["Forecasts", "Listed", "forecast_figures", "listed_figures", "target_figures"]

FloatArray = NDArray[np.float64]

_OF_TEST = ("n", "rate", "auc", "log_loss", "brier", "calibration_error", "lift_at_10")


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """The customers on the at-risk list of a run, and what came of them.

    Attributes
    ----------
    churned : float64, shape (n,)
        1 for those who did, else 0.
    value_at_risk, clv, spent : float64, shape (n,)
        What the run said, and what each spent within the horizon; NaN where there is no such number.
    """

    churned: FloatArray
    value_at_risk: FloatArray
    clv: FloatArray
    spent: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """What a run expected of customers' purchases, and what came.

    Attributes
    ----------
    expected, low, high : float64, shape (n,)
        Purchase days within the horizon, with the ends of their interval; these are NaN without one.
    average_value : float64, shape (n,)
        Expected of a purchase day; NaN where it is not known.
    purchase_days, spent : float64, shape (n,)
        What came.
    """

    expected: FloatArray
    low: FloatArray
    high: FloatArray
    average_value: FloatArray
    purchase_days: FloatArray
    spent: FloatArray


def target_figures(y: FloatArray, probability: FloatArray, test: Mapping[str, Any]) -> dict[str, Any]:
    """Return how good the probabilities of a target were.

    Parameters
    ----------
    y : float64, shape (n,)
        1 where it came about, else 0.
    probability : float64, shape (n,)
        As the run said.
    test : mapping
        The report on the test rows that the model had when it was trained.

    Returns
    -------
    dict
        JSON-safe: the figures of `binary_report`; `lift_at_20`; `mean_probability`, to set beside the rate;
        `calibration_curve` with the 95 % interval of each share; `test`, the figures there were then; `base_rate_drift`
        between its rows and these.
    """
    figures: dict[str, Any] = {**binary_report(y, probability), "mean_probability": None, "lift_at_20": None}
    curve: dict[str, list[float]] = {"predicted": [], "observed": [], "counts": [], "low": [], "high": []}
    if len(y):
        figures |= {"mean_probability": float(probability.mean()), "lift_at_20": lift_at(y, probability, 0.2)}
        found = calibration_curve(y, probability)
        # Tied rows share their mean outcome, so that the events of a bin need not be whole.
        intervals = [
            wilson_interval(min(observed * count, count), count)
            for observed, count in zip(found.observed.tolist(), found.count.tolist(), strict=True)
        ]
        curve = {
            "predicted": found.predicted.tolist(),
            "observed": found.observed.tolist(),
            "counts": found.count.tolist(),
            "low": [interval.low for interval in intervals],
            "high": [interval.high for interval in intervals],
        }
    then = {name: test.get(name) for name in _OF_TEST}
    drift = None
    if then["n"] and then["rate"] is not None and len(y):
        came = round(then["n"] * then["rate"])
        drift = drift_between((came, then["n"] - came), (float(y.sum()), float(len(y) - y.sum())))
    return {**figures, "calibration_curve": curve, "test": then, "base_rate_drift": drift}


def listed_figures(listed: Listed, *, base_rate: float | None) -> dict[str, Any]:
    """Return what came of the customers on the at-risk list.

    Parameters
    ----------
    listed : Listed
    base_rate : float or None
        Share of all who were judged that churned.

    Returns
    -------
    dict
        JSON-safe: `customers`, `churned`, `precision` with its 95 % interval (`low`, `high`), `base_rate`;
        `value_at_risk` listed, `value_at_risk_of_churned` and `value_at_risk_of_returned`, `clv_of_returned`,
        `spent_by_returned`.
    """
    n, churned = len(listed.churned), listed.churned == 1
    precision = wilson_interval(int(churned.sum()), n) if n else None

    def total(amounts: FloatArray, among: NDArray[np.bool_]) -> float:
        return float(np.nan_to_num(amounts[among], nan=0.0).sum())

    return {
        "customers": n,
        "churned": int(churned.sum()),
        "precision": None if precision is None else precision.estimate,
        "low": None if precision is None else precision.low,
        "high": None if precision is None else precision.high,
        "base_rate": base_rate,
        "value_at_risk": total(listed.value_at_risk, np.ones(n, dtype=np.bool_)),
        "value_at_risk_of_churned": total(listed.value_at_risk, churned),
        "value_at_risk_of_returned": total(listed.value_at_risk, ~churned),
        "clv_of_returned": total(listed.clv, ~churned),
        "spent_by_returned": total(listed.spent, ~churned),
    }


def forecast_figures(told: Forecasts) -> dict[str, Any]:
    """Return how good the forecasts of purchases and spending were.

    What a customer was expected to spend within the horizon is expected purchase days x expected value of one, without
    discount and margin, which speak of longer and of something else.

    Returns
    -------
    dict
        JSON-safe: `customers`; `purchases` and `spend`, each with sums `expected` and `actual`, `error` (by which share
        too much was expected), mae, rmse, bias, spearman; `interval` of the purchase days with its `level`, the share
        of customers `within`, `below` and `above` it; `customers_with_value` and `customers_with_interval`.
    """
    has_value, has_interval = ~np.isnan(told.average_value), ~np.isnan(told.low) & ~np.isnan(told.high)
    interval = None
    if has_interval.any():
        actual, low, high = (column[has_interval] for column in (told.purchase_days, told.low, told.high))
        interval = {
            "level": DEFAULT_LEVEL,
            "within": coverage(actual, Interval(low, high)),
            "below": float(np.mean(actual < low)),
            "above": float(np.mean(actual > high)),
        }
    return {
        "customers": len(told.expected),
        "customers_with_value": int(has_value.sum()),
        "customers_with_interval": int(has_interval.sum()),
        "purchases": _amounts(told.purchase_days, told.expected),
        "spend": _amounts(told.spent[has_value], (told.expected * told.average_value)[has_value]),
        "interval": interval,
    }


def _amounts(actual: FloatArray, expected: FloatArray) -> dict[str, Any] | None:
    if not len(actual):
        return None
    return {
        "expected": float(expected.sum()),
        "actual": float(actual.sum()),
        "error": total_error(actual, expected),
        **holdout_errors(actual, expected),
    }
