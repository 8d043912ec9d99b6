"""What tests put into a database of webhooks: endpoints, events, deliveries that wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.engine import Database
from store.tables import OutboxEvent, WebhookDelivery, WebhookEndpoint
from store.webhook_request import WebhookRequest
from store.webhooks import create_endpoint
from tests.store.builders import NOW

__all__ = ["add_endpoint", "deliveries", "tell", "write_change"]

URL = "https://crm.example.com/hooks"


def add_endpoint(database: Database, url: str = URL, *, now: datetime = NOW) -> WebhookEndpoint:
    """Add an endpoint that is told of segments that are entered."""
    request = WebhookRequest(url=url, events=["customer.segment_entered"])
    with database.write() as session:
        return create_endpoint(session, request, allow_private=True, now=now)


def write_change(
    session: Session, endpoint_ids: Sequence[int], customer: int | None, number: int, *, at: datetime
) -> list[int]:
    """Write one change and its deliveries in a transaction of the caller's; returns the deliveries' ids."""
    event = OutboxEvent(
        kind="customer.segment_entered",
        occurred_at=at,
        customer_key=customer,
        data={"customer_id": f"c{customer}", "number": number},
    )
    session.add(event)
    session.flush()
    told = [
        WebhookDelivery(
            endpoint_id=endpoint_id,
            event_id=event.id,
            customer_key=customer,
            status="pending",
            attempts=0,
            next_attempt_at=at,
        )
        for endpoint_id in endpoint_ids
    ]
    session.add_all(told)
    session.flush()
    return [delivery.id for delivery in told]


def tell(
    database: Database, endpoint_id: int, customers: Sequence[int | None], *, at: datetime = NOW, first: int = 0
) -> list[int]:
    """Write a change of each customer, in order, numbered; returns the deliveries' ids."""
    with database.write() as session:
        return [
            write_change(session, [endpoint_id], customer, first + i, at=at)[0] for i, customer in enumerate(customers)
        ]


def deliveries(database: Database, endpoint_id: int | None = None) -> list[WebhookDelivery]:
    """Return all deliveries, in order."""
    query = select(WebhookDelivery).order_by(WebhookDelivery.id)
    if endpoint_id is not None:
        query = query.where(WebhookDelivery.endpoint_id == endpoint_id)
    with database.read() as session:
        return list(session.scalars(query))
