"""How good forecasts of purchases and their intervals are on a hold-out."""

from __future__ import annotations

from typing import Any

from features.event_log import EventLog
from features.windows import Snapshot
from models.btyd import PURCHASE_MODELS, GammaGammaModel
from models.model_inputs import ModelInputs
from models.purchase_model import spent
from training.evaluate_intervals import evaluate_intervals
from training.progress import Progress, silent
from training.purchase_choice import choose_purchase_model
from training.purchase_forecast import ForecastTrees
from training.purchase_holdout import PurchaseHoldout

__all__ = ["evaluate_clv"]


def evaluate_clv(
    log: EventLog,
    *,
    end_day: int,
    holdout_days: int,
    asked: str | None,
    seed: int,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Fit every purchase model before a hold-out and compare what it expects with what came.

    Parameters
    ----------
    log : EventLog
    end_day : int
        Local day at whose midnight the log ends.
    holdout_days : int
        Length of the hold-out before it.
    asked : str or None
        The purchase model to take for the best; None for what the rule chooses.
    seed : int
        Of the boosted trees, and of what intervals are checked by.
    progress : Progress

    Returns
    -------
    dict
        JSON-safe: the report of `PurchaseChoice`; `gamma_gamma`, the fit of the model of value; `intervals`, as
        `evaluate_intervals` gives them.

    Raises
    ------
    TrainingError
        Nobody purchased before the hold-out, or there is no model of the name asked for.
    FitError, InputError
        The purchases give no model.
    """
    start = Snapshot.at_midnight(end_day - holdout_days, log.calendar)
    trees = ForecastTrees(ModelInputs.fit(log, start, holdout_days, btyd=None), seed)
    choice = choose_purchase_model(
        log,
        end_day=end_day,
        holdout_days=holdout_days,
        asked=asked,
        trees=trees,
        progress=progress,
    )
    progress("Checking intervals", 0.0)
    holdout = PurchaseHoldout.of(log, end_day=end_day, days=holdout_days)
    gamma_gamma = GammaGammaModel().fit(holdout.rfm.frequency, spent(holdout.rfm))
    intervals = evaluate_intervals(
        log,
        end_day=end_day,
        holdout_days=holdout_days,
        btyd=PURCHASE_MODELS[choice.name]().fit(*holdout.history),
        gamma_gamma=gamma_gamma,
        seed=seed,
        trees=trees,
        corrected=choice.corrected,
    )
    progress("Checking intervals", 1.0)
    return {
        **choice.report,
        "gamma_gamma": {
            "params": dict(gamma_gamma.params_),
            "log_likelihood": gamma_gamma.log_likelihood_,
            "certificate": gamma_gamma.certificate_.to_dict(),
        },
        "intervals": intervals,
        "notes": list(dict.fromkeys([*choice.report["notes"], *gamma_gamma.certificate_.notes, *intervals["notes"]])),
    }
