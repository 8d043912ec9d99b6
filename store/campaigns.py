"""Campaigns: made, found, due to be counted, and what was counted.

UnknownCampaignError, CampaignExistsError (both StoreErrors)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store import policies, registry, runs
from store.exceptions import StoreError
from store.tables import Campaign, CampaignAssignment

__all__ = [
    "CONTACTED",
    "HELD_OUT",
    "CampaignExistsError",
    "NewCampaign",
    "UnknownCampaignError",
    "add_campaign",
    "adopt",
    "campaign_called",
    "due_campaigns",
    "find_campaign",
    "list_campaigns",
    "make_due",
    "put_off",
    "write_effect",
    "write_verdict",
]

# The arms of a campaign for a segment.
CONTACTED, HELD_OUT = "contacted", "held_out"

_CAMPAIGNS_AT_ONCE = 100
_MOST_DIGITS = 9


class UnknownCampaignError(StoreError):
    """No such campaign."""


class CampaignExistsError(StoreError):
    """Another campaign has this name, or an assignment does not fit what is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCampaign:
    """What a campaign is to be.

    Attributes
    ----------
    name : str
        No other has it.
    segment : str or None
        Whom it is for.
    outcome_event : str or None
        None for a purchase.
    outcome_days : int
        After the assignment, within which the outcome counts.
    held_out_arm : str
    held_out_share : float or None
        None where the assignment is supplied.
    most_customers : int or None
        Of the segment's list from the top.
    assigned_at : datetime
    left_open : frozenset of str
        Which of these nobody asked for: where a campaign of this name is there, it keeps its own.
    """

    name: str
    segment: str | None
    outcome_event: str | None
    outcome_days: int
    held_out_arm: str = HELD_OUT
    held_out_share: float | None = None
    most_customers: int | None = None
    assigned_at: datetime
    left_open: frozenset[str] = frozenset()

    @property
    def is_supplied(self) -> bool:
        """Whether somebody else decides who is in which arm."""
        return self.held_out_share is None


# What has to be the same for a campaign to be the same when it is asked for again.
_OWN = ("segment", "outcome_event", "outcome_days", "held_out_arm", "held_out_share", "most_customers")


def add_campaign(session: Session, new: NewCampaign, *, now: datetime) -> Campaign:
    """Make a campaign, or return the one of that name if it is as asked for, so that it may be asked for again.

    Raises
    ------
    CampaignExistsError
        There is another one of that name.
    """
    there = session.scalars(select(Campaign).where(Campaign.name == new.name)).first()
    if there is not None:
        asked = [name for name in _OWN if name not in new.left_open]
        differs = [name for name in asked if getattr(there, name) != getattr(new, name)]
        if "assigned_at" not in new.left_open and there.assigned_at != new.assigned_at:
            differs.append("assigned_at")
        if not differs and (there.held_out_share is None) != new.is_supplied:
            differs = ["way of assigning its customers"]
        if differs:
            raise CampaignExistsError(
                f"There is a campaign {new.name!r} already (number {there.id}), with another {', '.join(differs)}. "
                "Choose another name."
            )
        return there
    own = {name: getattr(new, name) for name in ("name", "assigned_at", *_OWN)}
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    made = dialect.insert(Campaign).values(created_at=now, is_assigned=new.is_supplied, **own)
    # Where another has just made it, that one is compared with.
    session.execute(made.on_conflict_do_nothing())
    return add_campaign(session, new, now=now)


def campaign_called(text: str) -> int | str:
    """Return the number or the name of a campaign as people write it; digits alone are a number."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else text


def find_campaign(session: Session, named: int | str) -> Campaign:
    """Return a campaign by its number or its name; raises `UnknownCampaignError`."""
    by = Campaign.id == named if isinstance(named, int) else Campaign.name == named
    campaign = session.scalars(select(Campaign).where(by)).first()
    if campaign is None:
        raise UnknownCampaignError(f"There is no campaign {named!r}. Those there are: GET /v1/campaigns")
    return campaign


def list_campaigns(session: Session, *, limit: int = _CAMPAIGNS_AT_ONCE, before: int | None = None) -> list[Campaign]:
    """Return campaigns, the newest first; those of a number below `before`, if that is given."""
    query = select(Campaign).order_by(Campaign.id.desc()).limit(limit)
    return list(session.scalars(query if before is None else query.where(Campaign.id < before)))


def due_campaigns(session: Session, *, now: datetime) -> list[int]:
    """Return the numbers of campaigns whose effect is to be counted, the one that waits longest first."""
    due = select(Campaign.id).where(Campaign.effect_due_at <= now).order_by(Campaign.effect_due_at)
    return list(session.scalars(due.limit(_CAMPAIGNS_AT_ONCE)))


def make_due(session: Session, campaign_ids: Sequence[int], *, at: datetime) -> None:
    """Have the effect of campaigns counted again, at an instant or before it; one whose data is deleted is not."""
    session.execute(
        update(Campaign)
        .where(Campaign.id.in_(sorted(campaign_ids)), Campaign.pruned_at.is_(None), Campaign.is_assigned)
        .where(Campaign.effect_due_at.is_(None) | (Campaign.effect_due_at > at))
        .where(exists().where(CampaignAssignment.campaign_id == Campaign.id))
        .values(effect_due_at=at)
    )


def put_off(session: Session, campaign_id: int, *, until: datetime) -> None:
    """Have the effect of a campaign counted later."""
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(effect_due_at=until))


def write_effect(
    session: Session,
    campaign_id: int,
    effect: Mapping[str, Any],
    *,
    as_of: datetime,
    seen_due_at: datetime | None,
    due_at: datetime | None,
) -> None:
    """Keep what was counted.

    Parameters
    ----------
    session : Session
    campaign_id : int
    effect : mapping
    as_of : datetime
        The instant that it speaks of.
    seen_due_at : datetime or None
        When it was due, as read before it was counted: if it has become due anew since, that stays.
    due_at : datetime or None
        When to count it again.
    """
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(effect=dict(effect), effect_as_of=as_of))
    session.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id, Campaign.effect_due_at.is_not_distinct_from(seen_due_at))
        .values(effect_due_at=due_at)
    )


def adopt(session: Session, campaign_id: int, policy: Mapping[str, Any], *, why: str, now: datetime) -> int:
    """Put a policy with a measured save rate in force, keep with the campaign that it was, and queue a scoring by it.

    Returns
    -------
    int
        The version of the policy.
    """
    version = policies.add_policy(session, dict(policy), now=now)
    if "champion" in registry.aliases(session):
        runs.queue_scoring(session, now=now)
    _write_adoption(session, campaign_id, version, why, now)
    return version


def write_verdict(session: Session, campaign_id: int, why: str, *, now: datetime) -> None:
    """Keep why a campaign's save rate did not go into the policy."""
    _write_adoption(session, campaign_id, None, why, now)


def _write_adoption(session: Session, campaign_id: int, version: int | None, why: str, now: datetime) -> None:
    adoption = {"policy_version": version, "why": why, "at": now.isoformat()}
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(adoption=adoption))
