"""A file as target of a sync: it is there as a whole, or as it was before."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from service.exceptions import SyncError
from service.segment_csv import harmless
from service.sync.target import Row, SyncHead
from store.durability import sync

__all__ = ["FileTarget"]

_ENDINGS = (".csv", ".ndjson", ".jsonl")


class FileTarget:
    """A CSV or NDJSON file, by its ending.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SyncError
        The ending is another, it is a folder, or there is no such folder.
    """

    takes_batches = False

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        if self._path.suffix not in _ENDINGS:
            raise SyncError(f"Expected a file that ends in {', '.join(_ENDINGS)}, or an https:// address; got {path}.")
        if self._path.is_dir():
            raise SyncError(f"Expected a file, but {self._path} is a folder.")
        if not self._path.parent.is_dir():
            raise SyncError(f"There is no folder {self._path.parent}. Make it first.")
        self.name = str(self._path)
        # Beside it, since only within one file system a file takes another's place at once.
        self._beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        self._file: TextIO | None = None
        self._columns: tuple[str, ...] = ()

    def begin(self, head: SyncHead) -> None:
        """Open a file beside the one that is to be."""
        self._columns = head.columns
        self._file = self._beside.open("w", newline="", encoding="utf-8")
        if self._path.suffix == ".csv":
            csv.writer(self._file).writerow(head.columns)

    def send(self, rows: Sequence[Row], *, last: bool) -> None:  # noqa: ARG002  # as targets are told
        """Write rows."""
        file = self._opened()
        if self._path.suffix == ".csv":
            writer = csv.writer(file)
            for row in rows:
                writer.writerow([_cell(row[name]) for name in self._columns])
            return
        file.writelines(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in rows)

    def finish(self) -> None:
        """Put the file in its place, once it is on disk."""
        file = self._opened()
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._beside.replace(self._path)
        sync(self._path.parent)

    def abandon(self) -> None:
        """Remove what was written beside it."""
        if self._file is not None:
            self._file.close()
        self._beside.unlink(missing_ok=True)

    def _opened(self) -> TextIO:
        if self._file is None:
            raise SyncError(f"{self._path} was sent rows before its sync had begun.")
        return self._file


def _cell(value: object) -> object:
    """Return a value as lists have it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return harmless(value) if isinstance(value, str) else value
