"""A column of texts, each distinct one kept once: what is the same for all rows of a text is done once for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Texts", "distinct_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """One column of some rows.

    Attributes
    ----------
    codes : int32, one a row
        Index into `values`; -1 for none.
    values : tuple of str
        Distinct texts, among them all that the rows have.
    """

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    @classmethod
    def of(cls, codes: NDArray[np.integer], converted: Iterable[str | None]) -> Self:
        """Make a column of codes whose texts, None for none, may stand several times."""
        index: dict[str, int] = {}
        merged = [-1 if text is None else index.setdefault(text, len(index)) for text in converted]
        return cls(np.array(merged, dtype=np.int32)[codes], tuple(index))

    @classmethod
    def none(cls, n: int) -> Self:
        """Make a column without any text."""
        return cls(np.full(n, -1, dtype=np.int32), ())

    @classmethod
    def same(cls, text: str, n: int) -> Self:
        """Make a column of one text."""
        return cls(np.zeros(n, dtype=np.int32), (text,))

    @classmethod
    def joined(cls, columns: Sequence[Texts]) -> Self:
        """Make one column of several, one after another."""
        index: dict[str, int] = {}
        codes = [
            np.array([*(index.setdefault(text, len(index)) for text in column.values), -1], np.int32)[column.codes]
            for column in columns
        ]
        return cls(np.concatenate(codes), tuple(index))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def given(self) -> NDArray[np.bool_]:
        """Which rows have a text."""
        return self.codes >= 0

    def take(self, rows: slice | NDArray[Any]) -> Self:
        """Return some of the rows."""
        return type(self)(self.codes[rows], self.values)

    def tolist(self) -> list[str | None]:
        """Return the text of each row."""
        # Not by a list of the texts with None at its end: a few rows of many may be asked for.
        values = self.values
        return [values[code] if code >= 0 else None for code in self.codes.tolist()]

    def where(self, test: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Say of each row whether it has a text that passes a test."""
        passes = np.zeros(len(self.values) + 1, dtype=np.bool_)
        passes[:-1] = [test(text) for text in self.values]
        return passes[self.codes]

    def map(self, convert: Callable[[str], str | None]) -> Self:
        """Return what a conversion makes of each text."""
        return type(self).of(self.codes, [*map(convert, self.values), None])

    def replace(self, rows: NDArray[np.bool_], text: str) -> Self:
        """Return the column with one text in the rows marked."""
        if not rows.any():
            return self
        values = self.values if text in self.values else (*self.values, text)
        return type(self)(np.where(rows, np.int32(values.index(text)), self.codes), values)

    def ascending(self) -> Self:
        """Return the same column with its values in code-point order, so that codes compare as the texts do."""
        order = sorted(range(len(self.values)), key=self.values.__getitem__)
        rank = np.full(len(order) + 1, -1, dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        return type(self)(rank[self.codes], tuple(self.values[code] for code in order))


def distinct_rows(columns: Sequence[Texts]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find which rows are equal in all columns.

    Parameters
    ----------
    columns : sequence of Texts, at least one, each of n rows

    Returns
    -------
    group : intp, length n
        The same number, from 0, for equal rows only.
    first : intp, one a group
        The first row of each group.
    """
    group = np.zeros(len(columns[0]), dtype=np.int64)
    first = np.empty(0, dtype=np.intp)
    for column in columns:
        # Groups are numbered anew after each column, so that no product of sizes outgrows 64 bits.
        _, first, group = np.unique(
            group * (len(column.values) + 1) + (column.codes + 1), return_index=True, return_inverse=True
        )
    return group, first
