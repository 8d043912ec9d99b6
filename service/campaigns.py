"""What a campaign that is asked for is to be, and a measured save rate put into the policy by hand."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from models.campaign_effect import CampaignEffect
from models.save_rate import judge_save_rate, with_measured
from models.segments import SegmentPolicy
from service.schemas.campaigns import CampaignIn
from store import policies, registry
from store.campaigns import HELD_OUT, NewCampaign, adopt
from store.exceptions import StoreError
from store.tables import Campaign

__all__ = ["adopt_measured", "new_campaign"]

_OUTCOME_DAYS = 90


def new_campaign(session: Session, asked: CampaignIn, *, as_of: datetime) -> NewCampaign:
    """Return what is asked for, with what is left open as the policy and the model in use have it."""
    held_out_share = asked.held_out_share
    if asked.assignment is None and held_out_share is None:
        held_out_share = _policy(session).held_out_share
    return NewCampaign(
        name=asked.name,
        segment=asked.segment,
        outcome_event=asked.outcome_event,
        outcome_days=asked.outcome_days or registry.churn_horizon(session) or _OUTCOME_DAYS,
        held_out_arm=asked.held_out_arm or HELD_OUT,
        held_out_share=held_out_share,
        most_customers=asked.most_customers,
        assigned_at=asked.assigned_at or as_of,
    )


def adopt_measured(session: Session, campaign: Campaign, *, now: datetime) -> None:
    """Put the save rate of a campaign into the policy, though it was put in before, or the settings would not.

    Raises
    ------
    StoreError
        It is not counted yet, or not measured well enough.
    """
    if campaign.effect is None or campaign.effect_as_of is None:
        raise StoreError(f"The effect of campaign {campaign.name!r} has not been counted yet. A worker does that.")
    verdict = judge_save_rate(
        CampaignEffect.from_dict(campaign.effect),
        segment=campaign.segment,
        outcome_event=campaign.outcome_event,
        outcome_days=campaign.outcome_days,
        horizon_days=registry.churn_horizon(session),
    )
    if verdict.save_rate is None:
        raise StoreError(verdict.why)
    policy = with_measured(
        _policy(session),
        verdict.save_rate,
        campaign=campaign.name,
        outcome_days=campaign.outcome_days,
        as_of=campaign.effect_as_of,
    )
    adopt(session, campaign.id, policy.to_dict(), why=verdict.why, now=now)


def _policy(session: Session) -> SegmentPolicy:
    content = policies.find_policy(session)
    return SegmentPolicy() if content is None else SegmentPolicy.from_dict(content)
