"""What is predicted, as versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["TargetSetVersion"]


class TargetSetVersion(Base):
    """One version of the targets; the newest is in force."""

    __tablename__ = "target_set"

    version: Mapped[int] = mapped_column(primary_key=True)
    targets: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
