"""Everything that is held of one customer, as one JSON document for the customer to have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from store.engine import Database
from store.held_customer import HeldCustomer, find_held
from store.outbox import NUMBERS_TOLD
from store.rejected_rows import rejected_rows_that_show
from store.scores import SCORE_COLUMNS
from store.tables import (
    Campaign,
    CampaignAssignment,
    Category,
    Channel,
    Contact,
    CustomerAttribute,
    Event,
    EventType,
    OrderLine,
    OutboxEvent,
    Product,
    PublishedRun,
    ReplacedAttribute,
    ReplacedHead,
    Score,
    ScoringRun,
    SegmentMembership,
    Source,
    SupersededScore,
    SyncedMember,
    SyncPoint,
    ToldScore,
)
from store.tables.base import from_microseconds

__all__ = ["export_customer"]

A = TypeVar("A", CustomerAttribute, ReplacedAttribute)

_EVENTS_A_READ = 500
_AS_JSON = ("clv_reasons", "reasons", "propensities")


def export_customer(database: Database, customer_id: str) -> Iterator[str]:
    """Write everything that is held of a customer as one JSON document, in pieces.

    However many events there are, only some hundreds are in memory, and each read is short; what is stored meanwhile
    may be in the document or not.

    Parameters
    ----------
    database : Database
    customer_id : str
        Any id of the customer.

    Returns
    -------
    iterator of str
        Together one JSON object: `customer_ids` (the customer's own first), `known_since`, `attributes` (every
        version), `scores` (of every run that is kept), `superseded_scores` (what such a run said before the customer
        was scored again), `segment_memberships`, `told_to` (targets of syncs), `changes_told` (to webhooks),
        `scores_told` (what a webhook was told last, where the stored score is another), `campaign_assignments`,
        `contacts`, `rejected_rows` (those that show an id), `events` (with lines). Instants are ISO 8601 in UTC; null
        stands for "does not apply" or "not told".

    Raises
    ------
    UnknownCustomerError
        At once, not with the first piece.
    """
    with database.read() as session:
        held = find_held(session, customer_id)
        head = {
            "customer_ids": held.customer_ids,
            "known_since": _instant(min(row.created_at for row in held.rows)),
            "attributes": _attributes(session, held, CustomerAttribute),
            "replaced_attributes": _attributes(session, held, ReplacedAttribute),
            "scores": _scores(session, held),
            "superseded_scores": _superseded(session, held),
            "segment_memberships": _memberships(session, held),
            "told_to": _told_to(session, held),
            "changes_told": _changes_told(session, held),
            "scores_told": _scores_told(session, held),
            "campaign_assignments": _assignments(session, held),
            "contacts": _contacts(session, held),
        }
    return _document(database, held, head)


def _document(database: Database, held: HeldCustomer, head: Mapping[str, Any]) -> Iterator[str]:
    yield _json(head).removesuffix("}")
    yield ', "rejected_rows": ['
    yield from _joined(_rejected_rows(database, held))
    yield '], "events": ['
    yield from _joined(_events(database, held))
    yield "]}\n"


def _joined(items: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    for i, item in enumerate(items):
        yield f"{', ' if i else ''}{_json(item)}"


def _attributes(session: Session, held: HeldCustomer, table: type[A]) -> list[dict[str, Any]]:
    query = select(table).where(table.customer_key.in_(held.keys))
    rows = session.scalars(query.order_by(table.name, table.learnt_at, table.sequence_number))
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "value": row.number if row.kind == "number" else row.text,
            "learnt_at": _instant(from_microseconds(row.learnt_at)) if row.learnt_at else None,
        }
        for row in rows
    ]


def _scores(session: Session, held: HeldCustomer) -> list[dict[str, Any]]:
    published = session.scalar(select(PublishedRun.scoring_run_id))
    # Led by the runs, which are few: scores have no index by customer alone.
    runs = {run.id: run for run in session.scalars(select(ScoringRun))}
    query = select(Score).where(Score.scoring_run_id.in_(runs), Score.customer_key.in_(held.keys))
    return [
        _score(runs[score.scoring_run_id], score, is_published=score.scoring_run_id == published)
        for score in session.scalars(query.order_by(Score.scoring_run_id, Score.customer_key))
    ]


def _score(run: ScoringRun, score: Score, *, is_published: bool) -> dict[str, Any]:
    values = {name: getattr(score, name) for name in SCORE_COLUMNS}
    told = {name: None if values[name] is None else json.loads(values[name]) for name in _AS_JSON}
    return {
        "scoring_run": run.id,
        "is_published": is_published,
        "as_of": _instant(score.rescored_at or run.as_of),
        "model_version": run.model_version,
        "policy_version": run.policy_version,
        **values,
        **told,
    }


def _superseded(session: Session, held: HeldCustomer) -> list[dict[str, Any]]:
    runs = session.scalars(select(ScoringRun.id)).all()
    query = select(SupersededScore).where(
        SupersededScore.scoring_run_id.in_(runs), SupersededScore.customer_key.in_(held.keys)
    )
    own = ("scoring_run_id", "customer_key")
    return [
        {
            "scoring_run": row.scoring_run_id,
            **{column.name: getattr(row, column.name) for column in row.__table__.columns if column.name not in own},
            "propensities": None if row.propensities is None else json.loads(row.propensities),
        }
        for row in session.scalars(query.order_by(SupersededScore.scoring_run_id, SupersededScore.customer_key))
    ]


def _memberships(session: Session, held: HeldCustomer) -> list[dict[str, Any]]:
    query = select(SegmentMembership).where(SegmentMembership.customer_key.in_(held.keys))
    rows = session.scalars(query.order_by(SegmentMembership.entered_at, SegmentMembership.segment))
    return [
        {"segment": row.segment, "entered_at": _instant(row.entered_at), "left_at": _instant(row.left_at)}
        for row in rows
    ]


def _told_to(session: Session, held: HeldCustomer) -> list[dict[str, Any]]:
    query = (
        select(SyncedMember, SyncPoint)
        .join(SyncPoint, SyncPoint.id == SyncedMember.sync_point_id)
        .where(SyncedMember.customer_key.in_(held.keys))
        .order_by(SyncPoint.id, SyncedMember.customer_key)
    )
    return [
        {
            "target": point.target,
            "segment": point.segment,
            "synced_at": _instant(point.synced_at),
            **{name: getattr(member, name) for name in ("churn_probability", "clv", "value_at_risk")},
        }
        for member, point in session.execute(query)
    ]


def _changes_told(session: Session, held: HeldCustomer) -> list[dict[str, Any]]:
    query = select(OutboxEvent).where(OutboxEvent.customer_key.in_(held.keys)).order_by(OutboxEvent.id)
    return [
        {"kind": row.kind, "occurred_at": _instant(row.occurred_at), "data": row.data} for row in session.scalars(query)
    ]


def _scores_told(session: Session, held: HeldCustomer) -> list[dict[str, Any]]:
    query = select(ToldScore).where(ToldScore.customer_key.in_(held.keys))
    rows = session.scalars(query.order_by(ToldScore.customer_key, ToldScore.endpoint_id))
    return [{"webhook": row.endpoint_id, **{name: getattr(row, name) for name in NUMBERS_TOLD}} for row in rows]


def _assignments(session: Session, held: HeldCustomer) -> list[dict[str, Any]]:
    query = (
        select(Campaign.name, CampaignAssignment.arm, CampaignAssignment.assigned_at)
        .join(Campaign, Campaign.id == CampaignAssignment.campaign_id)
        .where(CampaignAssignment.customer_key.in_(held.keys))
        .order_by(CampaignAssignment.assigned_at, Campaign.id)
    )
    return [{"campaign": name, "arm": arm, "assigned_at": _instant(at)} for name, arm, at in session.execute(query)]


def _contacts(session: Session, held: HeldCustomer) -> list[dict[str, Any]]:
    query = (
        select(Contact, Campaign.name)
        .outerjoin(Campaign, Campaign.id == Contact.campaign_id)
        .where(Contact.customer_key.in_(held.keys))
        .order_by(Contact.contacted_at, Contact.identity)
    )
    return [
        {
            "contacted_at": _instant(contact.contacted_at),
            "received_at": _instant(contact.received_at),
            "campaign": campaign,
            "channel": contact.channel,
            "cost": contact.cost,
            "message_id": contact.message_id,
        }
        for contact, campaign in session.execute(query)
    ]


def _rejected_rows(database: Database, held: HeldCustomer) -> Iterator[dict[str, Any]]:
    for row in rejected_rows_that_show(database, held.customer_ids):
        yield {
            "file": row.file,
            "line": row.line,
            "column": row.column,
            "value": row.value,
            "code": row.code,
            "reason": row.reason,
            "received_at": _instant(row.received_at),
        }


def _events(database: Database, held: HeldCustomer) -> Iterator[dict[str, Any]]:
    place = tuple_(Event.occurred_at, Event.id)
    query = (
        select(Event, EventType.name, Source.name, Channel.name)
        .join(EventType, EventType.id == Event.event_type_id)
        .outerjoin(Source, Source.id == Event.source_id)
        .outerjoin(Channel, Channel.id == Event.channel_id)
        .where(Event.customer_key.in_(held.keys))
        .order_by(Event.occurred_at, Event.id)
        .limit(_EVENTS_A_READ)
    )
    last: tuple[datetime, int] | None = None
    while True:
        with database.read() as session:
            rows = session.execute(query if last is None else query.where(place > last)).all()
            ids = [event.id for event, *_ in rows]
            lines, replaced = _lines(session, ids), _replaced(session, ids)
        for event, event_type, source, channel in rows:
            yield {
                "event": event_type,
                "occurred_at": _instant(event.occurred_at),
                "reported_at": _instant(event.reported_at),
                "received_at": _instant(event.received_at),
                "source": source,
                "channel": channel,
                "order_id": event.order_id,
                "value": event.value,
                "properties": None if event.properties is None else json.loads(event.properties),
                "replaced": replaced.get(event.id, []),
                "lines": lines.get(event.id, []),
            }
        if len(rows) < _EVENTS_A_READ:
            return
        last = (rows[-1][0].occurred_at, rows[-1][0].id)


def _replaced(session: Session, events: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    query = (
        select(ReplacedHead, Channel.name)
        .outerjoin(Channel, Channel.id == ReplacedHead.channel_id)
        .where(ReplacedHead.event_id.in_(events))
        .order_by(ReplacedHead.event_id, ReplacedHead.replaced_by)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for head, channel in session.execute(query):
        properties = None if head.properties is None else json.loads(head.properties)
        found.setdefault(head.event_id, []).append({"channel": channel, "properties": properties})
    return found


def _lines(session: Session, events: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    query = (
        select(OrderLine, Product.product_id, Category.levels)
        .outerjoin(Product, Product.id == OrderLine.product_key)
        .outerjoin(Category, Category.id == OrderLine.category_id)
        .where(OrderLine.event_id.in_(events))
        .order_by(OrderLine.event_id, OrderLine.occurred_at, OrderLine.identity)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for line, product_id, levels in session.execute(query):
        found.setdefault(line.event_id, []).append(
            {
                "occurred_at": _instant(line.occurred_at),
                "product_id": product_id,
                "category": None if levels is None else json.loads(levels),
                "quantity": line.quantity,
                "value": line.value,
                "discount": line.discount,
            }
        )
    return found


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
