"""What drives the scores of a run, as reported when it was made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["DriverReport"]


class DriverReport(Base):
    """The drivers of one target's model over one segment of one run; the segment "all" is everybody judged."""

    __tablename__ = "driver_report"
    __table_args__ = ({"sqlite_with_rowid": False},)

    scoring_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    segment: Mapped[str] = mapped_column(primary_key=True)
    report: Mapped[dict[str, Any]]
