"""What kind of attribute a column of a customer file is, and how its cells are kept."""

from __future__ import annotations

import re
from datetime import date, datetime

from store.ingest.cells import Cells, as_number, as_text
from store.ingest.rejections import CellError

__all__ = ["AttributeValue", "KindFinder", "attribute_value"]

# Kind, number and text, as `customer_attribute` has them.
AttributeValue = tuple[str, float | None, str | None]

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?", re.ASCII)


class KindFinder:
    """Finds the kind of one column: number or date if all its cells are, else category."""

    def __init__(self) -> None:
        self._may_be_number = True
        self._may_be_date = True
        self._has_values = False

    def look_at(self, cells: Cells) -> None:
        """Take more cells of the column into account; those that are not even text are left to be rejected."""
        for value in cells.values:
            try:
                text = as_text(value)
            except CellError:
                continue
            if text is None:
                continue
            self._has_values = True
            self._may_be_number = self._may_be_number and _is_number(value)
            self._may_be_date = self._may_be_date and _date_of(value) is not None

    @property
    def kind(self) -> str:
        """`number`, `date` or `category`."""
        if not self._has_values:
            return "category"
        return "number" if self._may_be_number else "date" if self._may_be_date else "category"


def attribute_value(kind: str, value: object) -> tuple[float | None, str | None] | None:
    """Return number and text of an attribute as stored, None for a missing one.

    A date is kept as YYYY-MM-DD; a time of day is dropped. Raises `CellError` for what is not even text.
    """
    text = as_text(value)
    if text is None:
        return None
    if kind == "number":
        return as_number(value), None
    return None, _date_of(value) if kind == "date" else text


def _is_number(value: object) -> bool:
    try:
        return as_number(value) is not None
    except CellError:
        return False


def _date_of(value: object) -> str | None:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = value.strip() if isinstance(value, str) else ""
    if not _ISO_DATE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        return None
