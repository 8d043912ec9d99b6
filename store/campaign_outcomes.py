"""What came about for the customers of a campaign: read some at a time, so that memory is bounded by their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from features.netting import net
from features.window_outcomes import happened_within, purchases_within
from features.windows import Snapshot
from store.customer_keys import CustomerKeys, among
from store.engine import Database
from store.event_rows import read_raw
from store.tables import Campaign, CampaignAssignment, Contact, Customer
from store.tables.base import to_microseconds

__all__ = ["ArmOutcomes", "read_outcomes"]

_CUSTOMERS_A_READ = 2_000


@dataclass(slots=True)
class ArmOutcomes:
    """Sums over the customers of one arm whose window has passed, but for `open`.

    Attributes
    ----------
    n, open, came : int
        Customers; those whose window has not passed; those for whom the outcome came about.
    value, squares : float
        Of the purchases within the window, and of each customer's value squared.
    contacted, contacts, without_cost : int
        Customers contacted in the campaign since they were assigned and within their window; the contacts, and those
        of which no cost was told.
    cost : float
        Of the others.
    """

    n: int = 0
    open: int = 0
    came: int = 0
    value: float = 0.0
    squares: float = 0.0
    contacted: int = 0
    contacts: int = 0
    without_cost: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Assigned:
    """Some customers of a campaign, ascending by key; `end` is when each one's window does."""

    keys: NDArray[np.int64]
    arms: NDArray[np.object_]
    start: NDArray[np.int64]
    end: NDArray[np.int64]

    def only(self, which: NDArray[np.bool_]) -> _Assigned:
        return _Assigned(self.keys[which], self.arms[which], self.start[which], self.end[which])


def read_outcomes(
    database: Database, campaign: Campaign, calendar: LocalCalendar, *, as_of: datetime
) -> dict[str, ArmOutcomes]:
    """Count what came about for each arm of a campaign.

    A window lasts from the assignment to the midnight that is `outcome_days` days after the one that follows it (after
    itself, where it is a midnight). It has passed if that is not after `as_of`.

    Parameters
    ----------
    database : Database
    campaign : Campaign
    calendar : LocalCalendar
        Of the business.
    as_of : datetime

    Returns
    -------
    dict of arm to ArmOutcomes
        Those that have customers.
    """
    found: dict[str, ArmOutcomes] = {}
    now = to_microseconds(as_of)
    for assigned in _assigned(database, campaign, calendar):
        has_passed = assigned.end <= now
        some = assigned.only(has_passed)
        came, value = _outcomes(database, campaign, some, calendar)
        contacts = _contacts(database, campaign, some)
        for arm in sorted(set(assigned.arms)):
            sums = found.setdefault(arm, ArmOutcomes())
            sums.open += int(((assigned.arms == arm) & ~has_passed).sum())
            of_arm = some.arms == arm
            sums.n += int(of_arm.sum())
            sums.came += int(came[of_arm].sum())
            sums.value += float(value[of_arm].sum())
            sums.squares += float((value[of_arm] ** 2).sum())
            _add_contacts(sums, [contacts[key] for key in some.keys[of_arm].tolist() if key in contacts])
    return found


def _assigned(database: Database, campaign: Campaign, calendar: LocalCalendar) -> Iterator[_Assigned]:
    ends: dict[datetime, int] = {}
    last = 0
    while True:
        query = (
            select(CampaignAssignment.customer_key, CampaignAssignment.arm, CampaignAssignment.assigned_at)
            .join(Customer, Customer.id == CampaignAssignment.customer_key)
            .where(CampaignAssignment.campaign_id == campaign.id, CampaignAssignment.customer_key > last)
            # Whoever is being erased counts no more, whether or not it has come to the end.
            .where(Customer.erased_at.is_(None))
            .order_by(CampaignAssignment.customer_key)
            .limit(_CUSTOMERS_A_READ)
        )
        with database.read() as session:
            rows = session.execute(query).all()
        if not rows:
            return
        for _, _, at in rows:
            if at not in ends:
                ends[at] = Snapshot.at(at, calendar).after(campaign.outcome_days, calendar).as_of
        yield _Assigned(
            keys=np.array([key for key, _, _ in rows], dtype=np.int64),
            arms=np.array([arm for _, arm, _ in rows], dtype=np.object_),
            start=np.array([to_microseconds(at) for _, _, at in rows], dtype=np.int64),
            end=np.array([ends[at] for _, _, at in rows], dtype=np.int64),
        )
        last = rows[-1][0]


def _outcomes(
    database: Database, campaign: Campaign, some: _Assigned, calendar: LocalCalendar
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    if not len(some.keys):
        return np.zeros(0, dtype=np.bool_), np.zeros(0)
    # Rows of a log are in the order of its ids; by key is as good as any.
    customers = CustomerKeys(tuple(map(str, some.keys.tolist())), some.keys)
    with database.read() as session:
        log, _ = net(read_raw(session, customers, among(some.keys)), calendar)
    purchased, value = purchases_within(log, some.start, some.end)
    if campaign.outcome_event is None:
        return purchased, value
    return happened_within(log, campaign.outcome_event, some.start, some.end), value


def _contacts(database: Database, campaign: Campaign, some: _Assigned) -> Mapping[int, tuple[int, int, float]]:
    """Return of each customer contacted: contacts, those without a cost, and the cost of the others."""
    windows = {key: (start, end) for key, start, end in zip(some.keys.tolist(), some.start, some.end, strict=True)}
    found: dict[int, tuple[int, int, float]] = {}
    with database.read() as session:
        for key, at, cost in _rows_of_contacts(session, campaign.id, some.keys):
            start, end = windows[key]
            if start <= to_microseconds(at) < end:
                contacts, without, total = found.get(key, (0, 0, 0.0))
                found[key] = contacts + 1, without + (cost is None), total + (cost or 0.0)
    return found


def _rows_of_contacts(
    session: Session, campaign_id: int, keys: NDArray[np.int64]
) -> Iterator[tuple[int, datetime, float | None]]:
    if not len(keys):
        return
    query = select(Contact.customer_key, Contact.contacted_at, Contact.cost).where(
        Contact.campaign_id == campaign_id, Contact.customer_key.between(int(keys[0]), int(keys[-1]))
    )
    wanted = set(keys.tolist())
    for key, at, cost in session.execute(query):
        if key in wanted:
            yield key, at, cost


def _add_contacts(sums: ArmOutcomes, contacts: list[tuple[int, int, float]]) -> None:
    sums.contacted += len(contacts)
    for number, without_cost, cost in contacts:
        sums.contacts += number
        sums.without_cost += without_cost
        sums.cost += cost
