"""The registry: trained bundles, who is champion, and the runs that made them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["ModelAlias", "ModelPromotion", "ModelVersion", "TrainingRun"]


class TrainingRun(Base):
    """One training, queued or done, with its own story: settings, counts, timings, error."""

    __tablename__ = "training_run"
    __table_args__ = (CheckConstraint("status IN ('queued', 'running', 'completed', 'failed')", name="status"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    requested_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None] = mapped_column(doc="Last sign of life of the process that runs it.")
    finished_at: Mapped[datetime | None]
    settings: Mapped[dict[str, Any]]
    story: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]


class ModelVersion(Base):
    """One registered bundle. `test_metrics` are of the evaluated model and of the champion's settings beside it."""

    __tablename__ = "model_version"

    version: Mapped[int] = mapped_column(primary_key=True)
    bundle: Mapped[str] = mapped_column(doc="Name of its folder in the bundle directory.")
    bundle_hash: Mapped[str] = mapped_column(doc="SHA-256 of its manifest, hexadecimal.")
    registered_at: Mapped[datetime]
    training_run_id: Mapped[int | None] = mapped_column(ForeignKey("training_run.id"))
    test_metrics: Mapped[dict[str, Any]]
    report: Mapped[dict[str, Any]]
    erased_customers: Mapped[int] = mapped_column(
        server_default="0", doc="How many of those whom it was trained with have been erased since."
    )


class ModelAlias(Base):
    """Which version is `champion`, which `challenger`."""

    __tablename__ = "model_alias"
    __table_args__ = (CheckConstraint("alias IN ('champion', 'challenger')", name="alias"),)

    alias: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(ForeignKey("model_version.version"))


class ModelPromotion(Base):
    """One change of champion, so that it can be taken back."""

    __tablename__ = "model_promotion"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(ForeignKey("model_version.version"))
    replaced_version: Mapped[int | None] = mapped_column(ForeignKey("model_version.version"))
    promoted_at: Mapped[datetime]
    forced: Mapped[bool]
    rolled_back_at: Mapped[datetime | None]
