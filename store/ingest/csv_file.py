"""Reads CSV, plain or compressed with gzip, in bounded memory and with exact lines."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from store.exceptions import IngestError
from store.ingest.cells import Cells
from store.ingest.chunks import ROWS_A_CHUNK, Chunk, require_columns
from store.ingest.rejections import Rejection

__all__ = ["csv_columns", "read_csv"]

_BLOCK = 1 << 18  # characters
_LONGEST_LINE = 1 << 20
_CUT = "\0"  # stands for the middle of a line longer than any real row, whose cells are then of no use
_BLOCKS_KEPT = 8
# Each record is a list. Many of them at once would let Python's garbage collector walk through them again and again.
_RECORDS_AT_ONCE = 512
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
        records = _records(path, raw, delimiter, encoding)
        header = records.header(path.name)
        positions = _positions(path.name, header, columns)
        while not records.at_end:
            yield records.chunk(len(header), positions, lambda: min(raw.tell() / size, 1.0))


def csv_columns(path: Path, *, delimiter: str, encoding: str) -> list[str]:
    """Return the names of the columns of a CSV file, those without one left out."""
    with path.open("rb") as raw:
        header = _records(path, raw, delimiter, encoding).header(path.name)
    return [name.strip() for name in header if name.strip()]


def _records(path: Path, raw: Any, delimiter: str, encoding: str) -> _Records:
    stream = gzip.GzipFile(fileobj=raw) if path.name.lower().endswith(".gz") else raw
    return _Records(_Lines(stream, encoding), delimiter)


def _positions(file: str, header: list[str], columns: Sequence[str] | None) -> dict[str, int]:
    """Return where the wanted columns stand."""
    present = [name.strip() for name in header]
    other = next((found for found in ";\t|," if len(present) == 1 and found in present[0]), None)
    hint = f"If cells are separated by {other!r}, say so with --delimiter." if other else ""
    wanted = [name for name in present if name] if columns is None else columns
    require_columns(file, wanted, present, hint)
    return {name: present.index(name) for name in wanted}


class _Lines:
    """The lines of a stream, with their ends, in blocks; the latest are kept, to be read again.

    A record that a stray quote has swallowed is read again from its second line on. It rarely spans more than two
    blocks, since the `csv` module gives up on a cell longer than half a block.
    """

    def __init__(self, stream: Any, encoding: str) -> None:
        self._stream = stream
        # Bytes that are not in the encoding become lone surrogates, which cost only the rows that they stand in.
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="surrogateescape")
        self._kept: deque[tuple[int, list[str]]] = deque(maxlen=_BLOCKS_KEPT)  # number of the first line, lines
        self._rest = ""
        self._ended = False
        self._number = 0  # of the last line read
        self.damage: str | None = None

    @property
    def earliest(self) -> int:
        """Number of the first line that can still be read again."""
        return self._kept[0][0] if self._kept else 1

    def from_line(self, number: int) -> Iterator[str]:
        """Feed the lines from this one on."""
        return itertools.chain.from_iterable(self._blocks_from(number))

    def text(self, number: int, n_lines: int = 1) -> str:
        """Return some of the latest lines without the last line's end."""
        return "".join(itertools.islice(self.from_line(number), n_lines)).rstrip("\r\n")

    def _blocks_from(self, number: int) -> Iterator[list[str]]:
        while True:
            while number > self._number and not self._ended:
                self._read_block()
            if number > self._number:
                return
            first, lines = next((first, lines) for first, lines in self._kept if number < first + len(lines))
            yield lines[number - first :] if number > first else lines
            number = first + len(lines)

    def _read_block(self) -> None:
        lines = io.StringIO(self._whole_lines(), newline="").readlines()
        if lines:
            self._kept.append((self._number + 1, lines))
            self._number += len(lines)

    def _whole_lines(self) -> str:
        """Read on to the end of a line at least, and leave what has begun after it for the next time."""
        parts, size = [self._rest], len(self._rest)
        while not self._ended:
            try:
                # One piece at a time: what comes before damage must not be lost with it.
                read = self._stream.read1(_BLOCK)
                part = self._decoder.decode(read, final=not read)
            except _DAMAGE as error:
                self.damage = f"it is damaged or ends in the middle, after line {self._number:,} ({error})"
                # What stands behind the last line's end may have lost its own end, so it is no row.
                read, part, parts, size = b"", "", [], 0
            self._ended = not read
            end = max(part.rfind("\n"), part.rfind("\r", 0, -1)) + 1
            if end and not self._ended:
                self._rest = part[end:]
                return "".join([*parts, part[:end]])
            if size < _LONGEST_LINE:
                parts.append(part)
            elif parts[-1] != _CUT:
                parts.append(_CUT)
            size += len(part)
        self._rest = ""
        return "".join(parts)


class _Records:
    """The records of a CSV file, cut into cells; quoted cells may hold line breaks."""

    def __init__(self, lines: _Lines, delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._cut_off: str | None = None
        self.at_end = False
        self._begin(1)

    @property
    def damage(self) -> str | None:
        """What is wrong with the file's end, if anything."""
        return self._lines.damage or self._cut_off

    def header(self, file: str) -> list[str]:
        """Return the cells of the first record; raise `IngestError` if it has none that can be read."""
        try:
            header = next((record for record in self._reader if record), None)
        except csv.Error as error:
            raise IngestError(f"The header of {file} can't be read: {error}.") from error
        if header is None:
            raise IngestError(f"{file} has no header{f': {self.damage}' if self.damage else ''}.")
        return header

    def chunk(self, width: int, positions: dict[str, int], done: Callable[[], float]) -> Chunk:
        """Read the next rows: those with as many cells as the header, and the others as rejections."""
        columns: dict[str, list[str]] = {name: [] for name in positions}
        at: list[int] = []
        broken: list[Rejection] = []
        while not self.at_end and len(at) + len(broken) < ROWS_A_CHUNK:
            reader, offset = self._reader, self._offset
            last = offset + reader.line_num
            room = min(_RECORDS_AT_ONCE, ROWS_A_CHUNK - len(at) - len(broken))
            rows: list[list[str]] = []
            try:
                for record in itertools.islice(reader, room):
                    room -= 1
                    if len(record) == width:
                        rows.append(record)
                        at.append(last + 1)
                    elif record:
                        broken.append(self._wrong_width(last + 1, record, width))
                    last = offset + reader.line_num
                self.at_end = room > 0
            except csv.Error as error:
                broken.append(self._broken_quotes(last + 1, error))
                self._begin(last + 2)
            for name, position in positions.items():
                columns[name] += map(itemgetter(position), rows)
        lines, cells = np.array(at, dtype=np.int64), {name: Cells.of(column) for name, column in columns.items()}
        return Chunk(lines, cells, broken, done(), self.damage if self.at_end else None)

    def _begin(self, line: int) -> None:
        """Read on from this line."""
        line = max(line, self._lines.earliest)
        self._offset = line - 1
        # Strict, so that a quote that is never closed is seen.
        self._reader = csv.reader(self._lines.from_line(line), delimiter=self._delimiter, strict=True)

    def _wrong_width(self, line: int, record: list[str], width: int) -> Rejection:
        n_lines = self._offset + self._reader.line_num - line + 1
        text = self._lines.text(line, n_lines)
        if len(record) < width:
            self._note_cut_off(line + n_lines - 1)
        return Rejection.of(line, "", text, "fields", f"has {len(record)} cells where the header has {width}")

    def _broken_quotes(self, line: int, error: csv.Error) -> Rejection:
        self._note_cut_off(line)
        reason = f"has a quote that is never closed, or that closes within a cell ({error})"
        return Rejection.of(line, "", self._lines.text(line), "fields", reason)

    def _note_cut_off(self, line: int) -> None:
        """Note that a line is no whole row; only if it is the last one does that say anything of the file."""
        if next(self._lines.from_line(line + 1), None) is None:
            self._cut_off = f"it ends in the middle: its last line, {line:,}, is no whole row"
