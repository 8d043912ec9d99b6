"""How the at-risk list would change with another horizon: a quick comparison of two, by the purchase model alone.

Both lists are made in the same way, so that nothing but the horizon differs: the churn probability is the purchase
model's chance of no purchase within the horizon, times clv it is the value at risk, and the segment policy cuts. A
training's classifier knows more and orders otherwise; how many are eligible and how many of them leave is counted, not
modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame, FeaturePlan, build_features
from features.catalogue import CATALOGUE
from features.event_log import EventLog
from features.labels import eligible
from features.rfm import Rfm
from features.windows import Snapshot
from models.clv import ClvTerms, discounted_clv
from models.purchase_model import PURCHASE_FEATURES, PurchaseModel, spent
from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS, assign_segments, find_cutoffs
from training.progress import Progress, silent
from training.silences import Silences

__all__ = ["AtRiskChange", "Horizon", "HorizonOutlook", "compare_horizons"]

_BoolArray = NDArray[np.bool_]

_PLAN = FeaturePlan.of([CATALOGUE[name] for name in (*PURCHASE_FEATURES, "days_since_last_purchase")])
_AT_RISK = SEGMENTS.index("at_risk")


@dataclass(frozen=True, slots=True)
class Horizon:
    """Days ahead that churn looks, and days back within which a customer must have bought to be judged."""

    days: int
    activity_days: int

    @classmethod
    def of(cls, days: int) -> Horizon:
        """Return a horizon with the activity window that it has by default, twice its length."""
        return cls(days, 2 * days)


@dataclass(frozen=True, slots=True, eq=False)
class HorizonOutlook:
    """What a horizon comes to.

    Attributes
    ----------
    horizon : Horizon
    eligible : int
        Customers who would be judged at the end of the log.
    judged : int
        Customers who would have been judged one horizon before.
    churn_rate : float or None
        Share of these who did not buy since; None without any.
    called : int
        Customers who would have been called churned one horizon before the end, having been judged two before.
    came_back : float or None
        Share of these who bought since; None without any.
    on_list : bool, shape (n_customers,)
        Who is at risk at the end of the log by the purchase model.
    """

    horizon: Horizon
    eligible: int
    judged: int
    churn_rate: float | None
    called: int
    came_back: float | None
    on_list: _BoolArray

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-safe values."""
        return {
            "horizon_days": self.horizon.days,
            "activity_days": self.horizon.activity_days,
            "eligible": self.eligible,
            "judged": self.judged,
            "churn_rate": self.churn_rate,
            "called": self.called,
            "came_back": self.came_back,
            "on_list": int(self.on_list.sum()),
        }


@dataclass(frozen=True, slots=True, eq=False)
class AtRiskChange:
    """Two horizons side by side.

    Attributes
    ----------
    present, proposed : HorizonOutlook
    """

    present: HorizonOutlook
    proposed: HorizonOutlook

    @property
    def on_both(self) -> int:
        """Customers on both lists."""
        return int((self.present.on_list & self.proposed.on_list).sum())

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-safe values."""
        return {"present": self.present.to_dict(), "proposed": self.proposed.to_dict(), "on_both": self.on_both}


def compare_horizons(
    log: EventLog,
    silences: Silences,
    present: Horizon,
    proposed: Horizon,
    *,
    policy: SegmentPolicy,
    terms: ClvTerms,
    progress: Progress = silent,
) -> AtRiskChange:
    """Compare what two horizons come to at the end of a log.

    Parameters
    ----------
    log : EventLog
        With purchases.
    silences : Silences
        Of this log.
    present, proposed : Horizon
    policy : SegmentPolicy
        Cuts both lists.
    terms : ClvTerms
    progress : Progress

    Raises
    ------
    ModelError
        The purchases give no model.
    """
    progress("Fitting purchase model", 0.0)
    end = Snapshot.at_midnight(silences.end_day, log.calendar)
    frame = build_features(log, end, plan=_PLAN)
    purchases = PurchaseModel.fit(frame)
    progress("Fitting purchase model", 1.0)

    progress("Comparing lists", 0.0)
    horizons = (present, proposed)
    # Nobody else is judged, and there may be many.
    rows = np.flatnonzero(eligible(frame, max(horizon.activity_days for horizon in horizons)))
    judged = FeatureFrame(tuple(frame.customer_ids[row] for row in rows.tolist()), frame.features, frame.values[rows])
    rfm = Rfm.of(judged)
    clv = discounted_clv(
        purchases.btyd,
        purchases.gamma_gamma,
        frequency=rfm.frequency,
        recency=rfm.recency,
        T=rfm.T,
        monetary_value=spent(rfm),
        terms=terms,
    )
    stays_away = purchases.btyd.probability_of_no_purchase(
        [horizon.days for horizon in horizons], rfm.frequency, rfm.recency, rfm.T
    )
    outlooks = []
    for horizon, probability in zip(horizons, stays_away.T, strict=True):
        on_list = np.zeros(log.n_customers, dtype=np.bool_)
        may_be = eligible(judged, horizon.activity_days)
        on_list[rows] = _at_risk(policy, may_be, probability, clv, rfm, horizon)
        outlooks.append(_outlook(silences, horizon, int(may_be.sum()), on_list))
    progress("Comparing lists", 1.0)
    return AtRiskChange(*outlooks)


def _at_risk(
    policy: SegmentPolicy,
    is_eligible: _BoolArray,
    churn_probability: NDArray[np.float64],
    clv: NDArray[np.float64],
    rfm: Rfm,
    horizon: Horizon,
) -> _BoolArray:
    cutoffs = find_cutoffs(policy, eligible=is_eligible, churn_probability=churn_probability, clv=clv)
    _, member = assign_segments(
        policy,
        cutoffs,
        eligible=is_eligible,
        churn_probability=churn_probability,
        clv=clv,
        upsell_propensity=None,
        T=rfm.T,
        horizon_days=horizon.days,
        memberships={},
    )
    at_risk: _BoolArray = member[:, _AT_RISK]
    return at_risk


def _outlook(silences: Silences, horizon: Horizon, n_eligible: int, on_list: _BoolArray) -> HorizonOutlook:
    end_day, days = silences.end_day, horizon.days
    judged, stayed_away = _judged(silences, end_day - days, horizon)
    _, called = _judged(silences, end_day - 2 * days, horizon)
    return HorizonOutlook(
        horizon=horizon,
        eligible=n_eligible,
        judged=int(judged.sum()),
        churn_rate=_share(stayed_away, judged),
        called=int(called.sum()),
        came_back=_share(called & silences.returns, called),
        on_list=on_list,
    )


def _judged(silences: Silences, day: int, horizon: Horizon) -> tuple[_BoolArray, _BoolArray]:
    """Return who would have been judged at the midnight of a day, and who of them did not buy within the horizon.

    Both mark the silence that the customer was in then.
    """
    judged = silences.open_at(day) & (day - 1 - silences.begins < horizon.activity_days)
    stayed_away = judged & (~silences.returns | (silences.begins + silences.lasts >= day + horizon.days))
    return judged, stayed_away


def _share(part: _BoolArray, whole: _BoolArray) -> float | None:
    n = int(whole.sum())
    return int(part.sum()) / n if n else None
