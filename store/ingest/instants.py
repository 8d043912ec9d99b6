"""Dates and times as microseconds since 1970-01-01 UTC.

Instants differ from row to row, where other cells repeat, so columns in the usual forms are read as a whole; what that
leaves is read one by one, by the rules that hold for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import overload
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from store.ingest.cells import as_text
from store.ingest.rejections import CellError
from store.tables.base import to_microseconds

__all__ = ["InstantReader", "Timestamps"]

_ISO_INSTANT = re.compile(
    r"\d{4}(?:-\d\d-\d\d|\d{4})(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?\s?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
_SPACE_BEFORE_OFFSET = re.compile(r" (?=[Z+-])")
# What is read as a whole, each digit written as 0.
_USUAL_FORM = re.compile(r"0000-00-00[T ]00:00:00(?:\.(?P<fraction>0{1,6}))?(?P<offset>Z|[+-]00:00)?")
_SHORTEST, _LONGEST = 19, 32
_MOST_FORMS = 4  # of texts of one length
_EARLIEST_YEAR = 1900
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall time, as what is measured from it
_NO_TIME = timedelta(0)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
# One year from either end of what is accepted, since the date in the column's own time zone is what counts.
_SAFE_FROM, _SAFE_BEFORE = (int(np.datetime64(day, "us").astype(np.int64)) for day in ("1901-01-01", "9999-01-01"))


class Timestamps(Sequence[object]):
    """A column of timestamps, each of which becomes a datetime only when it is asked for; after them, None.

    Parameters
    ----------
    microseconds : int64
        Since 1970-01-01, in UTC if they are aware, else by the clock on the wall.
    are_aware : bool
    value : callable
        The value at a place, as `Cells` have it.
    """

    def __init__(self, microseconds: NDArray[np.int64], are_aware: bool, value: Callable[[int], object]) -> None:
        self.microseconds = microseconds
        self.are_aware = are_aware
        self._value = value

    def __len__(self) -> int:
        return len(self.microseconds) + 1

    @overload
    def __getitem__(self, place: int) -> object: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[object]: ...

    def __getitem__(self, place: int | slice) -> object:
        """Return the value at a place from 0, or those of a slice."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(f"expected a place from 0 to {len(self) - 1}, got {place}")
        return None if place == len(self.microseconds) else self._value(place)


class InstantReader:
    """Reads dates and times: ISO 8601, YYYYMMDD, or one other format.

    Parameters
    ----------
    zone : ZoneInfo
        Where times without an offset are meant. In an hour that the clocks go through twice the first is meant; one
        that they skip is read as if they had not yet been moved.
    date_format : str or None
        `strptime` format of texts that are neither; then no other is read.

    Notes
    -----
    Years before 1900 are refused: they are placeholders for "unknown" (0001, 1753, 1899) in every system we know of.
    """

    def __init__(self, zone: ZoneInfo, date_format: str | None = None) -> None:
        self._zone = zone
        self._date_format = date_format

    def __call__(self, value: object) -> int | None:
        """Return microseconds since 1970-01-01 UTC, None if there is no value."""
        if isinstance(value, datetime):
            return self._instant(value)
        if isinstance(value, date):
            return self._instant(datetime(value.year, value.month, value.day))  # noqa: DTZ001 - zone follows
        text = as_text(value)
        return None if text is None else self._instant(self._parse(text))

    def at_once(self, values: Sequence[object]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Read what is in a usual form.

        Parameters
        ----------
        values : sequence, length n

        Returns
        -------
        microseconds : int64, length n
            What a call with the value returns; 0 where it is to be called.
        is_read : bool, length n
        """
        microseconds = np.zeros(len(values), dtype=np.int64)
        is_read = np.zeros(len(values), dtype=np.bool_)
        if isinstance(values, Timestamps):
            microseconds[:-1] = values.microseconds
            is_read[:-1] = (values.microseconds >= _SAFE_FROM) & (values.microseconds < _SAFE_BEFORE)
            is_wall_time = is_read & (not values.are_aware)
        else:
            is_wall_time = np.zeros(len(values), dtype=np.bool_)
            for places, block in _blocks(values) if self._date_format is None else ():
                for alike, found, is_right, has_offset in _usual_forms(block):
                    rows = places[alike]
                    microseconds[rows], is_read[rows] = found, is_right
                    is_wall_time[rows] = is_right & (not has_offset)
        self._from_wall_time(microseconds, is_read, np.flatnonzero(is_wall_time))
        microseconds[~is_read] = 0
        return microseconds, is_read

    def _from_wall_time(
        self, microseconds: NDArray[np.int64], is_read: NDArray[np.bool_], rows: NDArray[np.intp]
    ) -> None:
        """Turn wall times into instants; those of a day on which the clocks are moved are left."""
        days, day = np.unique(microseconds[rows] // _DAY, return_inverse=True)
        morning, night = (
            np.array([self._offset(_EPOCH + timedelta(days=one) + time) for one in days.tolist()], dtype=np.int64)
            for time in (_NO_TIME, timedelta(days=1, microseconds=-1))
        )
        microseconds[rows] -= morning[day]
        is_read[rows] = (morning == night)[day]

    def _offset(self, wall_time: datetime) -> int:
        return _microseconds(self._zone.utcoffset(wall_time) or _NO_TIME)

    def _parse(self, text: str) -> datetime:
        try:
            if self._date_format is not None:
                return datetime.strptime(text, self._date_format)  # noqa: DTZ007 - zone follows
            if _ISO_INSTANT.fullmatch(text):
                return datetime.fromisoformat(_SPACE_BEFORE_OFFSET.sub("", text))
        except ValueError:
            pass
        expected = self._date_format or "an ISO 8601 date or time such as 2024-03-31 or 2024-03-31T14:05:00Z"
        raise CellError("occurred_at", f"is not a date that can be read; expected {expected}")

    def _instant(self, moment: datetime) -> int:
        if moment.year < _EARLIEST_YEAR:
            raise CellError("occurred_at", f"lies before {_EARLIEST_YEAR}, which can't be meant")
        if moment.tzinfo is not None:
            return to_microseconds(moment)
        # Subtracting aware datetimes takes thrice as long.
        return _microseconds(moment - _EPOCH) - self._offset(moment)


def _blocks(values: Sequence[object]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
    """Yield the texts of each length that an instant may have: their places, and their characters, one row a text."""
    lengths = np.array([len(value) if type(value) is str else 0 for value in values], dtype=np.int64)
    for length in np.unique(lengths).tolist():
        if _SHORTEST <= length <= _LONGEST:
            places = np.flatnonzero(lengths == length)
            characters = "".join([str(values[place]) for place in places.tolist()]).encode("ascii", "replace")
            yield places, np.frombuffer(characters, dtype=np.uint8).reshape(-1, length)


def _usual_forms(
    block: NDArray[np.uint8],
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.bool_], bool]]:
    """Yield the rows of each usual form: which, their microseconds, whether these are right, and whether in UTC."""
    digits = block - np.uint8(ord("0"))
    forms = np.where(digits <= 9, np.uint8(ord("0")), block)
    left = np.arange(len(block))
    for _ in range(_MOST_FORMS):
        if not len(left):
            return
        form = forms[left[0]]
        is_alike = (forms[left] == form).all(axis=1)
        alike, left = left[is_alike], left[~is_alike]
        usual = _USUAL_FORM.fullmatch(form.tobytes().decode("ascii"))
        if usual:
            yield alike, *_read(digits[alike], usual), usual["offset"] is not None


def _read(digits: NDArray[np.uint8], form: re.Match[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return microseconds of texts of one form, less their offset, and whether there is such a date and time."""

    def number(start: int, end: int) -> NDArray[np.int64]:
        places = 10 ** np.arange(end - start - 1, -1, -1)
        numbers: NDArray[np.int64] = digits[:, start:end].astype(np.int64) @ places
        return numbers

    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    months = (year - 1970) * 12 + month - 1
    first_day, next_month = (
        some.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for some in (months, months + 1)
    )
    is_right = (year >= _EARLIEST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= next_month - first_day)
    is_right &= (hour < 24) & (minute < 60) & (second < 60)
    seconds = (first_day + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second
    microseconds = seconds * _SECOND
    if form["fraction"]:
        start, end = form.span("fraction")
        microseconds += number(start, end) * 10 ** (6 - (end - start))
    if form["offset"] not in (None, "Z"):
        start = form.start("offset")
        hours, minutes = number(start + 1, start + 3), number(start + 4, start + 6)
        is_right &= (hours < 24) & (minutes < 60)
        ahead = (hours * 3_600 + minutes * 60) * _SECOND
        microseconds -= ahead if form["offset"][0] == "+" else -ahead
    return microseconds, is_right


def _microseconds(duration: timedelta) -> int:
    return (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds
