"""Reads Parquet in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from store.exceptions import IngestError
from store.ingest.cells import Cells
from store.ingest.chunks import ROWS_A_CHUNK, Chunk, require_columns
from store.ingest.instants import Timestamps

__all__ = ["parquet_columns", "read_parquet"]


def parquet_columns(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet file."""
    with _open(path) as file:
        names: list[str] = file.schema_arrow.names
    return names


def read_parquet(path: Path, columns: Sequence[str] | None) -> Iterator[Chunk]:
    """Read a Parquet file some rows at a time.

    Parameters
    ----------
    path : Path
    columns : sequence of str or None
        The columns wanted; None for all.

    Yields
    ------
    Chunk
        At least one.

    Raises
    ------
    IngestError
        Without anything yielded, if the file or a column can't be used.
    """
    with _open(path) as file:
        schema = file.schema_arrow
        wanted = list(schema.names if columns is None else columns)
        require_columns(path.name, wanted, schema.names)
        if nested := [name for name in wanted if pa.types.is_nested(schema.field(name).type)]:
            raise IngestError(f"{path.name} has lists or records in {', '.join(nested)}; expected one value a cell.")
        n_rows, read = file.metadata.num_rows, 0
        batches = file.iter_batches(ROWS_A_CHUNK, columns=wanted)
        while True:
            damage = None
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                batch, damage = None, f"it is damaged after row {read:,} ({error})"
            n = 0 if batch is None else batch.num_rows
            lines = np.arange(read + 1, read + n + 1, dtype=np.int64)
            cells = {} if batch is None else {name: _cells(batch.column(name)) for name in wanted}
            read += n
            yield Chunk(lines, cells, [], read / max(n_rows, 1), damage)
            if batch is None:
                return


def _open(path: Path) -> Any:
    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise IngestError(f"{path.name} can't be read as Parquet: {error}") from error


def _cells(array: pa.Array) -> Cells:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type):
        # Instants are kept to the microsecond.
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    encoded = array.dictionary_encode()
    values = _values(encoded.dictionary)
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False).astype(np.int32)
    return Cells(codes, values)


def _values(dictionary: pa.Array) -> Sequence[object]:
    """Return the values of a dictionary, and None behind them."""
    kind = dictionary.type
    if pa.types.is_timestamp(kind):
        microseconds = dictionary.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return Timestamps(microseconds, kind.tz is not None, lambda place: _value(dictionary[place]))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_text(dictionary):
        return [*dictionary.to_numpy(zero_copy_only=False).tolist(), None]
    return [*map(_value, dictionary), None]


def _is_text(array: pa.Array) -> bool:
    """Say whether an array is of texts all of which can be read; of others, only these are to be rejected."""
    if not pa.types.is_string(array.type) and not pa.types.is_large_string(array.type):
        return False
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _value(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return _out_of_range(scalar.type)


def _out_of_range(kind: Any) -> str:
    # A date beyond what Python can hold; it will be rejected as no date.
    return f"a value of type {kind} out of range"
