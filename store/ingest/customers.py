"""Ingests a file of customers: every other column is an attribute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from store.engine import Database
from store.exceptions import IngestError
from store.ingest.activity import Activity, record
from store.ingest.attribute_kinds import AttributeValue, KindFinder, attribute_value
from store.ingest.attribute_writer import AttributeWriter, LearntAttributes
from store.ingest.cells import as_id
from store.ingest.chunks import Chunk, quoted, require_columns
from store.ingest.clock import Clock
from store.ingest.erased_ids import rejection_of_erased
from store.ingest.instants import InstantReader
from store.ingest.keys import KeyCache
from store.ingest.known_customers import ChangedMeanwhileError, KnownCustomers
from store.ingest.late_flush import flushed_at_end
from store.ingest.lookup import Join
from store.ingest.lookups import look_up_by_index
from store.ingest.ordinals import OrdinalCounter
from store.ingest.proven_keys import OtherWriters
from store.ingest.rejections import Rejection, RejectionLog
from store.ingest.report import IngestReport, Tally
from store.ingest.rows import ROW, FileRows
from store.ingest.screening import Screening, required
from store.ingest.sequence import next_number
from store.ingest.table_file import PLAIN, FileFormat, file_hash
from store.keyed_hash import KeyedHash
from store.settings import Settings
from store.tables.base import to_microseconds

__all__ = ["ingest_customers"]

_SOURCE = "customer file"
_ALWAYS_KNOWN = 0
_ATTRIBUTES_A_TRANSACTION = 8_192
_LONGEST_NAME = 255


def ingest_customers(
    database: Database,
    settings: Settings,
    path: Path,
    *,
    customer_id_column: str,
    learnt_at_column: str | None = None,
    received_at: datetime,
    file_format: FileFormat = PLAIN,
    joins: Sequence[Join] = (),
    leave_out: Sequence[str] = (),
    progress: Callable[[float], None] | None = None,
) -> IngestReport:
    """Store what a CSV, CSV.gz or Parquet file says of customers; those that are unknown are created.

    Every column that is neither one of these two nor left out is an attribute: a number if all its cells are finite
    numbers, a date if all are ISO 8601 dates, else a category. An empty cell stores nothing and takes nothing away. The
    file is read twice: once for the kinds, once to store.

    Parameters
    ----------
    database : Database
    settings : Settings
        For the time zone.
    path : Path
    customer_id_column : str
        `:row` for the number of the row.
    learnt_at_column : str or None
        When each row was learnt. Without it, all counts as always known, and a changed value replaces the old one.
    received_at : datetime
        Now, aware; what was learnt more than 24 h ahead of it is rejected.
    file_format : FileFormat
        How CSV files are written.
    joins : sequence of Join
        Files that bring more columns to the rows.
    leave_out : sequence of str
        Columns that are no attributes.
    progress : callable, optional
        Called with the share done, up to 1.

    Returns
    -------
    IngestReport
        In rows: stored if the customer or anything said of them is new or changed. Of rows with the same customer (and
        learnt_at) the last counts; those above it are rejected as `duplicate`.

    Raises
    ------
    IngestError
        Before anything is stored, if the file is not what its name says, is empty, or lacks a column.
    """
    own = [name for name in (customer_id_column, learnt_at_column) if name is not None]
    if learnt_at_column == ROW:
        raise IngestError(f"{ROW}, the number of the row, can stand for the customer id only. Name a column.")
    if both := [name for name in own if name in leave_out]:
        raise IngestError(f"The column {quoted(both)} is needed; it is no attribute anyway and can't be left out.")
    file = FileRows(path, None, file_format, joins=joins, leave_out=leave_out)
    require_columns(path.name, [name for name in own if name != ROW], file.names)
    kinds = {_checked(name): KindFinder() for name in file.names if name not in own}
    reader = _CustomerReader(customer_id_column, learnt_at_column, kinds, settings, received_at)
    report_progress = progress or (lambda _: None)
    for chunk in file.chunks():
        reader.look_at(chunk)
        report_progress(chunk.done / 2)

    tally = Tally()
    received = to_microseconds(received_at)
    keyed_hash = KeyedHash.open(settings.secret_file)
    with database.bulk() as connection:
        with database.transaction(connection):
            source_id = KeyCache(connection, "source", "name").keys([_SOURCE])[_SOURCE]
        log = RejectionLog(
            database, connection, file=path.name, file_hash=file_hash(path), source_id=source_id, received_at=received
        )
        log.clear()
        with flushed_at_end(database, connection, Activity(source_id, received)) as checkpoints:
            writer = _CustomerWriter(database, connection, keyed_hash, source_id, received)
            for chunk in file.chunks():
                customers, rejections = reader.read(chunk)
                tally.read(chunk.n_read, chunk.damage)
                stored, erased = writer.write(customers)
                checkpoints.after(stored)
                tally.written(stored, len(customers) - stored - len(erased))
                rejections += map(rejection_of_erased, erased)
                log.keep(rejections)
                tally.rejected(rejections)
                report_progress(0.5 + chunk.done / 2)
    return tally.report(path.name, file.unmatched())


class _Known(NamedTuple):
    """What one row says of a customer: attributes by name, each kind, number and text."""

    line: int
    customer_id: str
    learnt_at: int
    attributes: dict[str, AttributeValue]


class _CustomerReader:
    """Reads the chunks of one file, first all to learn the kinds of its columns, then all again for their values."""

    def __init__(
        self,
        customer_id: str,
        learnt_at: str | None,
        kinds: dict[str, KindFinder],
        settings: Settings,
        received_at: datetime,
    ) -> None:
        self._customer_id = customer_id
        self._learnt_at = learnt_at
        self._read_instant = InstantReader(ZoneInfo(settings.timezone))
        self._clock = Clock(received_at)
        self._kinds = kinds
        self._copies = OrdinalCounter()
        self._seen = OrdinalCounter()

    def look_at(self, chunk: Chunk) -> None:
        """Learn from a chunk."""
        if len(chunk.lines):
            for name, kind in self._kinds.items():
                kind.look_at(chunk.columns[name])
            rows = Screening(chunk)
            self._copies.count(self._keys(*self._who_and_when(rows))[rows.fit])

    def read(self, chunk: Chunk) -> tuple[list[_Known], list[Rejection]]:
        """Return what a chunk says of customers, and its rows that can't be taken."""
        if not len(chunk.lines):
            return [], list(chunk.broken)
        rows = Screening(chunk)
        customer_ids, learnt_at = self._who_and_when(rows)
        keys = self._keys(customer_ids, learnt_at)[rows.fit]
        superseded = np.zeros(len(rows), dtype=np.bool_)
        superseded[rows.fit] = self._seen.count(keys) + 1 < self._copies.total(keys)
        rows.reject(superseded, self._customer_id, "duplicate", "stands again further down; its last row counts")
        columns = [
            (name, kind.kind, rows.objects(name, partial(attribute_value, kind.kind)))
            for name, kind in self._kinds.items()
        ]
        known = [
            _Known(
                int(chunk.lines[row]),
                customer_ids[row],
                int(learnt_at[row]),
                {name: (kind, *values[row]) for name, kind, values in columns if values[row] is not None},
            )
            for row in np.flatnonzero(rows.fit).tolist()
        ]
        return known, chunk.broken + rows.rejections

    def _who_and_when(self, rows: Screening) -> tuple[list[Any], NDArray[np.int64]]:
        customer_ids = rows.objects(self._customer_id, required(as_id, "customer_id"))
        if self._learnt_at is None:
            return customer_ids, np.full(len(rows), _ALWAYS_KNOWN, dtype=np.int64)
        return customer_ids, rows.integers(self._learnt_at, required(self._instant, "learnt_at"))

    def _instant(self, value: object) -> int | None:
        learnt_at = self._read_instant(value)
        return None if learnt_at is None else self._clock.admit(learnt_at)

    @staticmethod
    def _keys(customer_ids: list[Any], learnt_at: NDArray[np.int64]) -> NDArray[np.uint64]:
        pairs = zip(customer_ids, learnt_at.tolist(), strict=True)
        digests = b"".join(blake2b(f"{who}\0{when}".encode(), digest_size=8).digest() for who, when in pairs)
        return np.frombuffer(digests, dtype="<u8")


class _CustomerWriter:
    """Writes what is new of customers in short transactions."""

    def __init__(
        self, database: Database, connection: Connection, keyed_hash: KeyedHash, source_id: int, received_at: int
    ) -> None:
        self._database = database
        self._connection = connection
        self._source_id = source_id
        self._received_at = received_at
        self._customers = KnownCustomers(connection, keyed_hash, created_at=received_at)
        self._others = OtherWriters(connection)
        self._attributes = AttributeWriter(connection)
        with database.transaction(connection):
            look_up_by_index(connection)
            self._attributes.prepare()

    def write(self, known: Sequence[_Known]) -> tuple[int, list[int]]:
        """Store, and return how many rows brought anything new, and the lines of those who were erased."""
        per_row = max((len(row.attributes) for row in known), default=0)
        step = max(_ATTRIBUTES_A_TRANSACTION // max(per_row, 1), 1)
        stored, erased = 0, list[int]()
        for start in range(0, len(known), step):
            some = known[start : start + step]
            n_new, of_erased = self._write_some(some)
            stored += n_new
            erased += of_erased
        return stored, erased

    def _write_some(self, known: Sequence[_Known]) -> tuple[int, list[int]]:
        while True:
            try:
                with self._database.transaction(self._connection):
                    return self._add(known)
            except ChangedMeanwhileError:
                self._customers.rolled_back()

    def _add(self, known: Sequence[_Known]) -> tuple[int, list[int]]:
        if self._others.have_written():
            self._customers.forget()
        keys = self._customers.keys([row.customer_id for row in known])
        created = self._customers.created
        self._customers.hold(keys[row.customer_id] for row in known)
        erased = [row.line for row in known if not keys[row.customer_id]]
        kept = [row for row in known if keys[row.customer_id]]
        learnt = (LearntAttributes(keys[row.customer_id], row.learnt_at, row.attributes) for row in kept)
        changed = self._attributes.add(learnt, next_number(self._connection))
        stored = sum(row.customer_id in created or (keys[row.customer_id], row.learnt_at) in changed for row in kept)
        record(self._connection, [Activity(self._source_id, self._received_at, stored, len(kept) - stored)])
        return stored, erased


def _checked(name: str) -> str:
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        raise IngestError(f"The column name {name[:50]!r} is too long or can't be printed. Rename the column.")
    return name
