"""What changed, for those who asked to be told, and how far the telling is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["OutboxEvent", "ToldScore", "WebhookDelivery", "WebhookEndpoint"]

_COUNTED = BigInteger().with_variant(Integer, "sqlite")


class WebhookEndpoint(Base):
    """An address that is told of changes. One that is deleted is told no more."""

    __tablename__ = "webhook_endpoint"

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    events: Mapped[list[Any]] = mapped_column(doc="Kinds of events that it is told of.")
    thresholds: Mapped[dict[str, Any]] = mapped_column(
        doc="Of `customer.score_changed`: by number of a score, by how much it has to change."
    )
    secret: Mapped[str] = mapped_column(doc="As Standard Webhooks has it: `whsec_` and base64.")
    previous_secret: Mapped[str | None] = mapped_column(doc="Which signs too until `previous_secret_until`.")
    previous_secret_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None]
    failing_since: Mapped[datetime | None] = mapped_column(doc="The first attempt that failed since one was taken.")
    rest_until: Mapped[datetime | None] = mapped_column(doc="Until then it has asked to be sent nothing.")
    deleted_at: Mapped[datetime | None]


class OutboxEvent(Base):
    """One change, written in the transaction that makes it, if there is an endpoint to tell."""

    __tablename__ = "outbox_event"
    # An id is never given again, as SQLite otherwise would: who is told knows by it what was told already.
    __table_args__ = (Index(None, "customer_key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(_COUNTED, primary_key=True)
    kind: Mapped[str]
    occurred_at: Mapped[datetime]
    customer_key: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    data: Mapped[dict[str, Any]]


class WebhookDelivery(Base):
    """One event on its way to one endpoint."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'dead')", name="status"),
        # The next ones due of an endpoint; the ones before it of the same customer.
        Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "next_attempt_at",
            "id",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "ix_webhook_delivery_pending",
            "endpoint_id",
            "customer_key",
            "id",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        # Lists of an endpoint's, all or those of one status, the newest first.
        Index("ix_webhook_delivery_listed", "endpoint_id", "status", "id"),
        Index(None, "event_id"),
    )

    id: Mapped[int] = mapped_column(_COUNTED, primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoint.id"))
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("outbox_event.id"))
    customer_key: Mapped[int | None] = mapped_column(doc="Of the event, for the order of what one customer's are.")
    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    last_attempt_at: Mapped[datetime | None]
    last_status: Mapped[int | None] = mapped_column(doc="HTTP status of the last answer; null where none came.")
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]


class ToldScore(Base):
    """What an endpoint was told last of a customer's score, where the stored score is another by now.

    Without a row the stored score is what was told last, or nothing was told and no other was stored since the endpoint
    was made.
    """

    __tablename__ = "told_score"
    __table_args__ = ({"sqlite_with_rowid": False},)

    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoint.id"), primary_key=True)
    churn_probability: Mapped[float | None]
    clv: Mapped[float | None]
    value_at_risk: Mapped[float | None]
    upsell_propensity: Mapped[float | None]
    p_alive: Mapped[float | None]
    expected_purchases: Mapped[float | None]
