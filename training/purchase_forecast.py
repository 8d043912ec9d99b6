"""The challenger of the purchase model: boosted trees that correct what it expects, learnt on the period before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.build import build_features
from features.event_log import EventLog
from models.btyd import BuyTillYouDieModel
from models.model_inputs import ModelInputs
from models.poisson_forecast import PoissonForecast
from training.exceptions import TrainingError
from training.purchase_holdout import PurchaseHoldout

__all__ = ["FEWEST_CUSTOMERS", "ForecastTrees"]

# With fewer there is no telling what holds of others too.
FEWEST_CUSTOMERS = 500

_ROWS_FOR_TWO_THREADS = 20_000


@dataclass(frozen=True, slots=True)
class ForecastTrees:
    """How boosted trees that correct a purchase model are grown.

    Attributes
    ----------
    inputs : ModelInputs
        Makes the features: those of the catalogue that are measured in the log. Attributes are left out, since without
        dates they may know what came after; and the purchase model's own outputs, which the forecast begins with.
    seed : int
    leave_out : tuple of str
        Names of further features that are not to be used.
    """

    inputs: ModelInputs
    seed: int
    leave_out: tuple[str, ...] = ()

    def fit(
        self, log: EventLog, *, end_day: int, horizon_days: int, model: type[BuyTillYouDieModel]
    ) -> PoissonForecast:
        """Learn from the horizon before a day by which factors customers bought more or less than a model had expected.

        The purchase model is fitted on what was known when that horizon began, and so are the features: what is
        corrected is a forecast into the unknown, like the one that will be.

        Parameters
        ----------
        log : EventLog
        end_day : int
            Local day since 1970-01-01; nothing at or after its midnight is read.
        horizon_days : int
            How far the forecast looks.
        model : type
            Of the purchase model that is corrected.

        Raises
        ------
        TrainingError
            The history is too short, or has too few customers.
        FitError
            None of them purchased within the horizon.
        """
        period = PurchaseHoldout.of(log, end_day=end_day, days=horizon_days)
        n_customers = len(period.actual)
        if n_customers < FEWEST_CUSTOMERS:
            raise TrainingError(
                f"{n_customers:,} customers had purchased before {period.start.date}; boosted trees need at least "
                f"{FEWEST_CUSTOMERS:,} to correct the purchase model by. Bring more history."
            )
        expected = model().fit(*period.history).expected_purchases(horizon_days, *period.history)
        used = [f for f in self.inputs.plan.features if f.source == "log" and f.name not in self.leave_out]
        names = [feature.name for feature in used]
        forecast = PoissonForecast(seed=self.seed, num_threads=1 if n_customers < _ROWS_FOR_TWO_THREADS else 2)
        return forecast.fit(
            self._features(log, period, names),
            period.actual,
            expected,
            feature_names=names,
            categorical=[feature.name for feature in used if feature.categorical],
        )

    def expected(
        self, forecast: PoissonForecast, btyd: BuyTillYouDieModel, log: EventLog, period: PurchaseHoldout
    ) -> NDArray[np.float64]:
        """Return what a forecast expects of the customers of a hold-out, shape (n,); `btyd` was fitted before it."""
        features = self._features(log, period, forecast.feature_names_)
        return forecast.predict(features, btyd.expected_purchases(period.days, *period.history))

    def _features(self, log: EventLog, period: PurchaseHoldout, names: Sequence[str]) -> NDArray[np.float64]:
        frame = build_features(log, period.start, self.inputs.reference, self.inputs.plan)
        return frame.select(names)[period.rfm.rows]
