"""Who is in which arm of a campaign: supplied by somebody else, or a segment's customers, some of them held out.

Nobody's assignment ever changes. It does not look at who was contacted before: of those held out nobody is, so that
such a rule would part the arms by more than chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.campaigns import CONTACTED, HELD_OUT, CampaignExistsError, make_due
from store.customer_keys import find_customers
from store.engine import Database
from store.exceptions import StoreError
from store.held_out import HeldOut
from store.scores import require_published_run
from store.tables import Campaign, CampaignAssignment, Customer, ScoringRun, SegmentListing

__all__ = [
    "MOST_ASSIGNED",
    "Assigned",
    "RefusedRow",
    "assign",
    "assign_segment",
    "held_customers",
]

MOST_ASSIGNED = 100_000

# So many that the lock is held for well under 100 ms.
_ROWS_A_TRANSACTION = 1_000


class RefusedRow(NamedTuple):
    """A row that can't be taken: its place among those sent, a stable name of why, and the reason in words."""

    row: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of the rows of an assignment.

    Attributes
    ----------
    stored, already_there : int
    refused : tuple of RefusedRow
    """

    stored: int
    already_there: int
    refused: tuple[RefusedRow, ...]


def assign(
    database: Database, campaign_id: int, rows: Sequence[tuple[str, str]], *, assigned_at: datetime, now: datetime
) -> Assigned:
    """Store who is in which arm, in short transactions; the same again stores nothing twice.

    Parameters
    ----------
    database : Database
    campaign_id : int
    rows : sequence of (customer id, arm)
    assigned_at : datetime
        From when their outcomes count.
    now : datetime

    Returns
    -------
    Assigned

    Raises
    ------
    CampaignExistsError
        The campaign would have more customers than it may.
    """
    with database.read() as session:
        there = _n_assigned(session, campaign_id)
        new = len(rows) if there + len(rows) <= MOST_ASSIGNED else _n_new(session, campaign_id, rows)
    if there + new > MOST_ASSIGNED:
        raise CampaignExistsError(
            f"Expected at most {MOST_ASSIGNED:,} customers in a campaign; it has {there:,}, and {new:,} more came. "
            "Make several campaigns, each with a held-out arm."
        )
    stored = already_there = 0
    refused: list[RefusedRow] = []
    for start in range(0, len(rows), _ROWS_A_TRANSACTION):
        some = rows[start : start + _ROWS_A_TRANSACTION]
        with database.write() as session:
            keys = held_customers(session, [customer_id for customer_id, _ in some])
            part = _assign(session, campaign_id, some, keys, start, assigned_at)
        stored, already_there = stored + part.stored, already_there + part.already_there
        refused += part.refused
    with database.write() as session:
        make_due(session, [campaign_id], at=now)
    return Assigned(stored, already_there, tuple(refused))


def assign_segment(database: Database, campaign: Campaign, held_out: HeldOut, *, now: datetime) -> int:
    """Store the customers of a campaign's segment, from the top of the list; return how many were new.

    Cut off, it is done again from the beginning, and stores nothing twice, nor more customers than were asked for,
    though another run be published by then.

    Parameters
    ----------
    database : Database
    campaign : Campaign
        With a segment.
    held_out : HeldOut
    now : datetime
    """
    most = min(campaign.most_customers or MOST_ASSIGNED, MOST_ASSIGNED)
    with database.read() as session:
        run_id = require_published_run(session).id
        left = most - _n_assigned(session, campaign.id)
    stored, last = 0, None
    while left > 0:
        place = tuple_(SegmentListing.rank_value, SegmentListing.customer_key)
        query = (
            select(SegmentListing.rank_value, SegmentListing.customer_key)
            .where(SegmentListing.scoring_run_id == run_id, SegmentListing.segment == campaign.segment)
            .order_by(SegmentListing.rank_value.desc(), SegmentListing.customer_key.desc())
            .limit(_ROWS_A_TRANSACTION)
        )
        with database.write() as session:
            found = session.execute(query if last is None else query.where(place < tuple_(*last))).all()
            there = _assigned_among(session, campaign.id, [row.customer_key for row in found])
            absent = [row for row in found if row.customer_key not in there]
            wanted = absent[:left]
            keys = _locked(session, [row.customer_key for row in wanted])
            # Several may be at it at once; customers are locked before campaigns, as everybody does who locks both.
            session.execute(select(Campaign.id).where(Campaign.id == campaign.id).with_for_update(key_share=True))
            left = max(most - _n_assigned(session, campaign.id), 0)
            chosen = sorted([row.customer_key for row in wanted if row.customer_key in keys][:left])
            new = {key: HELD_OUT if key in held_out else CONTACTED for key in chosen}
            n_new = len(_insert(session, campaign.id, new, campaign.assigned_at))
            is_pruned = not found and session.get_one(ScoringRun, run_id).is_pruned
        if is_pruned:
            raise StoreError(
                "The list was replaced by a newer one, and deleted, meanwhile. Ask for the campaign again."
            )
        if not found:
            break
        stored, left = stored + n_new, left - n_new
        last = tuple(wanted[-1] if len(wanted) < len(absent) else found[-1])
    with database.write() as session:
        session.execute(update(Campaign).where(Campaign.id == campaign.id).values(is_assigned=True))
        make_due(session, [campaign.id], at=now)
    return stored


def held_customers(session: Session, customer_ids: Sequence[str]) -> dict[str, int]:
    """Find customers by any of their ids, and keep others from merging or erasing them until the transaction ends.

    Returns
    -------
    dict of id to key
        Without ids that nobody has.
    """
    found = find_customers(session, list(dict.fromkeys(customer_ids)))
    keys = dict(zip(found.customer_ids, found.keys.tolist(), strict=True))
    keys |= {merged: keys[own] for merged, own in found.merged.items() if own in keys}
    held = _locked(session, list(keys.values()))
    wanted = set(customer_ids)
    return {customer_id: key for customer_id, key in keys.items() if key in held and customer_id in wanted}


def _locked(session: Session, keys: Sequence[int]) -> set[int]:
    """Lock customers against merges and erasures, in one order; return those who are not merged or erased."""
    query = select(Customer.id).where(
        Customer.id.in_(keys), Customer.merged_into.is_(None), Customer.erased_at.is_(None)
    )
    return set(session.scalars(query.order_by(Customer.id).with_for_update(read=True)))


def _n_assigned(session: Session, campaign_id: int) -> int:
    assigned = select(func.count()).select_from(CampaignAssignment)
    return session.scalar(assigned.where(CampaignAssignment.campaign_id == campaign_id)) or 0


def _n_new(session: Session, campaign_id: int, rows: Sequence[tuple[str, str]]) -> int:
    """Return how many customers of an assignment are not in the campaign yet."""
    keys = set(find_customers(session, [customer_id for customer_id, _ in rows]).keys.tolist())
    return len(keys - _assigned_among(session, campaign_id, sorted(keys)))


def _assigned_among(session: Session, campaign_id: int, keys: Sequence[int]) -> set[int]:
    """Return who of some customers is in a campaign."""
    found: set[int] = set()
    for start in range(0, len(keys), _ROWS_A_TRANSACTION):
        of_these = CampaignAssignment.customer_key.in_(keys[start : start + _ROWS_A_TRANSACTION])
        query = select(CampaignAssignment.customer_key).where(CampaignAssignment.campaign_id == campaign_id, of_these)
        found.update(session.scalars(query))
    return found


def _assign(
    session: Session,
    campaign_id: int,
    rows: Sequence[tuple[str, str]],
    keys: Mapping[str, int],
    start: int,
    assigned_at: datetime,
) -> Assigned:
    first: dict[int, str] = {}
    for customer_id, arm in rows:
        if customer_id in keys:
            first.setdefault(keys[customer_id], arm)
    new = _insert(session, campaign_id, dict(sorted(first.items())), assigned_at)
    is_ours = CampaignAssignment.campaign_id == campaign_id
    query = select(CampaignAssignment.customer_key, CampaignAssignment.arm).where(is_ours)
    there = dict(session.execute(query.where(CampaignAssignment.customer_key.in_(first))).all())
    refused, already_there = [], 0
    for index, (customer_id, arm) in enumerate(rows, start=start):
        key = keys.get(customer_id)
        if key is None:
            refused.append(RefusedRow(index, "unknown_customer", f"no customer has the id {customer_id!r}"))
        elif there.get(key, arm) != arm:
            reason = f"{customer_id!r} is in the arm {there[key]!r} already, and nobody changes arms; got {arm!r}"
            refused.append(RefusedRow(index, "conflicting_arm", reason))
        elif key in new:
            new.discard(key)
        else:
            already_there += 1
    return Assigned(len(rows) - already_there - len(refused), already_there, tuple(refused))


def _insert(session: Session, campaign_id: int, arms: Mapping[int, str], assigned_at: datetime) -> set[int]:
    """Store the arms of customers who have none yet; return whose were new."""
    if not arms:
        return set()
    rows = [
        {"campaign_id": campaign_id, "customer_key": key, "arm": arm, "assigned_at": assigned_at}
        for key, arm in arms.items()
    ]
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(CampaignAssignment).on_conflict_do_nothing().returning(CampaignAssignment.customer_key)
    return set(session.scalars(statement, rows))
