"""Days of the business: instants cut at midnight of its time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

__all__ = ["MICROSECONDS_PER_DAY", "LocalCalendar"]

MICROSECONDS_PER_DAY = 86_400_000_000
_MICROSECONDS_PER_HOUR = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = -25_567, 47_482  # 1900-01-01 to 2100-01-01
_STEP = 3  # days; no zone has changed its offset twice within so few since 1900


class LocalCalendar:
    """Turns instants into local days and back.

    A day lasts from its first midnight to the first midnight of the next. So days never run backwards, not even where
    a clock was set back from one minute past midnight, as in Newfoundland to 2011.

    Parameters
    ----------
    timezone : str
        IANA name, such as `Europe/Berlin`.

    Examples
    --------
    >>> calendar = LocalCalendar("America/New_York")
    >>> calendar.day_of(datetime(1997, 1, 2, 3, tzinfo=UTC))  # still the evening of the first
    datetime.date(1997, 1, 1)
    """

    def __init__(self, timezone: str) -> None:
        self.timezone = timezone
        self._changes, self._offsets = _utc_offsets(timezone)

    def days(self, occurred_at: NDArray[np.int64]) -> NDArray[np.int32]:
        """Local days since 1970-01-01 of instants in microseconds since 1970-01-01 UTC."""
        days: NDArray[np.int32] = (self._local(occurred_at) // MICROSECONDS_PER_DAY).astype(np.int32)
        return days

    def hours(self, occurred_at: NDArray[np.int64]) -> NDArray[np.int8]:
        """Local hours, 0 to 23, of instants in microseconds since 1970-01-01 UTC."""
        of_day = self._local(occurred_at) % MICROSECONDS_PER_DAY
        hours: NDArray[np.int8] = (of_day // _MICROSECONDS_PER_HOUR).astype(np.int8)
        return hours

    def day(self, occurred_at: int) -> int:
        """Local day since 1970-01-01 of one instant in microseconds since 1970-01-01 UTC."""
        return int(self.days(np.array([occurred_at], dtype=np.int64))[0])

    def day_of(self, instant: datetime) -> date:
        """Local date of one aware instant."""
        return _EPOCH_DAY + timedelta(days=self.day((instant - _EPOCH) // timedelta(microseconds=1)))

    def midnight(self, day: int) -> int:
        """The instant, in microseconds since 1970-01-01 UTC, at which a local day begins."""
        local = datetime(1970, 1, 1, tzinfo=ZoneInfo(self.timezone)) + timedelta(days=day)
        return (local.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)

    def later(self, instant: datetime, days: int) -> datetime:
        """The same time of the day, so many local days after an aware instant; of a midnight, that of the later day."""
        local = instant.astimezone(ZoneInfo(self.timezone))
        return (local + timedelta(days=days)).astimezone(UTC)

    def _local(self, occurred_at: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(self._offsets) == 1:
            return occurred_at + int(self._offsets[0])
        offsets: NDArray[np.int64] = self._offsets[np.searchsorted(self._changes, occurred_at, side="right")]
        return occurred_at + offsets


@lru_cache(maxsize=8)
def _utc_offsets(timezone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Instants from which another offset decides the day, and the offsets between them, all in microseconds."""
    if timezone == "UTC":
        return np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    zone = ZoneInfo(timezone)

    def offset(microseconds: int) -> int:
        instant = _EPOCH + timedelta(microseconds=microseconds)
        return (instant.astimezone(zone).utcoffset() or timedelta()) // timedelta(microseconds=1)

    changes: list[int] = []
    offsets = [offset(_FIRST_DAY * MICROSECONDS_PER_DAY)]
    for day in range(_FIRST_DAY, _LAST_DAY, _STEP):
        before, after = day * MICROSECONDS_PER_DAY, (day + _STEP) * MICROSECONDS_PER_DAY
        new = offset(after)
        if new == offsets[-1]:
            continue
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if offset(middle) == offsets[-1] else (before, middle)
        changes.append(max(after, _midnight_reached(before, offsets[-1]) - new))
        offsets.append(new)
    return np.array(changes, dtype=np.int64), np.array(offsets, dtype=np.int64)


def _midnight_reached(instant: int, offset: int) -> int:
    """Local time of the last midnight up to an instant: set back across it, a clock has to reach it again."""
    return (instant + offset) // MICROSECONDS_PER_DAY * MICROSECONDS_PER_DAY
