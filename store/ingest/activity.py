"""What sources send, counted by the hour in the transactions that store it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from store.tables.base import MICROSECONDS_AN_HOUR

__all__ = ["Activity", "record"]

# Where the new value is NULL the comparison is not true, and what is there stays.
_LATER = (
    "CASE WHEN source_activity.{0} IS NULL OR excluded.{0} > source_activity.{0} THEN excluded.{0} "
    "ELSE source_activity.{0} END"
)
_ADD = text(
    "INSERT INTO source_activity (source_id, hour, stored, already_there, rejected, last_received_at, last_occurred_at)"
    " VALUES (:source_id, :hour, :stored, :already_there, :rejected, :received_at, :occurred_at) "
    "ON CONFLICT (source_id, hour) DO UPDATE SET stored = source_activity.stored + excluded.stored, "
    "already_there = source_activity.already_there + excluded.already_there, "
    "rejected = source_activity.rejected + excluded.rejected, "
    f"last_received_at = {_LATER.format('last_received_at')}, last_occurred_at = {_LATER.format('last_occurred_at')}"
)


class Activity(NamedTuple):
    """What came of a source at one instant, and what became of it.

    Attributes
    ----------
    source_id : int
    received_at : int
        Microseconds since 1970-01-01 UTC.
    stored, already_there, rejected : int
        Rows of a file, calls of a request.
    occurred_at : int or None
        The latest of what was stored or there already; microseconds since 1970-01-01 UTC.
    """

    source_id: int
    received_at: int
    stored: int = 0
    already_there: int = 0
    rejected: int = 0
    occurred_at: int | None = None


def record(connection: Connection, activities: Sequence[Activity]) -> None:
    """Add to what is counted, at the end of the transaction of `connection`: others of the same source wait for it."""
    # In one order, so that those who count for the same sources wait for each other and never in a circle.
    in_order = sorted(activities, key=lambda activity: activity[:2])
    if in_order:
        hours = [activity.received_at // MICROSECONDS_AN_HOUR for activity in in_order]
        connection.execute(_ADD, [{**each._asdict(), "hour": hour} for each, hour in zip(in_order, hours, strict=True)])
