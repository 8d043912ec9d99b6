"""The fitted pair of BTYD and Gamma-Gamma models, and the features that it gives to the classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame
from features.rfm import Rfm
from models.btyd import BetaGeoModel, BuyTillYouDieModel, GammaGammaModel

__all__ = ["BTYD_FEATURES", "PURCHASE_FEATURES", "PurchaseModel", "spent"]

FloatArray = NDArray[np.float64]

# What the models read, and what they give.
PURCHASE_FEATURES = ("frequency", "recency", "T", "monetary_value")
BTYD_FEATURES = ("p_alive", "expected_purchases", "expected_average_value")


@dataclass(frozen=True, slots=True)
class PurchaseModel:
    """How often customers will buy and what they spend when they do.

    Attributes
    ----------
    btyd : BuyTillYouDieModel
        Fitted in days.
    gamma_gamma : GammaGammaModel
    """

    btyd: BuyTillYouDieModel
    gamma_gamma: GammaGammaModel

    @classmethod
    def fit(cls, frame: FeatureFrame, btyd: type[BuyTillYouDieModel] = BetaGeoModel) -> Self:
        """Fit both models on the customers of a frame who have purchased.

        Parameters
        ----------
        frame : FeatureFrame
        btyd : type
            Which model of how often they buy.

        Raises
        ------
        FitError, InputError
            There are none.
        """
        rfm = Rfm.of(frame)
        return cls(
            btyd().fit(rfm.frequency, rfm.recency, rfm.T),
            GammaGammaModel().fit(rfm.frequency, spent(rfm)),
        )

    def add_features(self, frame: FeatureFrame, horizon_days: int) -> FeatureFrame:
        """Return the frame with `BTYD_FEATURES`; NaN for customers who have not purchased.

        Parameters
        ----------
        frame : FeatureFrame
        horizon_days : int
            Days ahead that `expected_purchases` looks.
        """
        rfm = Rfm.of(frame)
        columns = [np.full(len(frame.customer_ids), np.nan) for _ in BTYD_FEATURES]
        columns[0][rfm.rows] = self.btyd.p_alive(rfm.frequency, rfm.recency, rfm.T)
        columns[1][rfm.rows] = self.btyd.expected_purchases(horizon_days, rfm.frequency, rfm.recency, rfm.T)
        columns[2][rfm.rows] = self.gamma_gamma.expected_average_value(rfm.frequency, spent(rfm))
        return frame.with_columns(BTYD_FEATURES, columns)


def spent(rfm: Rfm) -> FloatArray:
    """Return monetary_value, at least 0: a refund in parts may leave a rounding residue below it."""
    return np.maximum(rfm.monetary_value, 0.0)
