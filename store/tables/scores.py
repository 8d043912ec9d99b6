"""Scores, each of one scoring run, and the pointer to the run that lists show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["PublishedRun", "RescoreRequest", "Score", "ScoringPart", "ScoringRun", "SegmentListing"]


class ScoringRun(Base):
    """One scoring of all customers: with what, as of when, and what came out in sum."""

    __tablename__ = "scoring_run"
    __table_args__ = (CheckConstraint("status IN ('queued', 'running', 'completed', 'failed')", name="status"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    requested_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None] = mapped_column(doc="Last sign of life of the process that runs it.")
    finished_at: Mapped[datetime | None]
    as_of: Mapped[datetime | None] = mapped_column(doc="Null while queued for the instant at which it will start.")
    model_version: Mapped[int | None] = mapped_column(ForeignKey("model_version.version"))
    policy_version: Mapped[int | None] = mapped_column(ForeignKey("segment_policy.version"))
    n_customers: Mapped[int | None]
    aggregates: Mapped[dict[str, Any] | None] = mapped_column(
        doc="Per segment and in all: customers, clv, value at risk, expected purchases; value covered by list length."
    )
    memberships_recorded: Mapped[bool] = mapped_column(
        default=False, doc="Whether who entered and left a segment by this run stands in `segment_membership`."
    )
    is_pruned: Mapped[bool] = mapped_column(
        default=False,
        server_default=false(),
        doc="Whether what it says of customers is deleted, or is being: its lists are read no more.",
    )
    recorded_key: Mapped[int] = mapped_column(
        default=0, server_default="0", doc="Up to this key of a customer it does; the rest is done in order of keys."
    )
    replaced_run_id: Mapped[int | None] = mapped_column(doc="The run that was published before it.")
    read_since: Mapped[datetime | None] = mapped_column(
        doc="When the first attempt whose scores it holds began to read; null where that was not written down."
    )
    error: Mapped[str | None]


class ScoringPart(Base):
    """A range of customers whose scores under a run that is at work are complete, and what was added up of them."""

    __tablename__ = "scoring_part"

    scoring_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    lowest_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    highest_key: Mapped[int]
    terms: Mapped[str] = mapped_column(doc="What they were scored by.")
    sums: Mapped[bytes]


class PublishedRun(Base):
    """One row: the run that every list reads. It changes only once a run is complete."""

    __tablename__ = "published_run"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    scoring_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"))


class Score(Base):
    """What one run says of one customer. Null stands for "does not apply", never for nought."""

    __tablename__ = "score"
    __table_args__ = (
        Index(
            "ix_score_rescored",
            "scoring_run_id",
            "customer_key",
            sqlite_where=text("rescored_at IS NOT NULL"),
            postgresql_where=text("rescored_at IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    scoring_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    segment: Mapped[str] = mapped_column(doc="The primary segment.")
    segments: Mapped[str] = mapped_column(doc="All segments, in the order of the policy, separated by a space.")
    eligible: Mapped[bool]
    frequency: Mapped[int | None]
    recency: Mapped[int | None]
    T: Mapped[int | None]
    monetary_value: Mapped[float | None]
    days_since_last_purchase: Mapped[int | None]
    p_alive: Mapped[float | None]
    expected_purchases: Mapped[float | None]
    expected_purchases_low: Mapped[float | None]
    expected_purchases_high: Mapped[float | None]
    expected_average_value: Mapped[float | None]
    clv: Mapped[float | None]
    clv_low: Mapped[float | None]
    clv_high: Mapped[float | None]
    clv_reasons: Mapped[str | None] = mapped_column(doc="JSON: [[input, value, contribution in currency], …].")
    purchase_within_30d: Mapped[float | None]
    purchase_within_60d: Mapped[float | None]
    purchase_within_90d: Mapped[float | None]
    purchase_within_180d: Mapped[float | None]
    purchase_likely_in_days: Mapped[int | None] = mapped_column(
        doc="Days until the chance of a purchase reaches one half; null where it doesn't within a year."
    )
    churn_probability: Mapped[float | None]
    value_at_risk: Mapped[float | None]
    upsell_propensity: Mapped[float | None]
    raw_margin: Mapped[float | None]
    base_value: Mapped[float | None]
    reasons: Mapped[str | None] = mapped_column(
        doc='JSON: [[feature, value, contribution], …], the top ones; then ["", null, all other features].'
    )
    propensities: Mapped[str | None] = mapped_column(
        doc="JSON: what each model but that of churn says, by target: probability, raw_margin, base_value, reasons."
    )
    rescored_at: Mapped[datetime | None] = mapped_column(
        doc="The instant that it speaks of, where that is not its run's: of customers scored again since."
    )


class SegmentListing(Base):
    """The order of one list in one run: read backwards by its key, a page at a time.

    A list is that of a segment, or `<target>_propensity`: everybody whom that model judges.
    """

    __tablename__ = "segment_listing"
    __table_args__ = ({"sqlite_with_rowid": False},)

    scoring_run_id: Mapped[int] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    segment: Mapped[str] = mapped_column(primary_key=True)
    rank_value: Mapped[float] = mapped_column(
        primary_key=True,
        doc="Of a segment: value at risk, or else clv, or else churn probability, or else 0. Or the propensity.",
    )
    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)


class RescoreRequest(Base):
    """A customer of whom something new came live and who is to be scored again, however often it came."""

    __tablename__ = "rescore_request"
    __table_args__ = ({"sqlite_with_rowid": False},)

    customer_key: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True, autoincrement=False)
    requested_at: Mapped[datetime] = mapped_column(doc="When the first of it came.")
    times: Mapped[int] = mapped_column(doc="How often it came: whoever scores removes the row only if none came since.")
    told_run_id: Mapped[int | None] = mapped_column(
        doc="The run whose score of the customer was told last, where the runs published since left that to this."
    )
