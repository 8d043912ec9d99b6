"""Campaigns, who is in which arm of them, contacts, and what a campaign did. A worker counts that."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response, status

from models.campaign_effect import CampaignEffect
from service.access import needs
from service.campaigns import adopt_measured, held_out_by_policy, judge_contacts, new_campaign
from service.deps import Now, OpenDatabase, TheScorer, TheSettings
from service.openapi import PROBLEMS, problems
from service.parameters import CampaignId
from service.schemas.campaign_effect import CampaignEffectOut, EffectQueued
from service.schemas.campaigns import (
    AssignmentOut,
    AssignmentsAnswer,
    AssignmentsIn,
    CampaignIn,
    CampaignMade,
    CampaignOut,
    CampaignsAnswer,
)
from service.schemas.contacts import ContactsIn, ContactsTakenOut, RowsTaken
from store.api_keys import SEND_CONTACTS
from store.campaign_arms import list_assignments
from store.campaign_assignments import Assigned, assign, assign_segment
from store.campaigns import add_campaign, find_campaign, list_campaigns, make_due
from store.contacts import add_contacts
from store.held_out import read_held_out
from store.tables import Campaign

__all__ = ["router"]

router = APIRouter(tags=["campaigns"], prefix="/v1", responses=PROBLEMS)

_READ = [needs("scores:read")]
_SEND = [needs(SEND_CONTACTS)]
_ADMIN = [needs("admin")]
_SENT = problems(400, 413, 415)
_CAMPAIGNS_A_PAGE = 100
_MOST_ASSIGNMENTS = 1_000
# As of events, clocks may differ by so much.
_AHEAD = timedelta(hours=24)

_QUEUED: dict[int | str, dict[str, Any]] = {202: {"model": EffectQueued, "description": "It is not counted yet."}}


@router.post("/campaigns", dependencies=_SEND, responses=_SENT | problems(409), status_code=status.HTTP_201_CREATED)
def make_campaign(
    asked: Annotated[CampaignIn, Body()], database: OpenDatabase, scorer: TheScorer, now: Now
) -> CampaignMade:
    """Make a campaign, and assign its customers: those of a segment, a random share held out, or as supplied.

    Asked for again in the same words it is the same campaign, and goes on with what was cut off.
    """
    with database.write() as session:
        new = new_campaign(session, asked, as_of=scorer.as_of())
        campaign = add_campaign(session, new, now=now)
        session.refresh(campaign)
        held_out = read_held_out(session, campaign.held_out_share or 0.0)
    if asked.assignment is not None:
        rows = [(row.customer_id, row.arm) for row in asked.assignment]
        taken = assign(database, campaign.id, rows, assigned_at=campaign.assigned_at, now=now)
    elif campaign.is_assigned:
        taken = Assigned(0, 0, ())
    else:
        taken = Assigned(assign_segment(database, campaign, held_out, now=now), 0, ())
    with database.read() as session:
        campaign = find_campaign(session, campaign.id)
    return CampaignMade(
        **CampaignOut.fields_of(campaign), assigned=RowsTaken.of(taken.stored, taken.already_there, taken.refused)
    )


@router.get("/campaigns", dependencies=_READ)
def read_campaigns(
    database: OpenDatabase,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="`next_before` of the page before.")] = None,
) -> CampaignsAnswer:
    """List the campaigns, the newest first, a hundred a page."""
    with database.read() as session:
        found = list_campaigns(session, limit=_CAMPAIGNS_A_PAGE + 1, before=before)
    shown = found[:_CAMPAIGNS_A_PAGE]
    return CampaignsAnswer(
        campaigns=[CampaignOut.of(campaign) for campaign in shown],
        next_before=shown[-1].id if len(found) > len(shown) else None,
    )


@router.get("/campaigns/{campaign_id}", dependencies=_READ, responses=problems(404))
def read_campaign(campaign_id: CampaignId, database: OpenDatabase) -> CampaignOut:
    """Tell one campaign."""
    with database.read() as session:
        return CampaignOut.of(find_campaign(session, campaign_id))


@router.get("/campaigns/{campaign_id}/assignments", dependencies=_READ, responses=problems(404))
def read_assignments(
    campaign_id: CampaignId,
    database: OpenDatabase,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next_after` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_ASSIGNMENTS, description="Customers a page.")] = _MOST_ASSIGNMENTS,
) -> AssignmentsAnswer:
    """Tell who is in which arm of a campaign, those held out among them."""
    with database.read() as session:
        held_out_arm = find_campaign(session, campaign_id).held_out_arm
        found = list_assignments(session, campaign_id, limit=limit + 1, after=after)
    shown = found[:limit]
    return AssignmentsAnswer(
        assignments=[
            AssignmentOut(
                customer_id=each.customer_id,
                arm=each.arm,
                held_out=each.arm == held_out_arm,
                assigned_at=each.assigned_at,
            )
            for each in shown
        ],
        next_after=shown[-1].customer_key if len(found) > limit else None,
    )


@router.post("/campaigns/{campaign_id}/assignments", dependencies=_SEND, responses=_SENT | problems(404, 409))
def add_assignments(
    campaign_id: CampaignId, asked: Annotated[AssignmentsIn, Body()], database: OpenDatabase, now: Now
) -> RowsTaken:
    """Assign more customers to a campaign; nobody changes arms, and the same again stores nothing twice."""
    with database.read() as session:
        campaign = find_campaign(session, campaign_id)
    rows = [(row.customer_id, row.arm) for row in asked.assignments]
    at = asked.assigned_at or campaign.assigned_at
    taken = assign(database, campaign.id, rows, assigned_at=at, now=now)
    return RowsTaken.of(taken.stored, taken.already_there, taken.refused)


@router.get(
    "/campaigns/{campaign_id}/effect",
    dependencies=_READ,
    responses=problems(404) | _QUEUED,
    response_model=CampaignEffectOut,
)
def read_effect(campaign_id: CampaignId, database: OpenDatabase, settings: TheSettings) -> Any:
    """Tell what a campaign did, as counted last: rates, values and money with intervals, and the sample still needed.

    A worker counts it when its customers or contacts change, once a day while windows are open, and when asked to.
    """
    with database.read() as session:
        campaign = find_campaign(session, campaign_id)
    if campaign.effect is None:
        return Response(_state(campaign).model_dump_json(), status.HTTP_202_ACCEPTED, media_type="application/json")
    return CampaignEffectOut.of_effect(campaign, CampaignEffect.from_dict(campaign.effect), currency=settings.currency)


@router.post(
    "/campaigns/{campaign_id}/effect",
    dependencies=_SEND,
    responses=problems(404),
    status_code=status.HTTP_202_ACCEPTED,
)
def count_effect(campaign_id: CampaignId, database: OpenDatabase, now: Now) -> EffectQueued:
    """Have a worker count the effect again, for instance after old events were sent late."""
    with database.write() as session:
        make_due(session, [find_campaign(session, campaign_id).id], at=now)
    with database.read() as session:
        return _state(find_campaign(session, campaign_id))


@router.post("/campaigns/{campaign_id}/adopt", dependencies=_ADMIN, responses=problems(404, 409))
def adopt_save_rate(campaign_id: CampaignId, database: OpenDatabase, now: Now) -> CampaignOut:
    """Put the save rate that a campaign has measured into the segment policy, where it is measured well enough."""
    with database.write() as session:
        adopt_measured(session, find_campaign(session, campaign_id), now=now)
    with database.read() as session:
        return CampaignOut.of(find_campaign(session, campaign_id))


@router.post("/contacts", dependencies=_SEND, responses=_SENT)
def take_contacts(
    asked: Annotated[ContactsIn, Body()], database: OpenDatabase, scorer: TheScorer, now: Now
) -> ContactsTakenOut:
    """Store up to 1,000 contacts, each once; those that can't be taken are named, and the others stored.

    Named are also those that went to customers who are held out: a campaign is judged by assignment, so that they blur
    what it did.
    """
    contacts, refused = judge_contacts(enumerate(asked.contacts))
    with database.read() as session:
        held_out = held_out_by_policy(session)
    taken = add_contacts(database, contacts, held_out, latest=_latest(scorer.as_of(), now), now=now)
    rows = RowsTaken.of(taken.stored, taken.already_there, sorted((*refused, *taken.refused)))
    return ContactsTakenOut(**dict(rows), held_out=list(taken.held_out))


def _latest(as_of: datetime, now: datetime) -> datetime:
    return max(as_of, now) + _AHEAD


def _state(campaign: Campaign) -> EffectQueued:
    if campaign.pruned_at is not None:
        return EffectQueued(state="deleted")
    return EffectQueued(state="nobody is assigned" if campaign.effect_due_at is None else "queued")
