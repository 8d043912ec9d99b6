"""What readers of files hand on: some rows at a time, column by column, with the lines they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.exceptions import IngestError
from store.ingest.cells import Cells
from store.ingest.rejections import Rejection

__all__ = ["ROWS_A_CHUNK", "Chunk", "quoted", "require_columns"]

ROWS_A_CHUNK = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some rows of a file.

    Attributes
    ----------
    lines : int64, one a row
        Line in a CSV file (its header is line 1), row (from 1) in a Parquet file.
    columns : dict of str to Cells
        The columns asked for.
    broken : list of Rejection
        Rows that could not even be cut into cells.
    done : float
        Share of the file read so far, up to 1.
    damage : str or None
        Set on the last chunk of a file that ends in the middle: what is wrong with it.
    """

    lines: NDArray[np.int64]
    columns: dict[str, Cells]
    broken: list[Rejection]
    done: float
    damage: str | None = None

    @property
    def n_read(self) -> int:
        """Number of rows, broken ones included."""
        return len(self.lines) + len(self.broken)


def require_columns(file: str, wanted: Sequence[str], present: Sequence[str], hint: str = "") -> None:
    """Raise `IngestError` unless the file has each wanted column exactly once."""
    if missing := [name for name in wanted if name not in present]:
        raise IngestError(
            f"{file} has no column {quoted(missing)}. The columns it has: {quoted(present)}.{hint and ' ' + hint}"
        )
    if doubled := [name for name in wanted if present.count(name) > 1]:
        raise IngestError(f"{file} has more than one column {quoted(doubled)}. Rename all but one.")


def quoted(names: Sequence[str]) -> str:
    """Write names of columns as a person reads them."""
    return ", ".join(f"“{name.encode('utf-8', 'backslashreplace').decode()}”" for name in names)
