"""Who may ask and send: keys, by the hash of what their bearer shows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

__all__ = ["ApiKey"]


class ApiKey(Base):
    """One key. What its bearer shows is shown once and not kept; a key that sends events does it for one source."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True, doc="SHA-256.")
    beginning: Mapped[str] = mapped_column(doc="The first characters, to know the key by.")
    scope: Mapped[str]
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
