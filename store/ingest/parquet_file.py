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

__all__ = ["read_parquet"]


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
    try:
        file = pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise IngestError(f"{path.name} can't be read as Parquet: {error}") from error
    with file:
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


def _cells(array: pa.Array) -> Cells:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type):
        # Instants are kept to the microsecond.
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    encoded = array.dictionary_encode(null_encoding="encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return Cells(codes, [_value(value) for value in encoded.dictionary])


def _value(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        # A date beyond what Python can hold; it will be rejected as no date.
        return f"a value of type {scalar.type} out of range"
