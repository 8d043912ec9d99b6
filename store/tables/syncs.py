"""What targets outside, files and addresses, have been sent of segments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["SyncPoint", "SyncedMember"]


class SyncPoint(Base):
    """One segment at one target: up to which run the target has it."""

    __tablename__ = "sync_point"
    __table_args__ = (Index(None, "target", "segment", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(doc="An absolute path, or an address.")
    segment: Mapped[str]
    attempt: Mapped[int] = mapped_column(doc="Counts the syncs that have begun; one that is overtaken ends.")
    scoring_run_id: Mapped[int | None] = mapped_column(ForeignKey("scoring_run.id"))
    synced_at: Mapped[datetime | None] = mapped_column(doc="When the target last had taken everything.")
    erased: Mapped[int] = mapped_column(doc="Customers erased since whom the target was not told of any more.")


class SyncedMember(Base):
    """A customer of whom a target has been told, or perhaps has: only what is `held` is known to have come there.

    A customer who was merged stays, since that id is what the target has, until it is told that the id has left.
    """

    __tablename__ = "synced_member"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'telling', 'leaving')", name="state"),
        {"sqlite_with_rowid": False},
    )

    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    sync_point_id: Mapped[int] = mapped_column(ForeignKey("sync_point.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(doc="The sync that last told of it.")
    state: Mapped[str]
    churn_probability: Mapped[float | None] = mapped_column(doc="As the target was last told.")
    clv: Mapped[float | None]
    value_at_risk: Mapped[float | None]
