"""The days that a simulated shop has been open, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InputError

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "Period"]

# In microseconds, as instants are.
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FEWEST_DAYS = 2


@dataclass(frozen=True, slots=True)
class Period:
    """The days up to an instant; the last of them may not be over yet.

    Attributes
    ----------
    end : int
        Microseconds since 1970-01-01 UTC; nothing happens at or after it.
    days : int
        How many days there are, from 2.
    """

    end: int
    days: int

    @classmethod
    def up_to(cls, end: datetime, days: int) -> Period:
        """Return the period of so many days that an aware instant ends.

        Raises
        ------
        InputError
        """
        if end.tzinfo is None:
            raise InputError(f"end: expected an instant with its time zone, got {end}.")
        if days < _FEWEST_DAYS:
            raise InputError(f"days: expected at least {_FEWEST_DAYS}, got {days!r}.")
        return cls((end - _EPOCH) // timedelta(seconds=1) * SECOND, days)

    @property
    def last_day(self) -> int:
        """The day of the last instant, since 1970-01-01."""
        return (self.end - 1) // DAY

    @property
    def first_day(self) -> int:
        """The first day, since 1970-01-01."""
        return self.last_day - self.days + 1

    @property
    def first_date(self) -> date:
        """The first day as a date."""
        return (_EPOCH + timedelta(days=self.first_day)).date()

    @property
    def end_instant(self) -> datetime:
        """The end as an instant in UTC."""
        return _EPOCH + timedelta(microseconds=self.end)

    def instants(self, day: NDArray[np.int64], time_of_day: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return instants of days counted from the first (0), shape (n,)."""
        return (self.first_day + day) * DAY + time_of_day
