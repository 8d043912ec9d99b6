"""Webhooks: endpoints, and what became of each delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from store.tables import WebhookEndpoint
from store.webhook_deliveries import DeliveryPage, DeliveryStatus, DeliveryWithEvent

__all__ = [
    "DeliveriesAnswer",
    "DeliveryDetail",
    "DeliveryOut",
    "ReplayAnswer",
    "ReplayRequest",
    "RotationRequest",
    "WebhookOut",
    "WebhookWithSecret",
    "WebhooksAnswer",
]

_MOST_HOURS = 168
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_WEBHOOK: dict[str, Any] = {
    "id": 1,
    "url": "https://crm.example.com/hooks/regulars",
    "events": ["customer.segment_entered", "customer.score_changed"],
    "thresholds": {"churn_probability": 0.1},
    "created_at": "2026-03-01T06:00:00Z",
    "previous_secret_until": None,
    "disabled_at": None,
    "disabled_why": None,
    "failing_since": None,
    "rest_until": None,
}
_DELIVERY: dict[str, Any] = {
    "id": 512,
    "type": "customer.segment_entered",
    "customer_id": "c1",
    "occurred_at": "2026-03-01T06:00:00Z",
    "status": "pending",
    "attempts": 2,
    "next_attempt_at": "2026-03-01T06:05:09Z",
    "last_attempt_at": "2026-03-01T06:00:05Z",
    "last_status": 500,
    "last_error": "It answered 500.",
    "delivered_at": None,
}


def _in_calendar(instant: datetime) -> datetime:
    if not _FIRST <= instant < _LAST:
        raise ValueError("expected an instant from 1970 to 2199")
    return instant.astimezone(UTC)


class RotationRequest(BaseModel):
    """The choices of a rotation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"previous_valid_hours": 24}]})

    previous_valid_hours: int = Field(
        24,
        strict=True,
        ge=0,
        le=_MOST_HOURS,
        description="For so many hours the secret before signs too; 0 if it may be in wrong hands.",
    )


class ReplayRequest(BaseModel):
    """Which dead deliveries to send once more."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"since": "2026-03-01T00:00:00Z"}]})

    since: Annotated[AwareDatetime, AfterValidator(_in_calendar)] = Field(
        description="Those whose change is not older, as ISO 8601 with an offset or Z."
    )


class ReplayAnswer(BaseModel):
    """How many are sent once more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"replayed": 42}]})

    replayed: int = Field(description="Deliveries that were dead and are pending now.")


class WebhookOut(BaseModel):
    """One endpoint; its secret is never shown again."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WEBHOOK]})

    id: int = Field(description="Its number.")
    url: str = Field(description="Where changes are sent.")
    events: list[str] = Field(description="Kinds of events that it is told of.")
    thresholds: Mapping[str, float] = Field(
        description="By score, the change from which on `customer.score_changed` is told."
    )
    created_at: datetime = Field(description="When it was added.")
    previous_secret_until: datetime | None = Field(description="Until then the secret before signs too.")
    disabled_at: datetime | None = Field(description="Since then it is told nothing; null while it is.")
    disabled_why: str | None = Field(description="Why it is told nothing.")
    failing_since: datetime | None = Field(description="The first attempt that failed since one was taken.")
    rest_until: datetime | None = Field(description="Until then it has asked to be sent nothing.")

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> WebhookOut:
        """Show an endpoint."""
        return cls(**_fields_of(endpoint))


class WebhookWithSecret(WebhookOut):
    """One endpoint with its secret, which is shown this once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [_WEBHOOK | {"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}]}
    )

    secret: str = Field(description="By which the receiver verifies signatures, as Standard Webhooks writes it.")

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> WebhookWithSecret:
        """Show an endpoint with its secret."""
        return cls(**_fields_of(endpoint), secret=endpoint.secret)


class WebhooksAnswer(BaseModel):
    """All endpoints."""

    webhooks: list[WebhookOut] = Field(description="The oldest first.")


class DeliveryOut(BaseModel):
    """One event on its way to one endpoint."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    id: int = Field(description="Its number.")
    type: str = Field(description="The kind of the event.")
    customer_id: str | None = Field(description="Whom it is about, by the id that is told; null for a model or a test.")
    occurred_at: datetime = Field(description="When that changed which is told.")
    status: DeliveryStatus = Field(description="`dead` was given up, and can be replayed.")
    attempts: int = Field(description="So many were made, since it was replayed if it was.")
    next_attempt_at: datetime | None = Field(description="Not before then is it tried again; null if it is not.")
    last_attempt_at: datetime | None = Field(description="When the last attempt began.")
    last_status: int | None = Field(description="HTTP status of the last answer; null where none came.")
    last_error: str | None = Field(description="Why the last attempt failed.")
    delivered_at: datetime | None = Field(description="When it was taken.")

    @classmethod
    def of(cls, found: DeliveryWithEvent) -> DeliveryOut:
        """Show a delivery."""
        return cls(**_delivery_fields_of(found))


class DeliveryDetail(DeliveryOut):
    """One delivery with what it tells."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [_DELIVERY | {"data": {"customer_id": "c1", "segment": "at_risk"}}]}
    )

    data: Mapping[str, Any] = Field(description="What is told under `data`.")

    @classmethod
    def of(cls, found: DeliveryWithEvent) -> DeliveryDetail:
        """Show a delivery with its event."""
        return cls(**_delivery_fields_of(found), data=found.event.data)


class DeliveriesAnswer(BaseModel):
    """One page of deliveries."""

    deliveries: list[DeliveryOut] = Field(description="The newest first.")
    next_cursor: str | None = Field(description="Goes into `cursor` for the next page; null on the last one.")

    @classmethod
    def of(cls, page: DeliveryPage) -> DeliveriesAnswer:
        """Show a page."""
        return cls(deliveries=[DeliveryOut.of(row) for row in page.rows], next_cursor=page.next_cursor)


def _fields_of(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in WebhookOut.model_fields}


def _delivery_fields_of(found: DeliveryWithEvent) -> dict[str, Any]:
    delivery, event = found
    return {
        "id": delivery.id,
        "type": event.kind,
        "customer_id": event.data.get("customer_id"),
        "occurred_at": event.occurred_at,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at if delivery.status == "pending" else None,
        "last_attempt_at": delivery.last_attempt_at,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "delivered_at": delivery.delivered_at,
    }
