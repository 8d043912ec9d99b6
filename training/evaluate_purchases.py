"""How good forecasts of purchases are: what was expected of each customer against what came in a hold-out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.amount_metrics import holdout_errors, poisson_deviance, total_error
from models.baselines import mean_for_everybody, nobody_returns, same_rate
from models.btyd import BuyTillYouDieModel
from models.median_purchases import median_of_poisson, median_purchases
from training.purchase_holdout import PurchaseHoldout

__all__ = ["evaluate_baselines", "evaluate_btyd", "evaluate_forecast"]


def evaluate_btyd(model: BuyTillYouDieModel, holdout: PurchaseHoldout) -> dict[str, Any]:
    """Measure a model that was fitted on what went before the hold-out.

    Returns
    -------
    dict
        As of `evaluate_forecast`, and the fit: `params`, `log_likelihood`, `certificate`.
    """
    expected = model.expected_purchases(holdout.days, *holdout.history)
    return {
        **_figures(holdout, expected, median_purchases(model, holdout.days, *holdout.history)),
        "params": dict(model.params_),
        "log_likelihood": model.log_likelihood_,
        "certificate": model.certificate_.to_dict(),
    }


def evaluate_forecast(expected: NDArray[np.float64], holdout: PurchaseHoldout) -> dict[str, Any]:
    """Measure a forecast that says the mean of a Poisson distribution for each customer.

    Parameters
    ----------
    expected : float64, shape (n,)
        Purchase days, 0 or more.
    holdout : PurchaseHoldout

    Returns
    -------
    dict
        JSON-safe, in purchase days a customer: `rmse`, `poisson_deviance`, `spearman` (None where all are expected to
        do the same), `total_error` (share by which the sum is off, with its sign; None if nothing came), `mae` and
        `bias` of the mean, `mae_of_median` of the median.
    """
    return _figures(holdout, expected, median_of_poisson(expected))


def evaluate_baselines(holdout: PurchaseHoldout) -> dict[str, dict[str, Any]]:
    """Measure what needs no model: any that is better than the models says that they are not worth their keep."""
    frequency, _, T = holdout.history
    baselines = {
        "same_rate": same_rate(frequency, T, holdout.days),
        "same_as_before": holdout.before,
        "mean_for_everybody": mean_for_everybody(frequency, T, holdout.days),
        "nobody_returns": nobody_returns(len(holdout.actual)),
    }
    return {name: evaluate_forecast(expected, holdout) for name, expected in baselines.items()}


def _figures(
    holdout: PurchaseHoldout, expected: NDArray[np.float64], median: NDArray[np.float64]
) -> dict[str, float | None]:
    of_mean = holdout_errors(holdout.actual, expected)
    return {
        "rmse": of_mean["rmse"],
        "poisson_deviance": poisson_deviance(holdout.actual, expected),
        "spearman": of_mean["spearman"],
        "total_error": total_error(holdout.actual, expected),
        "mae": of_mean["mae"],
        "bias": of_mean["bias"],
        "mae_of_median": holdout_errors(holdout.actual, median)["mae"],
    }
