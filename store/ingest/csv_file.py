"""Reads CSV, plain or compressed with gzip, in bounded memory and with exact lines."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from store.exceptions import IngestError
from store.ingest.cells import Cells
from store.ingest.chunks import ROWS_A_CHUNK, Chunk, require_columns
from store.ingest.rejections import Rejection

__all__ = ["read_csv"]

_LONGEST_LINE = 1 << 20
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, UnicodeError)


def read_csv(path: Path, columns: Sequence[str] | None, *, delimiter: str, encoding: str) -> Iterator[Chunk]:
    """Read a CSV file some rows at a time.

    Parameters
    ----------
    path : Path
        The file; compressed if its name ends in `.gz`.
    columns : sequence of str or None
        The columns wanted; None for all.
    delimiter : str
        What stands between cells.
    encoding : str
        A byte order mark is skipped.

    Yields
    ------
    Chunk
        At least one. Blank lines are skipped and not counted as rows.

    Raises
    ------
    IngestError
        Without anything yielded, if the header can't be used.
    """
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        lines = _Lines(_decoded(raw, compressed=path.name.lower().endswith(".gz"), encoding=encoding))
        records = _Records(lines, delimiter)
        header = _header(path.name, records, columns, delimiter)
        while True:
            chunk = records.chunk(header, lambda: min(raw.tell() / size, 1.0))
            yield chunk
            if records.at_end:
                return


def _decoded(raw: BinaryIO, *, compressed: bool, encoding: str) -> io.TextIOWrapper:
    # Bytes that are not in the encoding become lone surrogates, which cost only the rows that they stand in.
    stream = gzip.GzipFile(fileobj=raw) if compressed else raw
    return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")


class _Header:
    """Where the wanted columns stand."""

    def __init__(self, width: int, positions: dict[str, int]) -> None:
        self.width = width
        self.positions = positions


def _header(file: str, records: _Records, columns: Sequence[str] | None, delimiter: str) -> _Header:
    record = records.next_record()
    if record is None:
        if records.damage is not None:
            raise IngestError(f"{file} can't be read: {records.damage}.")
        raise IngestError(f"{file} has no header: its first line should name the columns.")
    if isinstance(record, Rejection):
        raise IngestError(f"{file} has no header that can be read: line {record.line} {record.reason}.")
    present = [name.strip() for name in record]
    other = [
        found for found in (";", "\t", "|", ",") if found != delimiter and len(present) == 1 and found in present[0]
    ]
    hint = f"If cells are separated by {other[0]!r}, say so with --delimiter." if other else ""
    wanted = [name for name in present if name] if columns is None else columns
    require_columns(file, wanted, present, hint)
    return _Header(len(present), {name: present.index(name) for name in wanted})


class _Lines:
    """Feeds the lines of a stream to a `csv.reader`, and takes back what a broken record has swallowed."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self._returned: deque[str] = deque()
        self.number = 0  # of the last line fed
        self.record: list[str] = []  # lines fed since the record began
        self.damage: str | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self.record.append(line)
        return line

    def take_back_all_but_first(self) -> None:
        """Feed the lines of the present record again, but for its first."""
        self._returned.extendleft(reversed(self.record[1:]))
        self.number -= len(self.record) - 1
        del self.record[1:]

    def has_more(self) -> bool:
        """Whether there is another line."""
        if not self._returned and (line := self._read()):
            self._returned.append(line)
        return bool(self._returned)

    def _read(self) -> str:
        if self.damage is not None:
            return ""
        try:
            line = rest = self._stream.readline(_LONGEST_LINE)
            while len(rest) == _LONGEST_LINE and not rest.endswith("\n"):
                # No row of a real file is that long: its end is dropped, and its cells will be too long as well.
                rest = self._stream.readline(_LONGEST_LINE)
        except _DAMAGE as error:
            self.damage = f"it is damaged or ends in the middle, after line {self.number:,} ({error})"
            return ""
        return line


class _Records:
    """The records of a CSV file, cut into cells; quoted cells may hold line breaks."""

    def __init__(self, lines: _Lines, delimiter: str) -> None:
        self._lines = lines
        # Strict, so that a quote that is never closed is seen.
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self._start = 0
        self.at_end = False

    @property
    def damage(self) -> str | None:
        """What is wrong with the file's end, if anything."""
        return self._lines.damage

    def next_record(self) -> list[str] | Rejection | None:
        """Return the cells of the next record, a rejection if its quotes are broken, None at the end."""
        lines = self._lines
        while True:
            lines.record.clear()
            self._start = lines.number + 1
            try:
                record = next(self._reader)
            except StopIteration:
                self.at_end = True
                return None
            except csv.Error as error:
                lines.take_back_all_but_first()
                reason = f"has a quote that is never closed, or closes within a cell ({error})"
                return Rejection.of(self._start, "", lines.record[0].rstrip("\r\n"), "fields", reason)
            if record:
                return record

    def chunk(self, header: _Header, done: Callable[[], float]) -> Chunk:
        """Read the next rows."""
        rows: list[list[str]] = []
        at: list[int] = []
        broken: list[Rejection] = []
        while len(rows) + len(broken) < ROWS_A_CHUNK:
            record = self.next_record()
            if record is None:
                break
            if isinstance(record, list) and len(record) == header.width:
                rows.append(record)
                at.append(self._start)
                continue
            broken.append(record if isinstance(record, Rejection) else self._wrong_width(record, header.width))
            if not self._lines.has_more() and self._lines.damage is None and self._is_cut_off(record, header.width):
                self._lines.damage = (
                    f"it ends in the middle: its last line, {self._start:,}, is no whole row of {header.width} cells"
                )
        columns = {name: Cells.of(list(map(itemgetter(i), rows))) for name, i in header.positions.items()}
        lines = np.array(at, dtype=np.int64)
        return Chunk(lines, columns, broken, done(), self._lines.damage if self.at_end else None)

    def _wrong_width(self, record: list[str], width: int) -> Rejection:
        text = "".join(self._lines.record).rstrip("\r\n")
        reason = f"has {len(record)} cells where the header has {width}"
        return Rejection.of(self._start, "", text, "fields", reason)

    @staticmethod
    def _is_cut_off(record: list[str] | Rejection, width: int) -> bool:
        return isinstance(record, Rejection) or len(record) < width
