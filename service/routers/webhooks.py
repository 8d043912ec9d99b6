"""Webhooks: who is told of changes, what became of each delivery, and replay."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response, status

from service.access import needs
from service.deps import Now, OpenDatabase, TheSettings
from service.openapi import PROBLEMS, problems
from service.parameters import CursorText, Limit
from service.schemas.webhooks import (
    DeliveriesAnswer,
    DeliveryDetail,
    DeliveryOut,
    ReplayAnswer,
    ReplayRequest,
    RotationRequest,
    WebhookOut,
    WebhooksAnswer,
    WebhookWithSecret,
)
from store import webhook_deliveries, webhooks
from store.webhook_deliveries import DeliveryStatus
from store.webhook_request import WebhookRequest

__all__ = ["router"]

router = APIRouter(tags=["webhooks"], prefix="/v1/webhooks", dependencies=[needs("admin")], responses=PROBLEMS)

_DEFAULT_LIMIT = 50
_TAKES_A_BODY = problems(400, 413, 415)
_ONE = problems(404)
_STATE = problems(404, 409)

WebhookId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The webhook's number.")]
DeliveryId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The delivery's number.")]
StatusInQuery = Annotated[DeliveryStatus | None, Query(description="Only deliveries of this status.")]


@router.post("", status_code=status.HTTP_201_CREATED, responses=_TAKES_A_BODY | problems(409))
def add_webhook(
    request: Annotated[WebhookRequest, Body()],
    response: Response,
    database: OpenDatabase,
    settings: TheSettings,
    now: Now,
) -> WebhookWithSecret:
    """Add an endpoint that is told of changes; its secret is in this answer and in no other."""
    with database.write() as session:
        endpoint = webhooks.create_endpoint(session, request, allow_private=settings.webhook_allow_private, now=now)
    response.headers["Location"] = f"/v1/webhooks/{endpoint.id}"
    return WebhookWithSecret.of(endpoint)


@router.get("")
def read_webhooks(database: OpenDatabase) -> WebhooksAnswer:
    """List the endpoints."""
    with database.read() as session:
        return WebhooksAnswer(webhooks=[WebhookOut.of(each) for each in webhooks.list_endpoints(session)])


@router.get("/{webhook_id}", responses=_ONE)
def read_webhook(webhook_id: WebhookId, database: OpenDatabase) -> WebhookOut:
    """Tell one endpoint."""
    with database.read() as session:
        return WebhookOut.of(webhooks.find_endpoint(session, webhook_id))


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT, responses=_ONE)
def delete_webhook(webhook_id: WebhookId, database: OpenDatabase, now: Now) -> None:
    """Tell an endpoint no more; what waits for it is dropped."""
    with database.write() as session:
        webhooks.delete_endpoint(session, webhook_id, now=now)


@router.post("/{webhook_id}/rotate-secret", responses=_TAKES_A_BODY | _ONE)
def rotate_webhook_secret(
    webhook_id: WebhookId,
    request: Annotated[RotationRequest, Body(default_factory=RotationRequest)],
    database: OpenDatabase,
    now: Now,
) -> WebhookWithSecret:
    """Give an endpoint a new secret, shown this once; for a time the one before signs too."""
    with database.write() as session:
        lasting = timedelta(hours=request.previous_valid_hours)
        return WebhookWithSecret.of(webhooks.rotate_secret(session, webhook_id, previous_valid_for=lasting, now=now))


@router.post("/{webhook_id}/enable", responses=_ONE)
def enable_webhook(webhook_id: WebhookId, database: OpenDatabase) -> WebhookOut:
    """Tell an endpoint of changes again that was disabled, as one is that answers 410."""
    with database.write() as session:
        return WebhookOut.of(webhooks.enable_endpoint(session, webhook_id))


@router.post("/{webhook_id}/test", status_code=status.HTTP_202_ACCEPTED, responses=_STATE)
def queue_test(webhook_id: WebhookId, database: OpenDatabase, now: Now) -> DeliveryOut:
    """Queue an event of type `webhook.test`, which tells of nothing."""
    with database.write() as session:
        queued = webhooks.queue_test(session, webhook_id, now=now)
        return DeliveryOut.of(webhook_deliveries.read_delivery(session, webhook_id, queued.id))


@router.get("/{webhook_id}/deliveries", responses=problems(400, 404))
def read_deliveries(
    webhook_id: WebhookId,
    database: OpenDatabase,
    status: StatusInQuery = None,
    limit: Limit = None,
    cursor: CursorText = None,
) -> DeliveriesAnswer:
    """List what an endpoint was told or will be, the newest first, a page at a time."""
    with database.read() as session:
        page = webhook_deliveries.list_deliveries(
            session, webhook_id, limit=limit or _DEFAULT_LIMIT, status=status, cursor=cursor
        )
        return DeliveriesAnswer.of(page)


@router.get("/{webhook_id}/deliveries/{delivery_id}", responses=_ONE)
def read_delivery(webhook_id: WebhookId, delivery_id: DeliveryId, database: OpenDatabase) -> DeliveryDetail:
    """Tell one delivery with what it tells."""
    with database.read() as session:
        return DeliveryDetail.of(webhook_deliveries.read_delivery(session, webhook_id, delivery_id))


@router.post("/{webhook_id}/deliveries/{delivery_id}/replay", status_code=status.HTTP_202_ACCEPTED, responses=_STATE)
def replay_delivery(webhook_id: WebhookId, delivery_id: DeliveryId, database: OpenDatabase, now: Now) -> DeliveryOut:
    """Send a delivery at once, under the same message id: once more, or one that waits for its next attempt."""
    with database.write() as session:
        return DeliveryOut.of(webhook_deliveries.replay_delivery(session, webhook_id, delivery_id, now=now))


@router.post("/{webhook_id}/replay", status_code=status.HTTP_202_ACCEPTED, responses=_TAKES_A_BODY | _STATE)
def replay_webhook(
    webhook_id: WebhookId, request: Annotated[ReplayRequest, Body()], database: OpenDatabase, now: Now
) -> ReplayAnswer:
    """Send the dead deliveries of an endpoint once more whose change is not older than an instant."""
    replayed = webhook_deliveries.replay_dead(database, webhook_id, since=request.since, now=now)
    return ReplayAnswer(replayed=replayed)
