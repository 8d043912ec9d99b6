"""Endpoints of webhooks: who is told of what, and with which secret."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.exceptions import UnknownWebhookError, WebhookStateError
from store.tables import OutboxEvent, WebhookDelivery, WebhookEndpoint
from store.webhook_request import TEST_KIND, WebhookRequest, require_public

__all__ = [
    "MOST_ENDPOINTS",
    "SECRET_PREFIX",
    "TEST_KIND",
    "create_endpoint",
    "delete_endpoint",
    "disable_endpoint",
    "enable_endpoint",
    "find_endpoint",
    "list_endpoints",
    "queue_test",
    "require_enabled",
    "rotate_secret",
    "signing_secrets",
]

SECRET_PREFIX = "whsec_"  # noqa: S105  # by which Standard Webhooks knows a secret
MOST_ENDPOINTS = 50

_RANDOM_BYTES = 32


def create_endpoint(
    session: Session, request: WebhookRequest, *, allow_private: bool, now: datetime
) -> WebhookEndpoint:
    """Add an endpoint, which is told of what changes from now on.

    Parameters
    ----------
    session : Session
    request : WebhookRequest
    allow_private : bool
        Whether its host may be an address that is not public.
    now : datetime

    Raises
    ------
    WebhookTargetError
        It is such an address, and may not be.
    WebhookStateError
        There are as many endpoints as may be.
    """
    if not allow_private:
        require_public(request.url)
    there = session.scalar(
        select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.deleted_at.is_(None))
    )
    if (there or 0) >= MOST_ENDPOINTS:
        raise WebhookStateError(f"There are {there} endpoints, and no more than that may be. Delete one first.")
    endpoint = WebhookEndpoint(
        url=request.url,
        events=list(request.events),
        thresholds=dict(request.thresholds),
        secret=_new_secret(),
        created_at=now,
    )
    session.add(endpoint)
    session.flush()
    return endpoint


def list_endpoints(session: Session) -> Sequence[WebhookEndpoint]:
    """Return all endpoints that are not deleted, the oldest first."""
    there = select(WebhookEndpoint).where(WebhookEndpoint.deleted_at.is_(None))
    return session.scalars(there.order_by(WebhookEndpoint.id)).all()


def find_endpoint(session: Session, endpoint_id: int) -> WebhookEndpoint:
    """Return an endpoint that is not deleted; raises `UnknownWebhookError` if there is none."""
    endpoint = session.get(WebhookEndpoint, endpoint_id)
    if endpoint is None or endpoint.deleted_at is not None:
        raise UnknownWebhookError(f"There is no webhook {endpoint_id}. GET /v1/webhooks lists those there are.")
    return endpoint


def delete_endpoint(session: Session, endpoint_id: int, *, now: datetime) -> None:
    """Tell an endpoint no more; what waits for it is dead as soon as a worker looks. Its secrets are forgotten.

    Raises
    ------
    UnknownWebhookError
    """
    endpoint = find_endpoint(session, endpoint_id)
    endpoint.deleted_at = now
    endpoint.secret = ""
    endpoint.previous_secret = endpoint.previous_secret_until = None


def disable_endpoint(session: Session, endpoint_id: int, *, why: str, now: datetime) -> None:
    """Tell an endpoint nothing until it is enabled; the reason of the first time stays.

    Raises
    ------
    UnknownWebhookError
    """
    endpoint = find_endpoint(session, endpoint_id)
    if endpoint.disabled_at is None:
        endpoint.disabled_at, endpoint.disabled_why = now, why


def enable_endpoint(session: Session, endpoint_id: int) -> WebhookEndpoint:
    """Tell an endpoint of changes again; what died meanwhile can be replayed.

    Raises
    ------
    UnknownWebhookError
    """
    endpoint = find_endpoint(session, endpoint_id)
    endpoint.disabled_at = endpoint.disabled_why = endpoint.failing_since = endpoint.rest_until = None
    return endpoint


def rotate_secret(
    session: Session, endpoint_id: int, *, previous_valid_for: timedelta, now: datetime
) -> WebhookEndpoint:
    """Give an endpoint a new secret; the one before signs too for a time.

    Raises
    ------
    UnknownWebhookError
    """
    endpoint = find_endpoint(session, endpoint_id)
    if previous_valid_for > timedelta(0):
        endpoint.previous_secret, endpoint.previous_secret_until = endpoint.secret, now + previous_valid_for
    else:
        endpoint.previous_secret = endpoint.previous_secret_until = None
    endpoint.secret = _new_secret()
    return endpoint


def signing_secrets(endpoint: WebhookEndpoint, *, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign at an instant, the newest first."""
    until = endpoint.previous_secret_until
    if endpoint.previous_secret is None or until is None or until <= now:
        return (endpoint.secret,)
    return endpoint.secret, endpoint.previous_secret


def queue_test(session: Session, endpoint_id: int, *, now: datetime) -> WebhookDelivery:
    """Queue a delivery that tells of nothing, to see whether the receiver takes it.

    Raises
    ------
    UnknownWebhookError
    WebhookStateError
        The endpoint is disabled.
    """
    endpoint = find_endpoint(session, endpoint_id)
    require_enabled(endpoint)
    event = OutboxEvent(kind=TEST_KIND, occurred_at=now, customer_key=None, data={"webhook_id": endpoint_id})
    session.add(event)
    session.flush()
    delivery = WebhookDelivery(
        endpoint_id=endpoint_id, event_id=event.id, customer_key=None, status="pending", attempts=0, next_attempt_at=now
    )
    session.add(delivery)
    session.flush()
    return delivery


def require_enabled(endpoint: WebhookEndpoint) -> None:
    """Refuse an endpoint that is disabled; raises `WebhookStateError`."""
    if endpoint.disabled_at is not None:
        raise WebhookStateError(
            f"Webhook {endpoint.id} is disabled: {endpoint.disabled_why} Enable it first: "
            f"POST /v1/webhooks/{endpoint.id}/enable, or regulars webhooks enable {endpoint.id}"
        )


def _new_secret() -> str:
    return SECRET_PREFIX + b64encode(secrets.token_bytes(_RANDOM_BYTES)).decode()
