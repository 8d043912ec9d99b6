"""Reads the columns of a chunk and notes, row by row, the first thing that is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.ingest.cells import as_amount
from store.ingest.chunks import Chunk
from store.ingest.rejections import CellError, Rejection
from store.ingest.texts import Texts

__all__ = ["ColumnReader", "Screening", "required"]

# Takes the distinct values of a column; returns the integers of those that it can read, and which these are.
ColumnReader = Callable[[Sequence[object]], tuple[NDArray[np.int64], NDArray[np.bool_]]]


class Screening:
    """The rows of a chunk, as far as they have been found fit.

    Parameters
    ----------
    chunk : Chunk

    Attributes
    ----------
    fit : bool, one a row
        Whether nothing wrong was found yet.
    rejections : list of Rejection
        One for each row that is not fit: the first thing found.
    """

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self.fit = np.ones(len(chunk.lines), dtype=np.bool_)
        self.rejections: list[Rejection] = []

    def __len__(self) -> int:
        return len(self.fit)

    def objects(self, column: str, convert: Callable[[Any], Any]) -> list[Any]:
        """Convert a column, each distinct value once; None where there is no value, or a wrong one."""
        codes, converted = self._converted(column, convert)
        return [converted[code] for code in codes.tolist()]

    def texts(self, column: str | None, convert: Callable[[Any], str | None]) -> Texts:
        """Convert a column to texts; none where there is no column, no value, or a wrong one."""
        return Texts.none(len(self)) if column is None else Texts.of(*self._converted(column, convert))

    def integers(
        self, column: str, convert: Callable[[Any], int], at_once: ColumnReader | None = None
    ) -> NDArray[np.int64]:
        """Convert a column to integers, one by one what can't be read at once; 0 where a value is wrong."""
        cells = self._chunk.columns[column]
        n = len(cells.values)
        numbers, is_read = at_once(cells.values) if at_once else (np.zeros(n, np.int64), np.zeros(n, np.bool_))
        left = np.flatnonzero(~is_read).tolist()
        converted = self._convert(column, left, [cells.values[code] for code in left], convert)
        numbers[left] = [0 if number is None else number for number in converted]
        return numbers[cells.codes]

    def numbers(self, column: str | None, convert: Callable[[Any], float | None] = as_amount) -> NDArray[np.float64]:
        """Convert a column to numbers, amounts by default; NaN where there is no column, no value, or a wrong one."""
        if column is None:
            return np.full(len(self), np.nan)
        codes, converted = self._converted(column, convert)
        return np.array([math.nan if number is None else number for number in converted], dtype=np.float64)[codes]

    def reject(self, rows: NDArray[np.bool_], column: str, code: str, reason: str) -> None:
        """Reject the rows marked, those already rejected aside."""
        error = CellError(code, reason)
        for row in np.flatnonzero(rows & self.fit).tolist():
            self._reject(row, column, error)

    def _converted(self, column: str, convert: Callable[[Any], Any]) -> tuple[NDArray[np.int32], list[Any]]:
        """Return the codes of a column, and what each stands for; reject the rows whose value is wrong."""
        cells = self._chunk.columns[column]
        return cells.codes, self._convert(column, range(len(cells.values)), cells.values, convert)

    def _convert(
        self, column: str, codes: Iterable[int], values: Iterable[object], convert: Callable[[Any], Any]
    ) -> list[Any]:
        """Return what some codes of a column stand for; reject the rows whose value is wrong."""
        converted: list[Any] = []
        wrong: dict[int, CellError] = {}
        for code, value in zip(codes, values, strict=True):
            try:
                converted.append(convert(value))
            except CellError as error:
                converted.append(None)
                wrong[code] = error
        if wrong:
            cells = self._chunk.columns[column]
            is_wrong = np.zeros(len(cells.values), dtype=np.bool_)
            is_wrong[list(wrong)] = True
            for row in np.flatnonzero(is_wrong[cells.codes] & self.fit).tolist():
                self._reject(row, column, wrong[int(cells.codes[row])])
        return converted

    def _reject(self, row: int, column: str, error: CellError) -> None:
        cells = self._chunk.columns[column]
        value = cells.values[int(cells.codes[row])]
        if isinstance(value, str) and not value.strip():
            value = None
        self.fit[row] = False
        self.rejections.append(Rejection.of(int(self._chunk.lines[row]), column, value, error.code, error.reason))


def required(convert: Callable[[Any], Any], code: str) -> Callable[[Any], Any]:
    """Wrap a conversion so that a missing value is wrong too."""

    def converted(value: object) -> object:
        found = convert(value)
        if found is None:
            raise CellError(code, "is empty, but every row needs one")
        return found

    return converted
