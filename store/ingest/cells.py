"""Cells of a column, each distinct value once, and what a single cell means as text, id or number.

Columns repeat themselves (customers, products, prices, dates), so each distinct value is judged once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from store.ingest.rejections import CellError

__all__ = ["LARGEST_AMOUNT", "TOO_LARGE", "Cells", "as_amount", "as_id", "as_json", "as_label", "as_number", "as_text"]

# Of pieces or of money, either way. Squares of sums of larger ones would leave the range of numbers, and one such order
# would stop the scoring of everybody.
LARGEST_AMOUNT = 1e12
TOO_LARGE = f"too large; expected at most {LARGEST_AMOUNT:,.0f}"

_LONGEST_LABEL = 255

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# Leading zeros are kept as text: "007" is a name, not a number.
_JSON_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_JSON_FLOAT = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE_FLOAT = re.compile(r"-?\d+\.0+", re.ASCII)


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


def as_amount(value: object) -> float | None:
    """Return a number of pieces or of money, None if there is none."""
    number = as_number(value)
    if number is not None and abs(number) > LARGEST_AMOUNT:
        raise CellError("number", f"is {TOO_LARGE}")
    return number


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
