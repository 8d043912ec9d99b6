"""Whether a campaign has measured the save rate well enough to replace the one that the policy has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from models.campaign_effect import CampaignEffect, SaveRate
from models.segment_policy import MeasuredSaveRate, SegmentPolicy

__all__ = ["MIN_CUSTOMERS", "Verdict", "judge_save_rate", "with_measured"]

# Of each arm, with windows that have passed.
MIN_CUSTOMERS = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about a measured save rate.

    Attributes
    ----------
    save_rate : SaveRate or None
        The one to be adopted; None where it is not fit for that.
    why : str
        Why, or why not, as a sentence.
    """

    save_rate: SaveRate | None
    why: str


def judge_save_rate(
    effect: CampaignEffect,
    *,
    segment: str | None,
    outcome_event: str | None,
    outcome_days: int,
    horizon_days: int | None,
) -> Verdict:
    """Say whether the save rate of a campaign may replace an assumed one.

    It may if the campaign was for the customers at risk, its outcome is a purchase within the horizon of churn, all of
    its windows have passed, each arm has at least `MIN_CUSTOMERS`, and the whole 95 % interval is above 0. Since all
    windows must have passed, it is looked at once, and not until it happens to please.

    Parameters
    ----------
    effect : CampaignEffect
    segment, outcome_event : str or None
        Of the campaign; None for others, and for a purchase.
    outcome_days : int
    horizon_days : int or None
        Of the churn that the model in use foretells; None without one.
    """
    contacted = sum(arm.tally.n for arm in effect.arms)
    smaller = min(contacted, effect.held_out.tally.n)
    rate = effect.save_rate
    refusals = (
        (segment != "at_risk", "the campaign is not for the customers at risk"),
        (outcome_event is not None, "its outcome is not a purchase"),
        (
            outcome_days != horizon_days,
            f"its outcome is looked for within {outcome_days:,} days, but churn within "
            f"{'no horizon' if horizon_days is None else f'{horizon_days:,}'}",
        ),
        (effect.open > 0, f"the windows of {effect.open:,} customers are still open"),
        (smaller < MIN_CUSTOMERS, f"the smaller arm has {smaller:,} customers of the {MIN_CUSTOMERS:,} it takes"),
    )
    if found := [why for applies, why in refusals if applies]:
        return Verdict(None, f"The save rate stays as it is: {found[0]}.")
    if rate is None:
        return Verdict(None, "The save rate stays as it is: nobody of an arm left, so that there is no such rate.")
    interval = f"{rate.rate.estimate:.1%}, {rate.rate.low:.1%} to {rate.rate.high:.1%} in 95 cases of 100"
    if rate.rate.low <= 0.0:
        return Verdict(
            None, f"The save rate stays as it is: the measured one ({interval}) can't be told from none at all."
        )
    return Verdict(rate, f"Measured: {interval}, by {contacted:,} contacted and {rate.n_held_out:,} held out.")


def with_measured(
    policy: SegmentPolicy, measured: SaveRate, *, campaign: str, outcome_days: int, as_of: datetime
) -> SegmentPolicy:
    """Return a policy with the save rate that a campaign has measured, and where it comes from.

    Parameters
    ----------
    policy : SegmentPolicy
    measured : SaveRate
        That `judge_save_rate` lets through.
    campaign : str
    outcome_days : int
    as_of : datetime
    """
    return replace(
        policy,
        save_rate=measured.rate.estimate,
        save_rate_measured=MeasuredSaveRate(
            campaign=campaign,
            low=measured.rate.low,
            high=measured.rate.high,
            n_contacted=measured.n_contacted,
            n_held_out=measured.n_held_out,
            outcome_days=outcome_days,
            as_of=as_of.isoformat(),
        ),
    )
