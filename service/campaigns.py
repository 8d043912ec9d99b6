"""What a campaign or a contact that is told is to be, and a measured save rate put into the policy by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from models.campaign_effect import CampaignEffect
from models.save_rate import judge_save_rate, with_measured
from models.segment_policy import SegmentPolicy
from service.schemas.campaigns import CampaignIn
from service.schemas.contacts import ContactIn
from store import policies, registry
from store.campaign_assignments import RefusedRow
from store.campaigns import HELD_OUT, NewCampaign, adopt
from store.contacts import NewContact
from store.exceptions import StoreError
from store.held_out import HeldOut, read_held_out
from store.scores import require_published_run
from store.tables import Campaign

__all__ = ["adopt_measured", "held_out_by_policy", "in_words", "judge_contacts", "new_campaign"]

_OUTCOME_DAYS = 90
_LONGEST_PLACE = 100


def new_campaign(session: Session, asked: CampaignIn, *, as_of: datetime) -> NewCampaign:
    """Return what is asked for, with what is left open as the policy and the model in use have it.

    Raises
    ------
    StoreError
        Nothing is published yet that customers could be assigned from: the campaign would begin before they do.
    """
    if asked.assignment is None:
        require_published_run(session)
    held_out_share = asked.held_out_share
    left_open = {"outcome_days"} if asked.outcome_days is None else set()
    if asked.assignment is None and held_out_share is None:
        held_out_share = _policy(session).held_out_share
        left_open.add("held_out_share")
    if asked.assigned_at is None:
        left_open.add("assigned_at")
    return NewCampaign(
        name=asked.name,
        segment=asked.segment,
        outcome_event=asked.outcome_event,
        outcome_days=asked.outcome_days or registry.churn_horizon(session) or _OUTCOME_DAYS,
        held_out_arm=asked.held_out_arm or HELD_OUT,
        held_out_share=held_out_share,
        most_customers=asked.most_customers,
        assigned_at=asked.assigned_at or as_of,
        left_open=frozenset(left_open),
    )


def judge_contacts(told: Iterable[tuple[int, Mapping[str, Any]]]) -> tuple[dict[int, NewContact], list[RefusedRow]]:
    """Read contacts, each by itself: by the numbers told with them, those that can be taken, and why others can't."""
    contacts: dict[int, NewContact] = {}
    refused: list[RefusedRow] = []
    for index, fields in told:
        try:
            contact = ContactIn.model_validate(fields)
        except ValidationError as error:
            refused.append(RefusedRow(index, "invalid", in_words(error, whole="contact")))
        else:
            contacts[index] = NewContact(**contact.model_dump())
    return contacts, refused


def in_words(error: ValidationError, *, whole: str) -> str:
    """Say what is wrong with what was told, without repeating it, which may be long."""
    told = []
    for item in error.errors(include_input=False, include_url=False):
        message = item["msg"].removeprefix("Value error, ")
        # Without what a type is made of.
        place = ".".join(str(part) for part in item["loc"] if "-" not in str(part))[:_LONGEST_PLACE]
        told.append(f"{place or whole}: {message[:1].lower()}{message[1:]}")
    return "; ".join(told)


def held_out_by_policy(session: Session) -> HeldOut:
    """Read who is held out by the policy in force."""
    return read_held_out(session, _policy(session).held_out_share)


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
