"""What turns events into the columns that classifiers read: the catalogue's features and the purchase model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.build import FeatureFrame, FeaturePlan, build_features
from features.catalogue import features_for
from features.event_log import EventLog
from features.reference import Reference
from features.windows import Snapshot
from models.btyd import BetaGeoModel, BuyTillYouDieModel
from models.purchase_model import PurchaseModel

__all__ = ["ModelInputs"]


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """One way to make rows of features, the same in training and in scoring.

    Attributes
    ----------
    reference : Reference
        What of the whole business features are measured against.
    plan : FeaturePlan
        The features to compute.
    purchases : PurchaseModel or None
        Gives the BTYD features; None for a business without purchases.
    horizon_days : int
        Days ahead that `expected_purchases` looks.
    """

    reference: Reference
    plan: FeaturePlan
    purchases: PurchaseModel | None
    horizon_days: int

    @classmethod
    def fit(
        cls,
        log: EventLog,
        snapshot: Snapshot,
        horizon_days: int,
        *,
        btyd: type[BuyTillYouDieModel] | None = BetaGeoModel,
    ) -> Self:
        """Fit all of it on what was known before a snapshot; the plan has every feature that this business has.

        Parameters
        ----------
        log : EventLog
        snapshot : Snapshot
        horizon_days : int
        btyd : type or None
            Which model of purchases to fit, where there are any; None for none at all.

        Raises
        ------
        FitError, InputError
            The purchases give no model.
        """
        reference = Reference.of(log, snapshot)
        plan = FeaturePlan.of([feature for feature in features_for(reference) if feature.source != "btyd"])
        frame = build_features(log, snapshot, reference, plan)
        has_purchases = "frequency" in frame.names and not np.isnan(frame["frequency"]).all()
        purchases = PurchaseModel.fit(frame, btyd) if has_purchases and btyd is not None else None
        return cls(reference, plan, purchases, horizon_days)

    def frame(self, log: EventLog, snapshot: Snapshot) -> FeatureFrame:
        """Return the features of every customer of a log, one row each; nothing at or after the snapshot is read."""
        frame = build_features(log, snapshot, self.reference, self.plan)
        return frame if self.purchases is None else self.purchases.add_features(frame, self.horizon_days)
