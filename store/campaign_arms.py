"""In which arm of which campaigns customers are, and whom campaigns hold out at an instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, false, or_, select
from sqlalchemy.orm import Session

from store.tables import Campaign, CampaignAssignment, Customer, Score

__all__ = ["Arm", "Assignment", "arms_of", "held_by_campaigns", "held_members", "list_assignments"]

# More would be slow to read, and more than a budget of contacts is for.
_MOST_HELD = 100_000


class Assignment(NamedTuple):
    """In which arm a customer is, and since when."""

    customer_key: int
    customer_id: str
    arm: str
    assigned_at: datetime


def list_assignments(session: Session, campaign_id: int, *, limit: int, after: int = 0) -> list[Assignment]:
    """Return who is in which arm of a campaign, in order of keys, without those who have been merged or erased.

    Parameters
    ----------
    session : Session
    campaign_id : int
    limit : int
    after : int
        The key of the last one before.
    """
    assignment = CampaignAssignment
    rows = session.execute(
        select(assignment.customer_key, Customer.customer_id, assignment.arm, assignment.assigned_at)
        .join(Customer, Customer.id == assignment.customer_key)
        .where(assignment.campaign_id == campaign_id, assignment.customer_key > after)
        .where(Customer.merged_into.is_(None), Customer.erased_at.is_(None))
        .order_by(assignment.customer_key)
        .limit(limit)
    )
    return [Assignment(*row) for row in rows]


def held_by_campaigns(session: Session, customer_keys: Sequence[int], *, as_of: datetime) -> set[int]:
    """Return which of some customers a campaign holds out whose outcomes of them still count at an instant."""
    arms = arms_of(session, customer_keys)
    return {
        key for key, of_customer in arms.items() if any(arm.is_held_out and as_of < arm.until for arm in of_customer)
    }


def held_members(session: Session, run_id: int, segment: str, *, as_of: datetime) -> list[int]:
    """Return which customers of a segment of a run campaigns hold out at an instant, of the last 100,000 assigned."""
    # As `Arm.until` has it: of the few lengths that there are.
    lengths = session.scalars(select(Campaign.outcome_days).distinct()).all()
    counts = [
        and_(Campaign.outcome_days == days, CampaignAssignment.assigned_at > as_of - timedelta(days=days + 1))
        for days in lengths
    ]
    held = (
        select(CampaignAssignment.customer_key)
        .join(Campaign, Campaign.id == CampaignAssignment.campaign_id)
        .where(CampaignAssignment.arm == Campaign.held_out_arm, or_(false(), *counts))
        .order_by(CampaignAssignment.assigned_at.desc())
        .limit(_MOST_HELD)
    )
    members = select(Score.customer_key).where(Score.scoring_run_id == run_id, Score.customer_key.in_(held))
    in_segment = (" " + Score.segments + " ").contains(f" {segment} ", autoescape=True)
    return list(session.scalars(members.where(in_segment)))


class Arm(NamedTuple):
    """A customer's arm in a campaign, and in which period the campaign looks at the customer."""

    campaign_id: int
    is_held_out: bool
    since: datetime
    until: datetime

    def holds_out(self, at: datetime) -> bool:
        """Whether a contact at an instant goes against the campaign."""
        return self.is_held_out and self.since <= at < self.until


def arms_of(session: Session, customer_keys: Sequence[int]) -> dict[int, list[Arm]]:
    """Return the arms of some customers, of all campaigns, by key."""
    assignment = CampaignAssignment
    rows = session.execute(
        select(
            assignment.customer_key,
            assignment.campaign_id,
            assignment.arm == Campaign.held_out_arm,
            assignment.assigned_at,
            Campaign.outcome_days,
        )
        .join(Campaign, Campaign.id == assignment.campaign_id)
        .where(assignment.customer_key.in_(customer_keys))
    )
    found: dict[int, list[Arm]] = defaultdict(list)
    for key, campaign_id, is_held_out, since, days in rows:
        # A window ends at a midnight.
        found[key].append(Arm(campaign_id, is_held_out, since, since + timedelta(days=days + 1)))
    return found
