"""Contacts: who was contacted when, by which channel, in which campaign, and at what cost. Each is stored once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.campaign_arms import arms_of
from store.campaign_assignments import RefusedRow, held_customers
from store.campaigns import make_due
from store.engine import Database
from store.held_out import HeldOut
from store.tables import Campaign, Contact, Score
from store.tables.base import to_microseconds

__all__ = ["ContactsTaken", "NewContact", "add_contacts", "count_recent", "last_contacts"]

_IDENTITY_BYTES = 16
# So many that the lock is held for well under 100 ms.
_ROWS_A_TRANSACTION = 1_000
# Of recent contacts, each of which is looked for among the scores of a run: a fraction of a second.
_MOST_COUNTED = 100_000
# Contacts mostly come many at a time: the effect of their campaign is counted again once they have.
_BEFORE_COUNTING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A contact as it was told.

    Attributes
    ----------
    customer_id : str
        Any id of the customer.
    campaign : int or str or None
        Number or name.
    contacted_at : datetime
    channel : str
    cost : float or None
        From 0, in the currency of the business.
    message_id : str or None
        The sender's own id, which then identifies the contact.
    """

    customer_id: str
    campaign: int | str | None
    contacted_at: datetime
    channel: str
    cost: float | None = None
    message_id: str | None = None

    def identity(self, campaign_id: int | None) -> bytes:
        """Return what is the same whenever this contact is told again: of the message id, or else of all but the cost.

        Parameters
        ----------
        campaign_id : int or None
            Number of the campaign, however it was called.
        """
        told: list[Any] = (
            ["message", self.message_id]
            if self.message_id is not None
            else ["contact", self.customer_id, to_microseconds(self.contacted_at), self.channel, campaign_id]
        )
        return blake2b(json.dumps(told).encode(), digest_size=_IDENTITY_BYTES).digest()


@dataclass(frozen=True, slots=True)
class ContactsTaken:
    """What became of contacts.

    Attributes
    ----------
    stored, already_there : int
    refused : tuple of RefusedRow
    held_out : tuple of int
        Indices of those taken that went to a customer whom their campaign holds out; if that has the customer in no
        arm, whom any campaign or the policy does.
    """

    stored: int
    already_there: int
    refused: tuple[RefusedRow, ...]
    held_out: tuple[int, ...]


def add_contacts(
    database: Database, contacts: Mapping[int, NewContact], held_out: HeldOut, *, latest: datetime, now: datetime
) -> ContactsTaken:
    """Store contacts, in short transactions; those that can't be taken are named, and the others stored.

    Parameters
    ----------
    database : Database
    contacts : mapping of index to NewContact
        The index names a contact where it is refused.
    held_out : HeldOut
        By the policy.
    latest : datetime
        Contacts after it are refused.
    now : datetime
    """
    stored = already_there = 0
    refused: list[RefusedRow] = []
    to_held_out: list[int] = []
    indices = list(contacts)
    for start in range(0, len(indices), _ROWS_A_TRANSACTION):
        some = {index: contacts[index] for index in indices[start : start + _ROWS_A_TRANSACTION]}
        with database.write() as session:
            part = _add(session, some, held_out, latest, now)
        stored, already_there = stored + part.stored, already_there + part.already_there
        refused += part.refused
        to_held_out += part.held_out
    return ContactsTaken(stored, already_there, tuple(sorted(refused)), tuple(to_held_out))


def last_contacts(session: Session, customer_keys: Sequence[int], *, since: datetime) -> dict[int, datetime]:
    """Return when customers were contacted last, of up to a thousand of them; without those not contacted since."""
    query = (
        select(Contact.customer_key, func.max(Contact.contacted_at))
        .where(Contact.customer_key.in_(customer_keys), Contact.contacted_at >= since)
        .group_by(Contact.customer_key)
    )
    return dict(session.execute(query).all())


def count_recent(session: Session, run_id: int, segment: str, *, since: datetime) -> int:
    """Return how many customers of a segment of a run were contacted since an instant, by the last 100,000 contacts."""
    recent = select(Contact.customer_key).where(Contact.contacted_at >= since)
    recent = recent.order_by(Contact.contacted_at.desc()).limit(_MOST_COUNTED)
    members = (
        select(func.count())
        .select_from(Score)
        .where(Score.scoring_run_id == run_id, Score.customer_key.in_(recent))
        .where((" " + Score.segments + " ").contains(f" {segment} ", autoescape=True))
    )
    return session.scalar(members) or 0


def _add(
    session: Session, contacts: Mapping[int, NewContact], held_out: HeldOut, latest: datetime, now: datetime
) -> ContactsTaken:
    keys = held_customers(session, [contact.customer_id for contact in contacts.values()])
    campaigns = _campaigns(session, [contact.campaign for contact in contacts.values()])
    rows: dict[bytes, dict[str, Any]] = {}
    refused = []
    taken: dict[int, bytes] = {}
    for index, contact in contacts.items():
        if contact.customer_id not in keys:
            refused.append(RefusedRow(index, "unknown_customer", f"no customer has the id {contact.customer_id!r}"))
        elif contact.campaign is not None and contact.campaign not in campaigns:
            refused.append(RefusedRow(index, "unknown_campaign", f"there is no campaign {contact.campaign!r}"))
        elif contact.contacted_at > latest:
            reason = f"expected an instant up to {latest.isoformat()}, got {contact.contacted_at.isoformat()}"
            refused.append(RefusedRow(index, "contacted_at", reason))
        else:
            campaign_id = campaigns.get(contact.campaign)
            taken[index] = identity = contact.identity(campaign_id)
            rows.setdefault(
                identity,
                {
                    "identity": identity,
                    "customer_key": keys[contact.customer_id],
                    "campaign_id": campaign_id,
                    "contacted_at": contact.contacted_at,
                    "received_at": now,
                    "channel": contact.channel,
                    "cost": contact.cost,
                    "message_id": contact.message_id,
                },
            )
    new = _insert(session, [rows[identity] for identity in sorted(rows)])
    if new:
        changed = {row["campaign_id"] for identity, row in rows.items() if identity in new} - {None}
        make_due(session, sorted(changed), at=now + _BEFORE_COUNTING)
    owners = _owners(session, [identity for identity in rows if identity not in new])
    owners |= {identity: rows[identity]["customer_key"] for identity in new}
    for index, identity in list(taken.items()):
        key = keys[contacts[index].customer_id]
        # One that has just been deleted is nobody's.
        if owners.get(identity, key) != key:
            reason = f"the message {contacts[index].message_id!r} went to another customer; expected an id for each"
            refused.append(RefusedRow(index, "conflicting_message_id", reason))
            del taken[index]
    to_held_out = _to_held_out(
        session,
        {
            index: (keys[contact.customer_id], campaigns.get(contact.campaign), contact.contacted_at)
            for index, contact in contacts.items()
            if index in taken
        },
        held_out,
    )
    return ContactsTaken(len(new), len(taken) - len(new), tuple(refused), tuple(to_held_out))


def _owners(session: Session, identities: Sequence[bytes]) -> dict[bytes, int]:
    """Return whose contacts are that are there, by identity."""
    rows = session.execute(select(Contact.identity, Contact.customer_key).where(Contact.identity.in_(identities)))
    return {bytes(identity): key for identity, key in rows}


def _to_held_out(
    session: Session, contacted: Mapping[int, tuple[int, int | None, datetime]], held_out: HeldOut
) -> Iterator[int]:
    """Yield which contacts, each told with customer, campaign and instant, went to somebody who was held out then."""
    arms = arms_of(session, list({key for key, _, _ in contacted.values()}))
    for index, (key, campaign_id, at) in contacted.items():
        of_customer = arms.get(key, [])
        own = [arm for arm in of_customer if arm.campaign_id == campaign_id]
        if any(arm.holds_out(at) for arm in own or of_customer) or (not own and key in held_out):
            yield index


def _campaigns(session: Session, named: Sequence[int | str | None]) -> dict[int | str | None, int]:
    """Return the numbers of campaigns by what they were called."""
    numbers = {name for name in named if isinstance(name, int)}
    names = {name for name in named if isinstance(name, str)}
    rows = session.execute(
        select(Campaign.id, Campaign.name).where(Campaign.id.in_(numbers) | Campaign.name.in_(names))
    ).all()
    return {row.name: row.id for row in rows if row.name in names} | {row.id: row.id for row in rows}


def _insert(session: Session, rows: Sequence[dict[str, Any]]) -> set[bytes]:
    if not rows:
        return set()
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(Contact).on_conflict_do_nothing().returning(Contact.identity)
    return {bytes(identity) for identity in session.scalars(statement, rows)}
