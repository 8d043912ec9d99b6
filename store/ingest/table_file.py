"""Opens a file of rows, whatever its kind, after a look at whether it is what its name says."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from store.exceptions import IngestError
from store.ingest.chunks import Chunk
from store.ingest.csv_file import csv_columns, read_csv
from store.ingest.parquet_file import parquet_columns, read_parquet

__all__ = ["PLAIN", "FileFormat", "column_names", "file_hash", "read_chunks"]

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_KNOWN_BEGINNINGS = {
    _GZIP: "a gzip file",
    _PARQUET: "a Parquet file",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
}
_SAMPLE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter : str
        The one character between cells.
    encoding : str
        Any that Python knows.
    """

    delimiter: str = ","
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        """Refuse what no file is written in."""
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n\0 ' or not self.delimiter.isascii():
            raise IngestError(f"Expected one character such as ';' as delimiter, got {self.delimiter!r}.")
        try:
            name = codecs.lookup(self.encoding).name
            "a".encode(self.encoding)
        except (LookupError, ValueError):
            raise IngestError(
                f"There is no encoding {self.encoding!r}; expected one such as utf-8, latin-1 or utf-16."
            ) from None
        # As Python names it; a byte order mark before UTF-8 is never part of the first column's name.
        object.__setattr__(self, "encoding", "utf-8-sig" if name == "utf-8" else name)


PLAIN = FileFormat()


def read_chunks(path: Path, columns: Sequence[str] | None, file_format: FileFormat = PLAIN) -> Iterator[Chunk]:
    """Read a CSV, CSV.gz or Parquet file some rows at a time.

    Parameters
    ----------
    path : Path
    columns : sequence of str or None
        The columns wanted; None for all.
    file_format : FileFormat
        For CSV.

    Returns
    -------
    iterator of Chunk
        The first one has been read already.

    Raises
    ------
    IngestError
        At once, if the file is not what its name says, is empty or has no rows, or lacks a column.
    """
    _check(path, file_format)
    if path.name.lower().endswith(".parquet"):
        chunks = read_parquet(path, columns)
    else:
        chunks = read_csv(path, columns, delimiter=file_format.delimiter, encoding=file_format.encoding)
    first = next(chunks)
    if not first.n_read:
        problem = "has column names but no rows" if first.damage is None else f"can't be read: {first.damage}"
        raise IngestError(f"{path.name} {problem}.")
    return itertools.chain([first], chunks)


def column_names(path: Path, file_format: FileFormat = PLAIN) -> list[str]:
    """Return the names of the columns of a file, as `read_chunks` knows them; raise `IngestError` as that does."""
    _check(path, file_format)
    if path.name.lower().endswith(".parquet"):
        return parquet_columns(path)
    return csv_columns(path, delimiter=file_format.delimiter, encoding=file_format.encoding)


def file_hash(path: Path) -> bytes:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _check(path: Path, file_format: FileFormat) -> None:
    name = path.name.lower()
    if not name.endswith((".csv", ".csv.gz", ".parquet")):
        raise IngestError(f"{path.name} is of no known kind. Expected a name that ends in .csv, .csv.gz or .parquet.")
    if not path.is_file():
        raise IngestError(f"{path} is {'a directory' if path.is_dir() else 'not there'}. Expected a file.")
    try:
        with path.open("rb") as file:
            sample = file.read(_SAMPLE)
            file.seek(0, 2)
            file.seek(max(file.tell() - len(_PARQUET), 0))
            end = file.read()
    except OSError as error:
        raise IngestError(f"{path} can't be opened: {error.strerror}.") from error
    if not sample:
        raise IngestError(f"{path.name} is empty (0 bytes).")
    if name.endswith(".parquet"):
        _check_parquet(path.name, sample, end)
    elif name.endswith(".gz"):
        if not sample.startswith(_GZIP):
            raise IngestError(
                f"{path.name} is not compressed with gzip, as its name says; it looks like {_look(sample)}."
            )
        _check_text(path.name, _unpacked(path), file_format)
    else:
        _check_text(path.name, sample, file_format)


def _check_parquet(name: str, sample: bytes, end: bytes) -> None:
    if not sample.startswith(_PARQUET):
        raise IngestError(f"{name} is not a Parquet file, as its name says; it looks like {_look(sample)}.")
    if end != _PARQUET or len(sample) < 12:
        raise IngestError(f"{name} ends in the middle: a Parquet file is readable only with its end. Copy it again.")


def _check_text(name: str, sample: bytes, file_format: FileFormat) -> None:
    if not sample.strip(b"\r\n\t \xef\xbb\xbf"):
        raise IngestError(f"{name} is empty: it holds no text.")
    if kind := _binary_kind(sample):
        raise IngestError(f"{name} is not CSV, as its name says; it looks like {kind}.")
    if _is_binary(sample) and "16" not in file_format.encoding and "32" not in file_format.encoding:
        raise IngestError(f"{name} is not text: it is full of NUL bytes. If it is UTF-16, say so by --encoding utf-16.")


def _unpacked(path: Path) -> bytes:
    """Return the beginning of a compressed file, or what there is of it."""
    with gzip.open(path) as file:
        try:
            return file.read1(_SAMPLE)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise IngestError(
                f"{path.name} is damaged or ends in the middle, before its first row ({error})."
            ) from error


def _look(sample: bytes) -> str:
    return _binary_kind(sample) or ("a binary file" if _is_binary(sample) else "text")


def _binary_kind(sample: bytes) -> str | None:
    return next((kind for beginning, kind in _KNOWN_BEGINNINGS.items() if sample.startswith(beginning)), None)


def _is_binary(sample: bytes) -> bool:
    # A stray NUL costs its row only.
    return sample.count(b"\0") * 100 > len(sample)
