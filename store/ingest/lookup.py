"""Lookup tables: files with one row a key, whose columns are brought to the rows of another file that have the key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.exceptions import IngestError
from store.ingest.cells import Cells, as_id
from store.ingest.chunks import Chunk
from store.ingest.rejections import CellError
from store.ingest.screening import Screening
from store.ingest.table_file import FileFormat, read_chunks
from store.ingest.texts import Texts

__all__ = ["Join", "LookupTable"]

_MOST_ROWS = 5_000_000


@dataclass(frozen=True, slots=True)
class Join:
    """Which file is looked up, and by what.

    Attributes
    ----------
    path : Path
    on : str
        Column that holds the key in both files. Keys are compared as ids are: 17850.0 is 17850.
    """

    path: Path
    on: str


class LookupTable:
    """Some columns of a file by its key, read once and held in memory: four bytes a cell, and each distinct value once.

    Parameters
    ----------
    join : Join
    columns : sequence of str
        The columns to bring.
    file_format : FileFormat
        How it is written, if it is CSV.

    Raises
    ------
    IngestError
        The file can't be read to its end, a row of it can't be used, a key stands twice, or it has more than 5,000,000
        rows.
    """

    def __init__(self, join: Join, columns: Sequence[str], file_format: FileFormat) -> None:
        self._join = join
        self._row_of_key: dict[str, int] = {}
        self._columns = {name: _Column() for name in columns}
        n_rows = 0
        for chunk in read_chunks(join.path, (join.on, *columns), file_format):
            self._read(chunk, n_rows)
            n_rows += len(chunk.lines)
            if n_rows > _MOST_ROWS:
                raise IngestError(
                    f"{join.path.name} has more than {_MOST_ROWS:,} rows, and a file that is joined is held in memory. "
                    "Join the two before they are ingested."
                )
        for column in self._columns.values():
            column.complete()

    def add_to(self, chunk: Chunk) -> tuple[Chunk, int]:
        """Return a chunk with these columns too, and how many of its rows have a key that is not in the table."""
        keys = chunk.columns[self._join.on]
        rows = np.array([self._row_of_key.get(_key(value), -1) for value in keys.values], dtype=np.int64)
        brought = {name: column.cells(rows, keys.codes) for name, column in self._columns.items()}
        return replace(chunk, columns={**chunk.columns, **brought}), int(np.count_nonzero((rows < 0)[keys.codes]))

    def _read(self, chunk: Chunk, n_before: int) -> None:
        name, on = self._join.path.name, self._join.on
        if chunk.damage is not None:
            raise IngestError(f"{name} can't be joined: {chunk.damage}. Copy the file again.")
        rows = Screening(chunk)
        keys = rows.texts(on, as_id) if len(rows) else Texts.none(0)
        for rejection in [*chunk.broken, *rows.rejections][:1]:
            what = f"{on} {rejection.value!r}" if rejection.column else "row"
            raise IngestError(f"{name} can't be joined: in line {rejection.line:,} the {what} {rejection.reason}.")
        for row, key in enumerate(keys.tolist()):
            # A row without a key is nobody's.
            if key is not None and self._row_of_key.setdefault(key, n_before + row) != n_before + row:
                raise IngestError(
                    f"{name} has the {on} “{key}” more than once, again in line {chunk.lines[row]:,}. Expected one row "
                    "for each, since a row that is ingested takes the columns of one."
                )
        if len(rows):
            for column_name, column in self._columns.items():
                column.add(chunk.columns[column_name])


class _Column:
    """One column of the table: the code of each row, and what codes stand for."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.int32]] = []
        self._codes = np.empty(0, dtype=np.int32)
        self._index: dict[Any, int] = {}
        self._values: list[object] = []

    def add(self, cells: Cells) -> None:
        """Append the cells of more rows."""
        codes = [self._index.setdefault(value, len(self._index)) for value in cells.values]
        self._parts.append(np.array(codes, dtype=np.int32)[cells.codes])

    def complete(self) -> None:
        """Make ready to be looked up in: nothing is appended after that."""
        # Row -1, the last, is that of keys that are not there.
        missing = np.array([len(self._index)], dtype=np.int32)
        self._codes = np.concatenate([*self._parts, missing])
        self._values = [*self._index, None]
        self._parts.clear()
        self._index.clear()

    def cells(self, rows: NDArray[np.int64], codes: NDArray[np.int32]) -> Cells:
        """Return the cells of table rows, one for each code of a key, with no value that none of them has."""
        used, found = np.unique(self._codes[rows], return_inverse=True)
        return Cells(found.astype(np.int32)[codes], [self._values[code] for code in used.tolist()])


def _key(value: object) -> str:
    """Return a key, empty (as none in a table is) for a missing one or one that is not even text."""
    try:
        return as_id(value) or ""
    except CellError:
        return ""
