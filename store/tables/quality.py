"""What became of the scores of a run: how far its customers had moved, what came true, what it said at first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["DriftReport", "QualityReport", "SupersededScore"]


class DriftReport(Base):
    """How far the customers whom one target's model judges in a run have moved away from those of its training."""

    __tablename__ = "drift_report"
    __table_args__ = ({"sqlite_with_rowid": False},)

    scoring_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    report: Mapped[dict[str, Any] | None] = mapped_column(
        doc="Null of a model that was trained before distributions were kept."
    )


class QualityReport(Base):
    """What a run said, compared with what came about once the horizon had passed."""

    __tablename__ = "quality_report"
    __table_args__ = (
        CheckConstraint("kind IN ('target', 'forecast')", name="kind"),
        {"sqlite_with_rowid": False},
    )

    scoring_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True, doc="`target`, or `forecast` of purchases and spending.")
    name: Mapped[str] = mapped_column(primary_key=True, doc="Of the target; `purchases` of the forecast.")
    computed_at: Mapped[datetime]
    known_until: Mapped[datetime] = mapped_column(doc="The midnight at which what was stored then ended.")
    report: Mapped[dict[str, Any]] = mapped_column(doc="Figures; or only `not_comparable`, which says why.")


class SupersededScore(Base):
    """What a run said of a customer at first, kept when the customer is scored again under the same run.

    Whoever does something is scored again, so that those who are not are mostly those who left: a run can only be
    judged by what it said of everybody at one instant.
    """

    __tablename__ = "superseded_score"
    __table_args__ = ({"sqlite_with_rowid": False},)

    scoring_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    segments: Mapped[str]
    expected_purchases: Mapped[float | None]
    expected_purchases_low: Mapped[float | None]
    expected_purchases_high: Mapped[float | None]
    expected_average_value: Mapped[float | None]
    clv: Mapped[float | None]
    churn_probability: Mapped[float | None]
    value_at_risk: Mapped[float | None]
    propensities: Mapped[str | None] = mapped_column(doc="As in `score`.")
