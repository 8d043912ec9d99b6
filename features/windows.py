"""The instant that a row of features speaks of, and the days counted back from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from features.calendar import LocalCalendar

__all__ = ["Snapshot"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The exclusive upper bound of what a row may know.

    Attributes
    ----------
    as_of : int
        Microseconds since 1970-01-01 UTC; events before it are known, none at or after it.
    last_day : int
        Local day of the last instant before `as_of`: for a midnight the day that it ends. A window of n days reaches
        back over this day and the n - 1 before it.
    """

    as_of: int
    last_day: int

    @classmethod
    def at(cls, instant: datetime, calendar: LocalCalendar) -> Snapshot:
        """Snapshot at an aware datetime."""
        as_of = (instant - _EPOCH) // timedelta(microseconds=1)
        return cls(as_of, calendar.day(as_of - 1))

    @classmethod
    def at_midnight(cls, day: int, calendar: LocalCalendar) -> Snapshot:
        """Snapshot at the instant at which a local day (since 1970-01-01) begins."""
        return cls(calendar.midnight(day), day - 1)

    @property
    def date(self) -> date:
        """The local date on which the future of this snapshot begins."""
        return date(1970, 1, 1) + timedelta(days=self.last_day + 1)

    def after(self, days: int, calendar: LocalCalendar) -> Snapshot:
        """Snapshot at the midnight this many days after (or, negative, before) the midnight of `date`."""
        return Snapshot.at_midnight(self.last_day + 1 + days, calendar)
