"""What was learnt of customers themselves: attributes, in versions by when they were learnt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.ragged import join_columns, join_offsets, keep_rows, recode, take_rows

__all__ = ["ALWAYS_KNOWN", "AttributeColumn", "AttributeKind", "Attributes", "as_date", "as_number", "as_text"]

AttributeKind = Literal["number", "category", "date"]

ALWAYS_KNOWN = 0  # learnt_at of what came without a date

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class AttributeColumn:
    """All versions of one attribute, in order of customer, then learnt_at.

    Attributes
    ----------
    kind : {"number", "category", "date"}
    offsets : int64, length n_customers + 1
        Versions of customer i are `offsets[i]:offsets[i + 1]`.
    learnt_at : int64
        Microseconds since 1970-01-01 UTC, ascending within a customer; 0 for what was always known.
    values : float64
        The number; of a date its days since 1970-01-01; of a category its index into `texts`.
    texts : tuple of str
        Categories, ascending; none of the other kinds.
    """

    kind: AttributeKind
    offsets: NDArray[np.int64]
    learnt_at: NDArray[np.int64]
    values: NDArray[np.float64]
    texts: tuple[str, ...] = ()

    def at(self, as_of: int) -> NDArray[np.float64]:
        """Return each customer's value as last learnt before an instant, length n_customers; NaN without one."""
        return _latest(self.offsets, self.learnt_at, self.values, as_of)

    def before(self, as_of: int) -> AttributeColumn:
        """Return the versions learnt before an instant, of all customers."""
        known = self.learnt_at < as_of
        return replace(
            self,
            offsets=keep_rows(self.offsets, known),
            learnt_at=self.learnt_at[known],
            values=self.values[known],
        )

    def take(self, customers: Sequence[int] | NDArray[np.int64]) -> AttributeColumn:
        """Return the versions of the customers at these positions, in this order."""
        offsets, versions = take_rows(self.offsets, customers)
        return replace(self, offsets=offsets, learnt_at=self.learnt_at[versions], values=self.values[versions])

    def as_categories(self) -> AttributeColumn:
        """Return the same versions as categories: what files of different kinds have in common is their text."""
        if self.kind == "category":
            return self
        write = as_text if self.kind == "number" else _date_text
        different, code = np.unique(self.values, return_inverse=True)
        written = [write(value) for value in different.tolist()]
        texts = tuple(sorted(set(written)))
        values = recode(code, written, texts).astype(np.float64)
        return replace(self, kind="category", values=values, texts=texts)


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """Attributes of some customers.

    Attributes
    ----------
    columns : mapping of name to AttributeColumn
        Names ascending; each column has all customers, most of them perhaps without a version.
    n_customers : int
    """

    columns: Mapping[str, AttributeColumn]
    n_customers: int

    @classmethod
    def empty(cls, n_customers: int) -> Attributes:
        """Return the attributes of customers of whom nothing was learnt."""
        return cls(MappingProxyType({}), n_customers)

    def before(self, as_of: int) -> Attributes:
        """Return what was learnt before an instant, of all customers."""
        return replace(self, columns={name: column.before(as_of) for name, column in self.columns.items()})

    def take(self, customers: Sequence[int] | NDArray[np.int64]) -> Attributes:
        """Return the attributes of the customers at these positions, in this order."""
        return Attributes({name: column.take(customers) for name, column in self.columns.items()}, len(customers))

    @classmethod
    def concatenate(cls, parts: Sequence[Attributes]) -> Attributes:
        """Join the attributes of different customers, one part after another.

        An attribute that is of one kind here and of another there is a category throughout.
        """
        names = sorted({name for part in parts for name in part.columns})
        return cls(
            {name: _join([part.columns.get(name) for part in parts], parts) for name in names},
            sum(part.n_customers for part in parts),
        )


def as_number(text: str) -> float | None:
    """Read a category as the number that `as_text` writes so; None if it is not the text of one.

    Examples
    --------
    >>> as_number("34"), as_number("-0.5"), as_number("007"), as_number("nan")
    (34.0, -0.5, None, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and as_text(number) == text else None


def as_text(number: float) -> str:
    """Write a finite number as a category: the shortest text that reads as the same number.

    Examples
    --------
    >>> as_text(34.0), as_text(-0.5)
    ('34', '-0.5')
    """
    return str(int(number)) if number.is_integer() else repr(number)


def as_date(text: str) -> int | None:
    """Read a category YYYY-MM-DD as days since 1970-01-01; None if it is none.

    Examples
    --------
    >>> as_date("1970-01-31"), as_date("31 January")
    (30, None)
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return (day - _EPOCH).days if day.isoformat() == text else None


def _date_text(day: float) -> str:
    return (_EPOCH + timedelta(days=int(day))).isoformat()


def _join(columns: Sequence[AttributeColumn | None], parts: Sequence[Attributes]) -> AttributeColumn:
    kinds = {column.kind for column in columns if column is not None}
    given = [
        _without_versions(part.n_customers) if column is None else column if len(kinds) == 1 else column.as_categories()
        for column, part in zip(columns, parts, strict=True)
    ]
    kind = kinds.pop() if len(kinds) == 1 else "category"
    texts = tuple(sorted({text for column in given for text in column.texts}))
    values = [column.values if kind != "category" else _recoded(column, texts) for column in given]
    return AttributeColumn(
        kind,
        join_offsets([column.offsets for column in given]),
        join_columns([column.learnt_at for column in given], np.int64),
        join_columns(values, np.float64),
        texts,
    )


def _without_versions(n_customers: int) -> AttributeColumn:
    offsets = np.zeros(n_customers + 1, dtype=np.int64)
    return AttributeColumn("category", offsets, np.empty(0, dtype=np.int64), np.empty(0))


def _recoded(column: AttributeColumn, texts: tuple[str, ...]) -> NDArray[np.float64]:
    return recode(column.values.astype(np.int64), column.texts, texts).astype(np.float64)


@njit(cache=True)
def _latest(
    offsets: NDArray[np.int64], learnt_at: NDArray[np.int64], values: NDArray[np.float64], as_of: int
) -> NDArray[np.float64]:
    out = np.full(len(offsets) - 1, np.nan)
    for customer in range(len(out)):
        for version in range(offsets[customer + 1] - 1, offsets[customer] - 1, -1):
            if learnt_at[version] < as_of:
                out[customer] = values[version]
                break
    return out
