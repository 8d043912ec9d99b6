"""The rule of each segment in words, with the numbers of the policy in force when the list was made."""

from __future__ import annotations

from collections.abc import Mapping

from features.targets import CHURN, Target
from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS, Cutoffs

__all__ = ["TITLES", "rules_in_words", "save_rate_in_words"]

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
    targets: Mapping[str, Target],
    has_clv: bool,
    currency: str,
) -> dict[str, str]:
    """Say for each segment who is in it.

    Parameters
    ----------
    policy : SegmentPolicy
    cutoffs : Cutoffs, optional
        Where the policy cut the customers of the model, if that is known.
    targets : mapping of name to Target
        Of the model, the leading one first, which decides who is active.
    has_clv : bool
        False for a business without purchases.
    currency : str

    Returns
    -------
    dict of segment to text, in the order of `SEGMENTS`
    """
    leading = next(iter(targets.values()), None)
    # Where a file of labels says what came about, everybody in it is judged, active or not.
    everybody = leading is not None and leading.kind == "label"
    rules = {
        "at_risk": _at_risk(policy, cutoffs, "" if everybody else "active, ", currency, has_clv=has_clv)
        if CHURN in targets or not targets
        else "Nobody: the model has no target named churn.",
        "high_value": (
            f"The smallest group of active customers who hold {policy.high_value_share:.0%} of the clv of all active "
            f"ones{_from(None if cutoffs is None else cutoffs.high_value_clv, currency)}."
        ),
        "upsell_ready": _capitalised(
            f"{'' if everybody else 'active, and '}an upsell propensity of {_upsell(policy, cutoffs)} or more."
        ),
        "new": f"Active, and the first purchase less than {_horizon(leading)} ago.",
        "steady": "None of the above." if everybody else "Active, and none of the above.",
        "dormant": _dormant(leading),
        "prospect": "Known, and never purchased.",
    }
    if not has_clv:
        rules |= dict.fromkeys(("high_value", "new", "prospect"), "Nobody: there are no purchases.")
    return {name: rules[name] for name in SEGMENTS}


def save_rate_in_words(policy: SegmentPolicy) -> str:
    """Say whether the save rate of a policy is assumed, or by which campaign it was measured, and how well.

    Examples
    --------
    >>> save_rate_in_words(SegmentPolicy())
    'save rate 10%, an assumption until a campaign has measured it'
    """
    measured = policy.save_rate_measured
    if measured is None:
        return f"save rate {policy.save_rate:.0%}, an assumption until a campaign has measured it"
    return (
        f"save rate {policy.save_rate:.1%}, measured by the campaign {measured.campaign} ({measured.low:.1%} to "
        f"{measured.high:.1%} in 95 cases of 100; {measured.n_contacted:,} contacted, {measured.n_held_out:,} held out)"
    )


def _at_risk(policy: SegmentPolicy, cutoffs: Cutoffs | None, who: str, currency: str, *, has_clv: bool) -> str:
    likely = f"{who}a churn probability of {policy.min_churn_probability:.0%} or more"
    cut = None if cutoffs is None else cutoffs.at_risk_value
    among = f"at most {policy.max_share:.0%} of the {'active ' if who else ''}customers"
    if not has_clv:
        from_on = f" (from {cut:.0%} on)" if cut else ""
        return _capitalised(f"{likely}; {among}, those most likely to leave{from_on}.")
    return _capitalised(
        f"{likely}, and {policy.save_rate:.0%} of the value at risk is more than the {currency} "
        f"{policy.contact_cost:,.2f} that a contact costs; {among}, those with the most value at "
        f"risk{_from(cut, currency)}."
    )


def _horizon(leading: Target | None) -> str:
    days = None if leading is None else leading.horizon_days
    return "the horizon of the model" if days is None else f"{days:,} days"


def _dormant(leading: Target | None) -> str:
    days = None if leading is None else leading.activity_days
    within = "the activity window" if days is None else f"{days:,} days"
    if leading is None or leading.kind not in ("event", "label"):
        return f"No purchase within {within}: not active."
    if leading.kind == "label":
        return "Nobody: every customer is judged."
    gone = f", or {leading.describe()} was the last of it" if leading.name == CHURN else ""
    return f"Nothing known of them within {within}{gone}: not active."


def _from(value: float | None, currency: str) -> str:
    return f" (from {currency} {value:,.2f} on)" if value else ""


def _upsell(policy: SegmentPolicy, cutoffs: Cutoffs | None) -> str:
    if policy.min_upsell_propensity is not None:
        return f"{policy.min_upsell_propensity:.0%}"
    if cutoffs is not None and cutoffs.upsell_propensity is not None:
        return f"{cutoffs.upsell_propensity:.0%}"
    return f"{policy.upsell_multiple:g} times the usual rate"


def _capitalised(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
