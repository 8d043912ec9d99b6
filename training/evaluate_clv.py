"""How good forecasts of purchases and their intervals are on a hold-out."""

from __future__ import annotations

from typing import Any

from features.event_log import EventLog
from features.windows import Snapshot
from models.btyd import PURCHASE_MODELS, GammaGammaModel
from models.model_inputs import ModelInputs
from models.purchase_model import PurchaseModel, spent
from training.evaluate_intervals import evaluate_intervals
from training.progress import Progress, silent
from training.purchase_assumptions import assumptions_of
from training.purchase_choice import PurchaseChoice, choose_purchase_model
from training.purchase_forecast import ForecastTrees
from training.purchase_holdout import PurchaseHoldout

__all__ = ["evaluate_clv", "holdout_report"]


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
        `evaluate_intervals` gives them; `assumptions`, as `assumptions_of` does.

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
    holdout = PurchaseHoldout.of(log, end_day=end_day, days=holdout_days)
    purchases = PurchaseModel(
        PURCHASE_MODELS[choice.name]().fit(*holdout.history),
        GammaGammaModel().fit(holdout.rfm.frequency, spent(holdout.rfm)),
    )
    return holdout_report(log, end_day=end_day, choice=choice, purchases=purchases, trees=trees, progress=progress)


def holdout_report(
    log: EventLog,
    *,
    end_day: int,
    choice: PurchaseChoice,
    purchases: PurchaseModel,
    trees: ForecastTrees,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Tell of a choice, the fit of the model of value, intervals, and what the models take for granted.

    Parameters
    ----------
    log, end_day
        As in `evaluate_clv`.
    choice : PurchaseChoice
    purchases : PurchaseModel
        Of the kind chosen, fitted when the hold-out began.
    trees : ForecastTrees
        With inputs of the same instant; their seed is that of the checks too.
    progress : Progress
    """
    progress("Checking intervals", 0.0)
    gamma_gamma = purchases.gamma_gamma
    intervals = evaluate_intervals(
        log,
        end_day=end_day,
        holdout_days=choice.report["holdout_days"],
        btyd=purchases.btyd,
        gamma_gamma=gamma_gamma,
        seed=trees.seed,
        trees=trees,
        corrected=choice.corrected,
    )
    progress("Checking intervals", 1.0)
    assumptions = assumptions_of(log, end_day=end_day)
    notes = [
        *choice.report["notes"],
        *gamma_gamma.certificate_.notes,
        *intervals["notes"],
        *(check["text"] for check in assumptions if check["holds"] is False),
    ]
    return {
        **choice.report,
        "gamma_gamma": {
            "params": dict(gamma_gamma.params_),
            "log_likelihood": gamma_gamma.log_likelihood_,
            "certificate": gamma_gamma.certificate_.to_dict(),
        },
        "intervals": intervals,
        "assumptions": assumptions,
        "notes": list(dict.fromkeys(notes)),
    }
