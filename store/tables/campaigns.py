"""Campaigns, whom each was meant for, and who was contacted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base, CodePointText

__all__ = ["Campaign", "CampaignAssignment", "Contact", "HoldOutSalt"]


class Campaign(Base):
    """Something that customers are contacted for, with some of them held out, so that its effect can be told."""

    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(CodePointText, unique=True)
    segment: Mapped[str | None] = mapped_column(doc="Whom it is for; null for others.")
    outcome_event: Mapped[str | None] = mapped_column(doc="Name of the event that counts; null for a purchase.")
    outcome_days: Mapped[int]
    held_out_arm: Mapped[str]
    held_out_share: Mapped[float | None] = mapped_column(doc="Null where the assignment was supplied.")
    most_customers: Mapped[int | None] = mapped_column(doc="Of the segment's list from the top; null for all of it.")
    assigned_at: Mapped[datetime] = mapped_column(
        doc="From when outcomes count, where an assignment says nothing else."
    )
    created_at: Mapped[datetime]
    is_assigned: Mapped[bool] = mapped_column(doc="False while the customers of the segment are being assigned.")
    pruned_at: Mapped[datetime | None] = mapped_column(
        doc="When what its effect was counted from began to be deleted; what was counted before then stays."
    )
    effect_due_at: Mapped[datetime | None] = mapped_column(doc="From when a worker is to count its effect again.")
    effect: Mapped[dict[str, Any] | None] = mapped_column(doc="As `models.campaign_effect` gave it.")
    effect_as_of: Mapped[datetime | None] = mapped_column(doc="The instant that the effect speaks of.")
    adoption: Mapped[dict[str, Any] | None] = mapped_column(
        doc="Whether its save rate went into the segment policy, as which version (or null), and why or why not."
    )

    @property
    def is_adopted(self) -> bool:
        """Whether its save rate went into the segment policy, which happens once."""
        return self.adoption is not None and self.adoption["policy_version"] is not None


class CampaignAssignment(Base):
    """The arm to which a customer was assigned, contacted or not."""

    __tablename__ = "campaign_assignment"
    __table_args__ = (Index(None, "customer_key"), {"sqlite_with_rowid": False})

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    arm: Mapped[str]
    assigned_at: Mapped[datetime]


class Contact(Base):
    """A customer was contacted."""

    __tablename__ = "contact"
    __table_args__ = (
        CheckConstraint("cost >= 0", name="cost"),
        Index(None, "customer_key", "contacted_at"),
        Index(None, "campaign_id", "customer_key"),
        Index(None, "contacted_at", "customer_key"),
        {"sqlite_with_rowid": False},
    )

    identity: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))
    contacted_at: Mapped[datetime]
    received_at: Mapped[datetime]
    channel: Mapped[str]
    cost: Mapped[float | None] = mapped_column(doc="In the currency of the business; null for the policy's.")
    message_id: Mapped[str | None]


class HoldOutSalt(Base):
    """One row: what decides, with a customer's key, who is held out. Another one would hold others out."""

    __tablename__ = "hold_out_salt"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
