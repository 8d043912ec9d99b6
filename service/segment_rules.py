"""The rule of each segment in words, with the numbers of the policy in force when the list was made."""

from __future__ import annotations

from models.segments import SEGMENTS, Cutoffs, SegmentPolicy

__all__ = ["TITLES", "rules_in_words"]

TITLES = {
    "at_risk": "At risk",
    "high_value": "High value",
    "upsell_ready": "Upsell ready",
    "new": "New",
    "steady": "Steady",
    "dormant": "Dormant",
    "prospect": "Prospect",
}


def rules_in_words(
    policy: SegmentPolicy,
    *,
    cutoffs: Cutoffs | None,
    horizon_days: int | None,
    activity_days: int | None,
    currency: str,
) -> dict[str, str]:
    """Say for each segment who is in it.

    Parameters
    ----------
    policy : SegmentPolicy
    cutoffs : Cutoffs, optional
        Where the policy cut the customers of the model, if that is known.
    horizon_days, activity_days : int, optional
        Of the model, if they are known.
    currency : str

    Returns
    -------
    dict of segment to text, in the order of `SEGMENTS`
    """
    within = "the activity window" if activity_days is None else f"{activity_days:,} days"
    horizon = "the horizon of the model" if horizon_days is None else f"{horizon_days:,} days"
    rules = {
        "at_risk": (
            f"Active, a churn probability of {policy.min_churn_probability:.0%} or more, and {policy.save_rate:.0%} of "
            f"the value at risk is more than the {currency} {policy.contact_cost:,.2f} that a contact costs; at most "
            f"{policy.max_share:.0%} of the active customers, those with the most value at risk"
            f"{_from(None if cutoffs is None else cutoffs.at_risk_value, currency)}."
        ),
        "high_value": (
            f"The smallest group of active customers who hold {policy.high_value_share:.0%} of the clv of all active "
            f"ones{_from(None if cutoffs is None else cutoffs.high_value_clv, currency)}."
        ),
        "upsell_ready": f"Active, and an upsell propensity of {_upsell(policy, cutoffs)} or more.",
        "new": f"Active, and the first purchase less than {horizon} ago.",
        "steady": "Active, and none of the above.",
        "dormant": f"No purchase within {within}: not active.",
        "prospect": "Known, and never purchased.",
    }
    return {name: rules[name] for name in SEGMENTS}


def _from(value: float | None, currency: str) -> str:
    return f" (from {currency} {value:,.2f} on)" if value else ""


def _upsell(policy: SegmentPolicy, cutoffs: Cutoffs | None) -> str:
    if policy.min_upsell_propensity is not None:
        return f"{policy.min_upsell_propensity:.0%}"
    if cutoffs is not None and cutoffs.upsell_propensity is not None:
        return f"{cutoffs.upsell_propensity:.0%}"
    return f"{policy.upsell_multiple:g} times the usual rate"
