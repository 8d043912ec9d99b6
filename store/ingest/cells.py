"""Cells of a column, each distinct value once, and what a single cell means as text, id, number or instant.

Columns repeat themselves (customers, products, prices, dates), so each distinct value is judged once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from store.ingest.rejections import CellError
from store.tables.base import to_microseconds

__all__ = ["Cells", "InstantReader", "as_id", "as_json", "as_label", "as_number", "as_text"]

_LONGEST_LABEL = 255

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# Leading zeros are kept as text: "007" is a name, not a number.
_JSON_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_JSON_FLOAT = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE_FLOAT = re.compile(r"-?\d+\.0+", re.ASCII)
_ISO_INSTANT = re.compile(
    r"\d{4}(?:-\d\d-\d\d|\d{4})(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?\s?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
_SPACE_BEFORE_OFFSET = re.compile(r" (?=[Z+-])")
_EARLIEST_YEAR = 1900
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall time, as what is measured from it
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One column of some rows.

    Attributes
    ----------
    codes : int32, one a row
        Index into `values`.
    values : sequence
        The distinct values; None and empty text are missing.
    """

    codes: NDArray[np.int32]
    values: Sequence[object]

    @classmethod
    def of(cls, column: Sequence[str]) -> Cells:
        """Find the distinct values of a column of texts."""
        index = {value: code for code, value in enumerate(dict.fromkeys(column))}
        return cls(np.fromiter(map(index.__getitem__, column), dtype=np.int32, count=len(column)), list(index))


def as_text(value: object) -> str | None:
    """Return the stripped text of a value, None if there is none; numbers read as a person writes them."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        return "true" if value else "false"
    elif isinstance(value, int):
        return str(value)
    elif isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    elif isinstance(value, Decimal):
        text = format(value.normalize(), "f") if value.is_finite() else str(value)
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape")
    elif isinstance(value, date):
        text = value.isoformat()
    else:
        text = str(value)
    text = text.strip()
    if not text:
        return None
    if "\0" in text:
        raise CellError("text", "contains a NUL character, which no text has; the file may be damaged")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise CellError("text", "is not in the encoding of the file; say which it is with --encoding") from None
    return text


def as_label(value: object) -> str | None:
    """Return a text that is short enough to be kept once and looked up."""
    text = as_text(value)
    if text is not None and len(text) > _LONGEST_LABEL:
        raise CellError("text", f"is {len(text):,} characters long; expected at most {_LONGEST_LABEL}")
    return text


def as_id(value: object) -> str | None:
    """Return an id as text; 17850.0, which spreadsheets make of 17850, is 17850."""
    if type(value) is int:
        return str(value)
    text = as_label(value)
    if text is not None and "." in text and _WHOLE_FLOAT.fullmatch(text):
        text = text.partition(".")[0]
    return text


def as_number(value: object) -> float | None:
    """Return a finite number, None if there is none."""
    if value is None:
        return None
    if isinstance(value, float):
        number = value
    elif isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
    elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    else:
        number = math.nan
    if not math.isfinite(number):
        raise CellError("number", "is not a finite number; expected digits with a decimal point, such as 1234.50")
    return number + 0.0  # -0.0 becomes 0.0: one value, one identity


def as_json(value: object) -> str | None:
    """Return the JSON of a value: a number if it reads as one, else text; None if there is none."""
    text = as_text(value)
    if text is None:
        return None
    if isinstance(value, bool):
        return text
    if _JSON_INTEGER.fullmatch(text):
        return str(int(text))
    if _JSON_FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return json.dumps(int(number) if number.is_integer() and abs(number) < 2**53 else number)
    return json.dumps(text, ensure_ascii=False)


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
        # Instants differ from row to row, where other cells repeat; subtracting aware datetimes takes thrice as long.
        return _microseconds(moment - _EPOCH) - _microseconds(self._zone.utcoffset(moment) or _NO_TIME)


def _microseconds(duration: timedelta) -> int:
    return (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds
