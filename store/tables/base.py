"""What all tables share: naming of constraints, the type of instants, text that sorts by code point."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Dialect, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

__all__ = ["MICROSECONDS_AN_HOUR", "Base", "CodePointText", "Instant", "from_microseconds", "to_microseconds"]

MICROSECONDS_AN_HOUR = 3_600_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# SQLite compares text by bytes already; PostgreSQL only under this collation.
CodePointText = String().with_variant(String(collation="C"), "postgresql")


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(value: int) -> datetime:
    """Aware UTC datetime of microseconds since 1970-01-01 UTC, exactly."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970-01-01 UTC.

    A million events are read as one integer column, with no text to parse, and both engines order and compare alike.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn a datetime into what is stored."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn what is stored into a datetime."""
        return None if value is None else from_microseconds(value)


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: Instant, dict[str, Any]: JSON, list[Any]: JSON}
