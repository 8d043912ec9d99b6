"""Segment policies and who is, or was, in which segment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["SegmentCutoffs", "SegmentMembership", "SegmentPolicyVersion"]


class SegmentPolicyVersion(Base):
    """One version of the segment policy; the newest is in force."""

    __tablename__ = "segment_policy"

    version: Mapped[int] = mapped_column(primary_key=True)
    policy: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class SegmentCutoffs(Base):
    """The numbers at which one policy cuts the customers of one model, so that one customer can be judged alone."""

    __tablename__ = "segment_cutoffs"

    model_version: Mapped[int] = mapped_column(ForeignKey("model_version.version"), primary_key=True)
    policy_version: Mapped[int] = mapped_column(ForeignKey("segment_policy.version"), primary_key=True)
    cutoffs: Mapped[dict[str, Any]]


class SegmentMembership(Base):
    """A stay of one customer in one segment, from the instant of the score that saw it begin to that which saw it end.

    Scores are of a run: that of all customers, or of one who was scored again since.
    """

    __tablename__ = "segment_membership"
    __table_args__ = (
        Index(None, "customer_key"),
        # Nobody is in a segment twice at once, whoever writes it.
        Index(
            "ix_segment_membership_open",
            "customer_key",
            "segment",
            unique=True,
            sqlite_where=text("left_at IS NULL"),
            postgresql_where=text("left_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    segment: Mapped[str]
    entered_at: Mapped[datetime]
    entered_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"))
    left_at: Mapped[datetime | None]
    left_run_id: Mapped[int | None] = mapped_column(ForeignKey("scoring_run.id"))
