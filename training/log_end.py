"""How far what is stored reaches: what came about after that can't be told, whatever the clock says."""

from __future__ import annotations

from datetime import date, datetime

from features.calendar import LocalCalendar
from store import quality
from store.engine import Database
from store.tables.base import from_microseconds

__all__ = ["find_log_end"]


def find_log_end(database: Database, present: datetime, calendar: LocalCalendar) -> datetime | None:
    """Return the midnight at which what is stored ends, but not what lies ahead; None without events.

    Parameters
    ----------
    database : Database
    present : datetime
    calendar : LocalCalendar
        Of the business.
    """
    last = quality.last_event(database)
    if last is None:
        return None
    day = (calendar.day_of(last) - date(1970, 1, 1)).days + 1
    return min(from_microseconds(calendar.midnight(day)), present)
