"""Deliveries of webhooks as people see them: lists, one with its event, and replay."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from store.engine import Database
from store.exceptions import CursorError, UnknownWebhookError
from store.tables import OutboxEvent, WebhookDelivery
from store.webhook_queue import LEASE
from store.webhooks import find_endpoint, require_enabled

__all__ = [
    "DeliveryPage",
    "DeliveryStatus",
    "DeliveryWithEvent",
    "list_deliveries",
    "read_delivery",
    "replay_dead",
    "replay_delivery",
]

DeliveryStatus = Literal["pending", "delivered", "dead"]

_LARGEST_ID = 2**63 - 1
_REPLAYED_A_TRANSACTION = 1_000
_NOT_OURS = "The cursor was not made by this service, or for another list. Take it from `next_cursor` as it is."


class DeliveryWithEvent(NamedTuple):
    """A delivery and what it tells."""

    delivery: WebhookDelivery
    event: OutboxEvent


class DeliveryPage(NamedTuple):
    """Some deliveries, the newest first, and where to go on (None at the end)."""

    rows: Sequence[DeliveryWithEvent]
    next_cursor: str | None


def list_deliveries(
    session: Session,
    endpoint_id: int,
    *,
    limit: int,
    status: DeliveryStatus | None = None,
    cursor: str | None = None,
) -> DeliveryPage:
    """Return one page of an endpoint's deliveries, the newest first.

    Parameters
    ----------
    session : Session
    endpoint_id : int
    limit : int
    status : str, optional
        Only those of this status.
    cursor : str, optional
        From the page before.

    Raises
    ------
    UnknownWebhookError
    CursorError
        The cursor is not one of ours, or of another list.
    """
    find_endpoint(session, endpoint_id)
    before = None if cursor is None else _decode(cursor, endpoint_id, status)
    found: list[Any] = []
    # The index goes by status; the newest of all are among the newest of each.
    for each in get_args(DeliveryStatus) if status is None else (status,):
        of_status = select(WebhookDelivery, OutboxEvent).join(OutboxEvent, OutboxEvent.id == WebhookDelivery.event_id)
        of_status = of_status.where(WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.status == each)
        if before is not None:
            of_status = of_status.where(WebhookDelivery.id < before)
        found += session.execute(of_status.order_by(WebhookDelivery.id.desc()).limit(limit + 1)).all()
    found.sort(key=lambda row: row[0].id, reverse=True)
    rows = [DeliveryWithEvent(*row) for row in found[:limit]]
    more = len(found) > limit
    return DeliveryPage(rows, _encode(endpoint_id, status, rows[-1].delivery.id) if more else None)


def read_delivery(session: Session, endpoint_id: int, delivery_id: int) -> DeliveryWithEvent:
    """Return a delivery and what it tells.

    Raises
    ------
    UnknownWebhookError
        There is no such endpoint or delivery; one of a customer who was erased is gone.
    """
    find_endpoint(session, endpoint_id)
    found = session.execute(
        select(WebhookDelivery, OutboxEvent)
        .join(OutboxEvent, OutboxEvent.id == WebhookDelivery.event_id)
        .where(WebhookDelivery.id == delivery_id, WebhookDelivery.endpoint_id == endpoint_id)
    ).first()
    if found is None:
        raise UnknownWebhookError(f"There is no delivery {delivery_id} of webhook {endpoint_id}.")
    return DeliveryWithEvent(*found)


def replay_delivery(session: Session, endpoint_id: int, delivery_id: int, *, now: datetime) -> DeliveryWithEvent:
    """Send a delivery at once: one that has ended once more, with all its attempts anew and the same message id.

    One that waits for its next attempt goes on with that; one that is on the wire is left alone.

    Raises
    ------
    UnknownWebhookError
    WebhookStateError
        The endpoint is disabled.
    """
    found = read_delivery(session, endpoint_id, delivery_id)
    require_enabled(find_endpoint(session, endpoint_id))
    delivery = found.delivery
    if delivery.status == "pending":
        this_one = WebhookDelivery.id == delivery_id
        session.execute(
            update(WebhookDelivery)
            .where(this_one, WebhookDelivery.status == "pending", WebhookDelivery.next_attempt_at > now)
            .where(~_on_the_wire(now))
            .values(next_attempt_at=now)
        )
    else:
        _replay(session, endpoint_id, [(delivery.id, delivery.customer_key)], now=now)
    session.refresh(delivery)
    return found


def replay_dead(database: Database, endpoint_id: int, *, since: datetime, now: datetime) -> int:
    """Send the dead deliveries of an endpoint once more whose change is not older than this; return how many.

    Raises
    ------
    UnknownWebhookError
    WebhookStateError
        The endpoint is disabled.
    """
    replayed, after = 0, 0
    while True:
        with database.write() as session:
            require_enabled(find_endpoint(session, endpoint_id))
            dead = (
                select(WebhookDelivery.id, WebhookDelivery.customer_key, OutboxEvent.occurred_at)
                .join(OutboxEvent, OutboxEvent.id == WebhookDelivery.event_id)
                .where(WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.status == "dead")
                .where(WebhookDelivery.id > after)
                .order_by(WebhookDelivery.id)
                .limit(_REPLAYED_A_TRANSACTION)
            )
            rows = session.execute(dead).all()
            again = [(row.id, row.customer_key) for row in rows if row.occurred_at >= since]
            _replay(session, endpoint_id, again, now=now)
        replayed += len(again)
        if len(rows) < _REPLAYED_A_TRANSACTION:
            return replayed
        after = rows[-1].id


def _replay(session: Session, endpoint_id: int, deliveries: Sequence[tuple[int, int | None]], *, now: datetime) -> None:
    # A later one of the same customer may be on the wire this moment; it is over before its lease is.
    under_way = set(
        session.scalars(
            select(WebhookDelivery.customer_key).where(
                WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.status == "pending", _on_the_wire(now)
            )
        )
    )
    for due_at, ids in (
        (now, [key for key, customer in deliveries if customer not in under_way]),
        (now + LEASE, [key for key, customer in deliveries if customer in under_way]),
    ):
        if ids:
            session.execute(
                update(WebhookDelivery)
                .where(WebhookDelivery.id.in_(ids))
                .values(
                    status="pending",
                    attempts=0,
                    next_attempt_at=due_at,
                    last_attempt_at=None,
                    last_status=None,
                    last_error=None,
                    delivered_at=None,
                )
            )


def _on_the_wire(now: datetime) -> ColumnElement[bool]:
    """Whether a pending delivery is leased to somebody who may be sending it."""
    delivery = WebhookDelivery
    begun = func.coalesce(delivery.last_attempt_at > now - LEASE, False)
    return and_(delivery.next_attempt_at > now, delivery.next_attempt_at <= now + LEASE, begun)


def _encode(endpoint_id: int, status: str | None, delivery_id: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([endpoint_id, status, delivery_id]).encode()).decode().rstrip("=")


def _decode(cursor: str, endpoint_id: int, status: str | None) -> int:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError) as error:
        raise CursorError(_NOT_OURS) from error
    match parts:
        case [int(endpoint), str() | None as of, int(before)]:
            if (endpoint, of) == (endpoint_id, status) and 0 <= before <= _LARGEST_ID:
                return before
    raise CursorError(_NOT_OURS)
