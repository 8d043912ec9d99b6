"""The rows of a file with columns that do not stand in it: their own number, and what other files say of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from store.exceptions import IngestError
from store.ingest.cells import Cells
from store.ingest.chunks import Chunk, quoted, require_columns
from store.ingest.lookup import Join, LookupTable
from store.ingest.table_file import PLAIN, FileFormat, column_names, read_chunks

__all__ = ["ROW", "FileRows", "UnmatchedKeys"]

# The name under which the number of a row is a column of every file.
ROW = ":row"


@dataclass(frozen=True, slots=True)
class UnmatchedKeys:
    """How many rows have a key that a joined file does not have, or none; its columns are empty there.

    Attributes
    ----------
    file, on : str
        The joined file and the column of the key.
    rows : int
    """

    file: str
    on: str
    rows: int


class FileRows:
    """The rows of a CSV, CSV.gz or Parquet file.

    Parameters
    ----------
    path : Path
    columns : sequence of str or None
        The columns wanted, among them perhaps `ROW`: the number of the row from 1, rows that can't be cut into cells
        included, blank lines not. None for `ROW` and all that the files have.
    file_format : FileFormat
        How CSV files are written.
    joins : sequence of Join
        Files that bring more columns, in this order; the key of one may be a column that an earlier one brings.
    leave_out : sequence of str
        Columns that are not wanted after all.

    Attributes
    ----------
    names : tuple of str
        The columns wanted, `ROW` aside; chunks may have more.

    Raises
    ------
    IngestError
        A file can't be used; a column wanted is in none of the files, or in several, so that it could be either.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str] | None,
        file_format: FileFormat = PLAIN,
        *,
        joins: Sequence[Join] = (),
        leave_out: Sequence[str] = (),
    ) -> None:
        own = column_names(path, file_format)
        if (columns is None or ROW in columns) and ROW in own:
            raise IngestError(f"{path.name} has a column “{ROW}”, as the number of a row is called. Rename the column.")
        files = [_Columns(path.name, own)]
        for join in joins:
            names = column_names(join.path, file_format)
            require_columns(join.path.name, [join.on], names)
            if not any(join.on in file.names for file in files):
                require_columns(path.name, [join.on], own)
            files.append(_Columns(join.path.name, [name for name in names if name != join.on]))
        found = [name for file in files for name in file.names] if columns is None else columns
        require_columns(path.name, leave_out, found)
        self.names = tuple(name for name in dict.fromkeys(found) if name != ROW and name not in leave_out)
        # A key is needed even where it is not wanted.
        needed = dict.fromkeys([*self.names, *(join.on for join in joins)])
        holder = {name: _find(name, files) for name in needed}
        self._path = path
        self._format = file_format
        self._is_numbered = columns is None or ROW in columns
        self._own = [name for name in needed if holder[name] is files[0]]
        self._joins = [
            (join, LookupTable(join, [name for name in needed if holder[name] is file], file_format))
            for join, file in zip(joins, files[1:], strict=True)
        ]
        self._unmatched = [0] * len(self._joins)

    def chunks(self) -> Iterator[Chunk]:
        """Read the file from its beginning, some rows at a time; the first ones have been read on return."""
        self._unmatched = [0] * len(self._joins)
        return self._completed(read_chunks(self._path, self._own, self._format))

    def unmatched(self) -> tuple[UnmatchedKeys, ...]:
        """Return, for each join, how many of the rows read since `chunks` was called found nothing there."""
        return tuple(
            UnmatchedKeys(join.path.name, join.on, n) for (join, _), n in zip(self._joins, self._unmatched, strict=True)
        )

    def _completed(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        n_before = 0
        for chunk in chunks:
            yield self._complete(chunk, n_before) if len(chunk.lines) else chunk
            n_before += chunk.n_read

    def _complete(self, chunk: Chunk, n_before: int) -> Chunk:
        whole = _numbered(chunk, n_before) if self._is_numbered else chunk
        for number, (_, table) in enumerate(self._joins):
            whole, unmatched = table.add_to(whole)
            self._unmatched[number] += unmatched
        return whole


class _Columns(NamedTuple):
    """The columns that one file can give."""

    file: str
    names: list[str]


def _find(name: str, files: Sequence[_Columns]) -> _Columns:
    """Return the one file that has a column; of a single file it is for the reader to say what it has."""
    if len(files) == 1:
        return files[0]
    holders = [file for file in files if name in file.names]
    if not holders:
        there = "; ".join(f"{file.file}: {quoted(file.names)}" for file in files)
        raise IngestError(f"None of the files has a column “{name}”. The columns they have: {there}.")
    if len(holders) > 1:
        both = " and ".join(file.file for file in holders)
        raise IngestError(
            f"{both} have a column “{name}” each, so that it could mean either. Rename it in one of them, or leave it "
            "out."
        )
    return holders[0]


def _numbered(chunk: Chunk, n_before: int) -> Chunk:
    """Add the numbers of rows: a row that is repaired must shift no other, so broken ones count too."""
    broken = np.array([rejection.line for rejection in chunk.broken], dtype=np.int64)
    n = len(chunk.lines)
    numbers = n_before + 1 + np.arange(n) + np.searchsorted(broken, chunk.lines)
    cells = Cells(np.arange(n, dtype=np.int32), numbers.tolist())
    return replace(chunk, columns={**chunk.columns, ROW: cells})
