"""Deleting what is older than it may be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from store.bulk_read import read_blocks
from store.customer_keys import among, between, highest_key
from store.deletion import Deletions, deleting
from store.engine import Database
from store.event_rows import REFUND_EVENTS
from store.memberships import needed_runs
from store.tables import (
    Base,
    Campaign,
    CampaignAssignment,
    Contact,
    CustomerAttribute,
    EventType,
    OrderLine,
    OutboxEvent,
    RejectedRow,
    ReplacedAttribute,
    Score,
    ScoringRun,
    SegmentListing,
    SegmentMembership,
    SourceActivity,
    SupersededScore,
    WebhookDelivery,
)
from store.tables.base import to_microseconds

__all__ = ["Pruned", "prune"]

_CUSTOMERS_A_READ = 1_000
_ROWS_A_READ = 2_000
_EVENTS_A_COUNT = 2_000
_MICROSECONDS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows of each kind were deleted, or would be.

    Attributes
    ----------
    events : int
        Orders with all that names them are several.
    order_lines : int
    attribute_versions : int
        Which a newer one had superseded by then, or replaced.
    memberships : int
        Stays in segments that had ended by then.
    rejected_rows : int
    source_hours : int
        Hours of a source's activity.
    scores, listings : int
        Of runs that finished before then, but for the published one. How far such a run came true stays known.
    assignments, contacts : int
        Of campaigns; the effect that was counted stays.
    deliveries, outbox_events : int
        To endpoints, of changes made before then; what is still to be delivered stays.
    """

    events: int = 0
    order_lines: int = 0
    attribute_versions: int = 0
    memberships: int = 0
    rejected_rows: int = 0
    source_hours: int = 0
    scores: int = 0
    listings: int = 0
    assignments: int = 0
    contacts: int = 0
    deliveries: int = 0
    outbox_events: int = 0

    @property
    def total(self) -> int:
        """All rows."""
        return sum(asdict(self).values())


def prune(
    database: Database,
    *,
    before: datetime | None,
    runs_before: datetime | None = None,
    dry_run: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> Pruned:
    """Delete what is older than an instant, in short transactions.

    What names an order (its refunds, cancellations and updates) goes with the order, however young it is: by itself it
    would be taken for something else. Customers of whom nothing is left stay known. Cut off, it has deleted a part, and
    called again it deletes the rest.

    Parameters
    ----------
    database : Database
    before : datetime or None
        Events that occurred before it go, and what else was learnt, received or finished before it; None for nothing.
    runs_before : datetime, optional
        What runs say of customers that finished before it goes; by default as `before`.
    dry_run : bool
        Count only.
    progress : callable
        Told the share of customers done.

    Returns
    -------
    Pruned
    """
    with deleting(database) as deletions:
        done = Pruned()
        if before is not None:
            if not dry_run:
                _settle_campaigns(database, before)
            done = _Pruning(database, None if dry_run else deletions, before).all_but_runs(progress)
        runs_before = before if runs_before is None else runs_before
        if runs_before is not None:
            runs = _Pruning(database, None if dry_run else deletions, runs_before)
            listings = runs.of_old_runs(SegmentListing)
            done = replace(done, listings=listings, scores=runs.of_old_runs(Score) + runs.of_old_runs(SupersededScore))
        return done


class _Counts(NamedTuple):
    events: int
    lines: int


class _Pruning:
    """One pruning, which deletes what it finds, or counts it.

    Parameters
    ----------
    database : Database
    deletions : Deletions or None
        None to count only.
    before : datetime
    """

    def __init__(self, database: Database, deletions: Deletions | None, before: datetime) -> None:
        self._database = database
        self._deletions = deletions
        self._before = before

    def all_but_runs(self, progress: Callable[[float], None]) -> Pruned:
        """Delete everything old but what scoring runs say."""
        before = self._before
        events, lines = self.events(progress)
        return Pruned(
            events=events,
            order_lines=lines,
            attribute_versions=self.attribute_versions()
            + self.rows(ReplacedAttribute, ReplacedAttribute.learnt_at < to_microseconds(before)),
            memberships=self.rows(SegmentMembership, SegmentMembership.left_at < before),
            rejected_rows=self.rows(RejectedRow, RejectedRow.received_at < before),
            source_hours=self.rows(
                SourceActivity, SourceActivity.hour < to_microseconds(before) // _MICROSECONDS_AN_HOUR
            ),
            assignments=self.rows(CampaignAssignment, CampaignAssignment.assigned_at < before),
            contacts=self.rows(Contact, Contact.contacted_at < before),
            deliveries=self.deliveries(),
            outbox_events=self.outbox_events(),
        )

    def events(self, progress: Callable[[float], None]) -> _Counts:
        """Delete old events with their lines, and what names an old order."""
        events = lines = 0
        for low, high, done in self._customers():
            with self._database.read() as session:
                found = _old_events(session, low, high, self._before)
            if self._deletions is not None:
                deleted = self._deletions.events(found)
            else:
                deleted = (len(found), self._lines_of(found))
            events, lines = events + deleted[0], lines + deleted[1]
            progress(done)
        return _Counts(events, lines)

    def attribute_versions(self) -> int:
        """Delete versions of attributes that a newer one had superseded before the cut."""
        version, newer = CustomerAttribute, aliased(CustomerAttribute)
        superseded = exists().where(
            newer.customer_key == version.customer_key,
            newer.name == version.name,
            newer.learnt_at > version.learnt_at,
            newer.learnt_at <= to_microseconds(self._before),
        )
        total = 0
        for low, high, _ in self._customers():
            key = select(version.customer_key, version.name, version.learnt_at)
            with self._database.read() as session:
                found = session.execute(key.where(version.customer_key.between(low, high), superseded)).all()
            total += self._delete(version, [tuple(row) for row in found])
        return total

    def of_old_runs(self, table: type[Score] | type[SegmentListing] | type[SupersededScore]) -> int:
        """Delete what old scoring runs say of customers, but for those that lists or what is told still need."""
        with self._database.read() as session:
            runs = session.scalars(
                select(ScoringRun.id)
                .where(ScoringRun.finished_at < self._before, ScoringRun.id.not_in(needed_runs(session)))
                .order_by(ScoringRun.id)
            ).all()
        self._mark_pruned(runs)
        total = 0
        for run_id in runs:
            of_run = table.scoring_run_id == run_id
            if self._deletions is not None:
                total += self._deletions.matching(table, of_run)
            else:
                with self._database.read() as session:
                    total += session.scalar(select(func.count()).select_from(table).where(of_run)) or 0
        return total

    def _mark_pruned(self, runs: Sequence[int]) -> None:
        """Mark runs before anything of them goes, so that whoever reads their lists ends instead of missing rows."""
        if self._deletions is None or not runs:
            return
        with self._deletions.transaction() as connection:
            connection.execute(
                update(ScoringRun)
                .where(ScoringRun.id.in_(runs), ScoringRun.is_pruned.is_(False))
                .values(is_pruned=True)
            )

    def deliveries(self) -> int:
        """Delete what has been delivered, or given up, of old changes."""
        of_old = exists().where(OutboxEvent.id == WebhookDelivery.event_id, OutboxEvent.occurred_at < self._before)
        return self.rows(WebhookDelivery, and_(WebhookDelivery.status != "pending", of_old))

    def outbox_events(self) -> int:
        """Delete old changes of which nothing is left to be delivered."""
        delivery = exists().where(WebhookDelivery.event_id == OutboxEvent.id)
        if self._deletions is None:
            delivery = delivery.where(WebhookDelivery.status == "pending")
        return self.rows(OutboxEvent, and_(OutboxEvent.occurred_at < self._before, ~delivery))

    def rows(self, table: type[Base], is_old: ColumnElement[bool]) -> int:
        """Delete the rows that meet a condition which no index serves: all are gone through in short reads."""
        key = list(table.__table__.primary_key)
        place = tuple_(*key)
        query = select(*key, is_old).order_by(*key).limit(_ROWS_A_READ)
        total = 0
        last: tuple[Any, ...] = ()
        while True:
            with self._database.read() as session:
                found = session.execute(query.where(place > last) if last else query).all()
            total += self._delete(table, [tuple(row[:-1]) for row in found if row[-1]])
            if len(found) < _ROWS_A_READ:
                return total
            last = tuple(found[-1][:-1])

    def _delete(self, table: type[Base], keys: Sequence[tuple[Any, ...]]) -> int:
        return len(keys) if self._deletions is None else self._deletions.rows(table, keys)

    def _customers(self) -> Iterator[tuple[int, int, float]]:
        with self._database.read() as session:
            last = highest_key(session)
        for low in range(1, last + 1, _CUSTOMERS_A_READ):
            high = low + _CUSTOMERS_A_READ - 1
            yield low, high, min(high / last, 1.0)

    def _lines_of(self, events: Sequence[int]) -> int:
        total, remaining = 0, iter(events)
        while some := list(islice(remaining, _EVENTS_A_COUNT)):
            query = select(func.count()).select_from(OrderLine).where(OrderLine.event_id.in_(some))
            with self._database.read() as session:
                total += session.scalar(query) or 0
        return total


def _settle_campaigns(database: Database, before: datetime) -> None:
    """Let the effect of campaigns stay as it is where something is about to go that it would be counted from anew."""
    assignment = CampaignAssignment
    goes = exists().where(assignment.campaign_id == Campaign.id, assignment.assigned_at < before)
    with database.write() as session:
        session.execute(
            update(Campaign).where(goes, Campaign.pruned_at.is_(None)).values(pruned_at=before, effect_due_at=None)
        )


def _old_events(session: Session, low: int, high: int, before: datetime) -> list[int]:
    """Find the old events of customers from lowest to highest key, and what names an old order of theirs."""
    cut = to_microseconds(before)
    takes_back = set(session.scalars(select(EventType.id).where(EventType.name.in_(REFUND_EVENTS))))
    found: list[int] = []
    orders: set[tuple[int, int]] = set()
    statement = (
        "SELECT id, customer_key, event_type_id, order_key FROM event "
        f"WHERE customer_key {between(low, high)} AND occurred_at < {cut}"
    )
    for rows in read_blocks(session, statement):
        found += [row[0] for row in rows]
        orders.update((row[1], row[3]) for row in rows if row[3] is not None and row[2] not in takes_back)
    if orders:
        customers = among(sorted({key for key, _ in orders}))
        statement = (
            "SELECT id, customer_key, order_key FROM event "
            f"WHERE customer_key {customers} AND occurred_at >= {cut} AND order_key IS NOT NULL"
        )
        for rows in read_blocks(session, statement):
            found += [row[0] for row in rows if (row[1], row[2]) in orders]
    return sorted(found)
