"""What is to be expected of a customer's purchases: how many and of what value, how surely, why, and when the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame
from features.rfm import Rfm
from models.btyd import PURCHASE_MODELS, GammaGammaModel
from models.clv import ClvTerms
from models.clv_reasons import CLV_INPUTS, ClvReference, clv_reasons
from models.poisson_forecast import PoissonForecast
from models.predictive import DEFAULT_LEVEL, Recalibration, clv_interval, horizons_at_pace, purchase_interval
from models.purchase_model import PurchaseModel, spent
from models.purchase_timing import PURCHASE_DAYS, days_until_likely, purchase_chances

__all__ = ["Correction", "Outlook", "PurchaseOutlook"]

FloatArray = NDArray[np.float64]

# A purchase is called likely from this chance on, if it is reached within so many days.
EVEN_CHANCE = 0.5
A_YEAR = 365


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What is expected of some customers, one element a customer; NaN where a number does not apply.

    Attributes
    ----------
    expected_purchases, expected_purchases_low, expected_purchases_high : float64, shape (n,)
        Purchase days within the horizon, and the interval for how many will come.
    clv, clv_low, clv_high : float64, shape (n,)
        Discounted margin over the clv horizon, and the interval for what will come.
    clv_inputs, clv_contributions : float64, shape (n, 4)
        What the clv is made of, and by how much each moves it away from the clv of the reference customer.
    purchase_within : float64, shape (n, 4)
        Chance of a purchase within each of `PURCHASE_DAYS`; for those only whom a model of inactivity judges.
    purchase_likely_in_days : float64, shape (n,)
        Days until that chance reaches one half; NaN also where it doesn't within a year.
    """

    expected_purchases: FloatArray
    expected_purchases_low: FloatArray
    expected_purchases_high: FloatArray
    clv: FloatArray
    clv_low: FloatArray
    clv_high: FloatArray
    clv_inputs: FloatArray
    clv_contributions: FloatArray
    purchase_within: FloatArray
    purchase_likely_in_days: FloatArray

    @classmethod
    def nothing(cls, n_customers: int) -> Self:
        """Return what a business without purchases has to expect."""

        def missing(*shape: int) -> FloatArray:
            return np.full((n_customers, *shape), np.nan)

        return cls(
            expected_purchases=missing(),
            expected_purchases_low=missing(),
            expected_purchases_high=missing(),
            clv=missing(),
            clv_low=missing(),
            clv_high=missing(),
            clv_inputs=missing(len(CLV_INPUTS)),
            clv_contributions=missing(len(CLV_INPUTS)),
            purchase_within=missing(len(PURCHASE_DAYS)),
            purchase_likely_in_days=missing(),
        )


@dataclass(frozen=True, slots=True)
class Correction:
    """What corrects the purchase model's expectation within the horizon.

    Attributes
    ----------
    forecast : PoissonForecast
    recalibration : Recalibration
        Of the intervals around it.
    """

    forecast: PoissonForecast
    recalibration: Recalibration


@dataclass(frozen=True, slots=True)
class PurchaseOutlook:
    """All that a bundle knows to say of purchases to come.

    Attributes
    ----------
    purchases : PurchaseModel
        Fitted in days.
    terms : ClvTerms
        What lifetime value means for the business.
    horizon_days : int
        Days ahead that `expected_purchases` looks.
    recalibration : Recalibration
        Of the intervals, learnt on the horizon before the model's date.
    reference : ClvReference
        The customer with whom reasons of clv compare.
    correction : Correction or None
        Of `expected_purchases` by all other features, where that proved better.
    """

    purchases: PurchaseModel
    terms: ClvTerms
    horizon_days: int
    recalibration: Recalibration
    reference: ClvReference
    correction: Correction | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features that it reads beside those of the purchase model."""
        return () if self.correction is None else self.correction.forecast.feature_names_

    def of(
        self, frame: FeatureFrame, *, churn_probability: FloatArray | None = None, churn_horizon_days: int = 0
    ) -> Outlook:
        """Look ahead for each row of a frame.

        Parameters
        ----------
        frame : FeatureFrame
            With the features that it reads, and those of the purchase model.
        churn_probability : float64, shape (n,), optional
            Of no purchase within `churn_horizon_days`, NaN where not judged: chances of a purchase agree with it.
            Without it there are none.
        churn_horizon_days : int
        """
        rfm = Rfm.of(frame)
        history = {"frequency": rfm.frequency, "recency": rfm.recency, "T": rfm.T}
        money = {**history, "monetary_value": spent(rfm)}
        btyd, gamma_gamma = self.purchases.btyd, self.purchases.gamma_gamma
        value = clv_interval(
            btyd, gamma_gamma, terms=self.terms, level=DEFAULT_LEVEL, recalibration=self.recalibration, **money
        )
        why = clv_reasons(self.purchases, self.terms, reference=self.reference, **money)
        expected, recalibration = frame["expected_purchases"][rfm.rows], self.recalibration
        horizons: FloatArray | int = self.horizon_days
        if self.correction is not None:
            forecast, recalibration = self.correction.forecast, self.correction.recalibration
            corrected = forecast.predict(frame.select(forecast.feature_names_)[rfm.rows], expected)
            horizons = horizons_at_pace(self.horizon_days, expected, corrected)
            expected = corrected
        days = purchase_interval(
            btyd, horizon_days=horizons, level=DEFAULT_LEVEL, recalibration=recalibration, **history
        )
        outlook = Outlook.nothing(len(frame.customer_ids))
        found = {
            "expected_purchases": expected,
            "expected_purchases_low": days.low,
            "expected_purchases_high": days.high,
            "clv": why.clv,
            "clv_low": value.low,
            "clv_high": value.high,
            "clv_inputs": why.inputs,
            "clv_contributions": why.contributions,
        }
        if churn_probability is not None:
            judged = {**history, "churn_probability": churn_probability[rfm.rows]}
            found["purchase_within"] = purchase_chances(btyd, horizon_days=churn_horizon_days, **judged)
            found["purchase_likely_in_days"] = days_until_likely(
                btyd, chance=EVEN_CHANCE, within_days=A_YEAR, horizon_days=churn_horizon_days, **judged
            )
        for name, column in found.items():
            getattr(outlook, name)[rfm.rows] = column
        return outlook

    def to_files(self) -> dict[str, Any]:
        """Return what a bundle keeps of it, by name of the file: JSON-safe values, or text."""
        files: dict[str, Any] = {
            "btyd.json": self.purchases.btyd.to_dict(),
            "gamma_gamma.json": self.purchases.gamma_gamma.to_dict(),
            "outlook.json": {
                "clv_terms": self.terms.to_dict(),
                "horizon_days": self.horizon_days,
                "recalibration": self.recalibration.to_dict(),
                "clv_reference": self.reference.to_dict(),
            },
        }
        if self.correction is not None:
            files["outlook.json"]["correction"] = {"recalibration": self.correction.recalibration.to_dict()}
            files["correction.txt"] = self.correction.forecast.to_text()
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, Any]) -> Self:
        """Read what `to_files` gave.

        Raises
        ------
        InputError
            A value is not what was written.
        """
        btyd, main = files["btyd.json"], files["outlook.json"]
        correction = None
        if "correction.txt" in files:
            told = main["correction"]["recalibration"]
            correction = Correction(PoissonForecast.from_text(files["correction.txt"]), Recalibration.from_dict(told))
        return cls(
            purchases=PurchaseModel(
                PURCHASE_MODELS[btyd["name"]].from_dict(btyd), GammaGammaModel.from_dict(files["gamma_gamma.json"])
            ),
            terms=ClvTerms.from_dict(main["clv_terms"]),
            horizon_days=main["horizon_days"],
            recalibration=Recalibration.from_dict(main["recalibration"]),
            reference=ClvReference.from_dict(main["clv_reference"]),
            correction=correction,
        )
