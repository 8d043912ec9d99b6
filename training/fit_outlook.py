"""What a bundle says of purchases to come, learnt at the end of the log."""

from __future__ import annotations

from features.event_log import EventLog
from features.labels import eligible
from features.rfm import Rfm
from features.windows import Snapshot
from models.btyd import PURCHASE_MODELS
from models.clv import ClvTerms
from models.clv_reasons import ClvReference
from models.model_inputs import ModelInputs
from models.outlook import Correction, PurchaseOutlook
from models.poisson_forecast import PoissonForecast
from models.predictive import IDENTITY
from models.purchase_model import PurchaseModel, spent
from training.evaluate_intervals import learn_recalibration
from training.purchase_choice import PurchaseChoice
from training.purchase_forecast import ForecastTrees

__all__ = ["fit_outlook"]


def fit_outlook(
    log: EventLog,
    *,
    end_day: int,
    horizon_days: int,
    activity_days: int,
    purchases: PurchaseModel,
    inputs: ModelInputs,
    terms: ClvTerms,
    choice: PurchaseChoice | None,
    trees: ForecastTrees,
) -> PurchaseOutlook:
    """Learn at the end of a log what intervals and reasons need beside the purchase model.

    Parameters
    ----------
    log : EventLog
    end_day : int
        Local day at whose midnight the log ends.
    horizon_days : int
        Days ahead that expected purchases look.
    activity_days : int
        Who purchased within so many days is active; reasons of clv compare with the typical one of them.
    purchases : PurchaseModel
        Fitted at the end of the log.
    inputs : ModelInputs
        Makes the features, likewise.
    terms : ClvTerms
    choice : PurchaseChoice or None
        Whether boosted trees make the forecast; None where the history was too short to compare anything.
    trees : ForecastTrees
        How they are grown, with the inputs.
    """
    frame = inputs.frame(log, Snapshot.at_midnight(end_day, log.calendar))
    everybody = Rfm.of(frame)
    active = eligible(frame, activity_days)[everybody.rows]
    kept = active if active.any() else ~active
    trial = None
    if choice is not None:
        kind = PURCHASE_MODELS[choice.name]
        trial = learn_recalibration(log, end_day=end_day, horizon_days=horizon_days, kind=kind)
    return PurchaseOutlook(
        purchases=purchases,
        terms=terms,
        horizon_days=horizon_days,
        recalibration=IDENTITY if trial is None else trial.recalibration,
        reference=ClvReference.typical(
            purchases,
            terms,
            frequency=everybody.frequency[kept],
            recency=everybody.recency[kept],
            T=everybody.T[kept],
            monetary_value=spent(everybody)[kept],
        ),
        correction=_correction(log, choice, trees, end_day=end_day, horizon_days=horizon_days),
    )


def _correction(
    log: EventLog, choice: PurchaseChoice | None, trees: ForecastTrees, *, end_day: int, horizon_days: int
) -> Correction | None:
    if choice is None or choice.forecast_name != PoissonForecast.name:
        return None
    kind = PURCHASE_MODELS[choice.name]
    trial = learn_recalibration(log, end_day=end_day, horizon_days=horizon_days, kind=kind, trees=trees)
    return Correction(
        trees.fit(log, end_day=end_day, horizon_days=horizon_days, model=kind),
        IDENTITY if trial is None else trial.recalibration,
    )
