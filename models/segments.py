"""Segments: in which a customer is, and the numbers at which a policy cuts one set of customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.segment_policy import SegmentPolicy

__all__ = ["SEGMENTS", "Cutoffs", "assign_segments", "find_cutoffs"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# The primary segment of a customer is the first of these that applies.
SEGMENTS = ("at_risk", "high_value", "upsell_ready", "new", "steady", "dormant", "prospect")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoffs:
    """Where a policy cuts one set of customers, so that one customer can be judged alone.

    Attributes
    ----------
    at_risk_value : float
        Value at risk (the churn probability itself, for a business without purchases) of the last customer who fits
        within `max_share`; 0 where all fit.
    high_value_clv : float
        clv of the last customer of the high value group.
    upsell_propensity : float or None
        None without an upsell target.
    """

    at_risk_value: float
    high_value_clv: float
    upsell_propensity: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the cut-offs as JSON-safe values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        return cls(**values)


def find_cutoffs(
    policy: SegmentPolicy,
    *,
    eligible: BoolArray,
    churn_probability: FloatArray | None,
    clv: FloatArray | None,
    upsell_base_rate: float | None = None,
) -> Cutoffs:
    """Find where a policy cuts a set of customers.

    Parameters
    ----------
    policy : SegmentPolicy
    eligible : bool, shape (n,)
    churn_probability, clv : float64, shape (n,), optional
        Read for eligible customers only; None without a model that gives them.
    upsell_base_rate : float, optional
        Of the upsell target at training.

    Returns
    -------
    Cutoffs
    """
    everybody = np.full(len(eligible), np.nan)
    probability = (everybody if churn_probability is None else churn_probability)[eligible]
    value = None if clv is None else clv[eligible]
    doubt = probability if value is None else probability * value
    at_risk = np.sort(doubt[_is_at_risk(policy, probability, value, keep=1.0)])[::-1]
    places = max(1, int(policy.max_share * len(probability)))
    at_risk_value = 0.0
    if len(at_risk) > places:
        # Of customers with the very same value either all fit or none does.
        fitting = at_risk[:places][at_risk[:places] > at_risk[places]]
        at_risk_value = float(fitting[-1]) if len(fitting) else float(np.nextafter(at_risk[0], np.inf))

    high_value_clv = 0.0
    if value is not None:
        descending = np.sort(value[~np.isnan(value)])[::-1]
        held = np.cumsum(descending)
        if len(held) and held[-1] > 0:
            high_value_clv = float(descending[np.searchsorted(held, policy.high_value_share * held[-1])])

    upsell = policy.min_upsell_propensity
    if upsell_base_rate is None:
        upsell = None
    elif upsell is None:
        upsell = min(policy.upsell_multiple * upsell_base_rate, 0.99)
    return Cutoffs(at_risk_value=at_risk_value, high_value_clv=high_value_clv, upsell_propensity=upsell)


def assign_segments(
    policy: SegmentPolicy,
    cutoffs: Cutoffs,
    *,
    eligible: BoolArray,
    churn_probability: FloatArray | None,
    clv: FloatArray | None,
    upsell_propensity: FloatArray | None,
    T: FloatArray | None,
    horizon_days: int,
    memberships: Mapping[str, BoolArray],
) -> tuple[NDArray[np.int8], BoolArray]:
    """Put customers into segments.

    Parameters
    ----------
    policy, cutoffs
    eligible : bool, shape (n,)
    churn_probability, clv, upsell_propensity : float64, shape (n,), optional
        Read for eligible customers only; None without a model that gives them.
    T : float64, shape (n,), optional
        Days since the first purchase day; NaN for those who never purchased. None for a business without purchases.
    horizon_days : int
        A customer is new for this long after the first purchase.
    memberships : mapping of segment to bool, shape (n,)
        Who is in it now; a segment left out has no members.

    Returns
    -------
    primary : int8, shape (n,)
        Index into `SEGMENTS` of the first segment that applies.
    member : bool, shape (n, len(SEGMENTS))
        All segments of each customer.
    """
    nobody = np.zeros(len(eligible), dtype=np.bool_)
    keep = {
        name: np.where(memberships.get(name, nobody), 1.0 - policy.leave_margin, 1.0)
        for name in ("at_risk", "high_value", "upsell_ready")
    }
    at_risk = high_value = upsell_ready = new = prospect = nobody
    with np.errstate(invalid="ignore"):
        if churn_probability is not None:
            doubt = churn_probability if clv is None else churn_probability * clv
            at_risk = (
                eligible
                & _is_at_risk(policy, churn_probability, clv, keep["at_risk"])
                & (doubt >= cutoffs.at_risk_value * keep["at_risk"])
            )
        if clv is not None:
            high_value = eligible & (clv > 0) & (clv >= cutoffs.high_value_clv * keep["high_value"])
        if upsell_propensity is not None and cutoffs.upsell_propensity is not None:
            upsell_ready = eligible & (upsell_propensity >= cutoffs.upsell_propensity * keep["upsell_ready"])
        if T is not None:
            new = eligible & (horizon_days > T)
            prospect = np.isnan(T) & ~(at_risk | high_value | upsell_ready)
    dormant = ~eligible & ~prospect
    steady = eligible & ~(at_risk | high_value | upsell_ready | new | prospect)
    member = np.column_stack((at_risk, high_value, upsell_ready, new, steady, dormant, prospect))
    return member.argmax(axis=1).astype(np.int8), member


def _is_at_risk(
    policy: SegmentPolicy, churn_probability: FloatArray, clv: FloatArray | None, keep: FloatArray | float
) -> BoolArray:
    """Whether contacting a customer is likely enough to be needed and, where that is known, worth its cost."""
    likely: BoolArray = churn_probability >= policy.min_churn_probability * keep
    if clv is None:
        return likely
    return likely & (policy.save_rate * churn_probability * clv > policy.contact_cost * keep)
