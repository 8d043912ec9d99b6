"""Ingests a file of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from store.engine import Database
from store.ingest.activity import Activity
from store.ingest.chunks import Chunk
from store.ingest.erased_ids import rejection_of_erased
from store.ingest.file_writer import FileWriter
from store.ingest.identity import identify
from store.ingest.keys import KeyCache
from store.ingest.late_flush import flushed_at_end
from store.ingest.lookup import Join
from store.ingest.mapping import EventMapping
from store.ingest.ordinals import OrdinalCounter
from store.ingest.parse import EventParser
from store.ingest.prepared_rows import Sender
from store.ingest.proven_keys import keys_proven_by_writer
from store.ingest.rejections import Rejection, RejectionLog
from store.ingest.report import IngestReport, Tally
from store.ingest.rows import FileRows
from store.ingest.spans import Span, spans
from store.ingest.table_file import PLAIN, FileFormat, file_hash
from store.ingest.written import OrderConflict, Written
from store.keyed_hash import KeyedHash
from store.settings import Settings
from store.tables.base import to_microseconds

__all__ = ["ingest_events"]


def ingest_events(
    database: Database,
    settings: Settings,
    path: Path,
    mapping: EventMapping,
    *,
    received_at: datetime,
    file_format: FileFormat = PLAIN,
    joins: Sequence[Join] = (),
    progress: Callable[[float], None] | None = None,
) -> IngestReport:
    """Store the events of a CSV, CSV.gz or Parquet file.

    The file is read some rows at a time, and stored in short transactions. Interrupted and run again, it ends where
    one run would have: what is already there is left as it is.

    Parameters
    ----------
    database : Database
    settings : Settings
        For currency, rates and time zone.
    path : Path
    mapping : EventMapping
        Which column means what.
    received_at : datetime
        Now, aware; what lies more than 24 h ahead of it is rejected.
    file_format : FileFormat
        How CSV files are written.
    joins : sequence of Join
        Files that bring more columns to the rows, for the mapping to name.
    progress : callable, optional
        Called with the share done, up to 1.

    Returns
    -------
    IngestReport

    Raises
    ------
    IngestError
        Before anything is stored, if the file is not what its name says, is empty, or lacks a column. A file that
        ends in the middle is stored as far as it goes, and `IngestReport.damage` says so.
    """
    file = FileRows(path, mapping.columns(), file_format, joins=joins)
    chunks = file.chunks()
    parser = EventParser(mapping, settings, received_at)
    tally = Tally()
    source = mapping.source.strip()
    received = to_microseconds(received_at)
    keyed_hash = KeyedHash.open(settings.secret_file)
    with database.bulk() as connection, keys_proven_by_writer(connection):
        source_id = _source_id(database, connection, source)
        log = RejectionLog(
            database, connection, file=path.name, file_hash=file_hash(path), source_id=source_id, received_at=received
        )
        log.clear()
        sender = Sender(source_id, received)
        with flushed_at_end(database, connection, Activity(*sender)) as checkpoints:
            writer = FileWriter(database, connection, keyed_hash, sender)
            told, before = _Progress(progress), 0.0
            for span in spans(_read(chunks, parser, source, log, tally, told)):
                conflicts: list[OrderConflict] = []
                erased: list[int] = []
                for written, share in _write(writer, span.by_head()):
                    checkpoints.after(written.stored)
                    tally.written(written.stored, written.already_there)
                    tally.refunds.add(written.refunds)
                    conflicts += written.conflicts
                    erased += written.erased
                    told.written(before + share * (span.done - before))
                rejections = [_rejection(conflict, mapping) for conflict in conflicts]
                rejections += map(rejection_of_erased, erased)
                log.keep(rejections)
                tally.rejected(rejections)
                told.written(span.done)
                before = span.done
    return tally.report(path.name, file.unmatched(), tally.refunds.count_unmatched(database))


class _Progress:
    """Tells the share of a file that is done: half for reading it, half for storing it."""

    def __init__(self, tell: Callable[[float], None] | None) -> None:
        self._tell = tell or (lambda _: None)
        self._read = self._written = 0.0

    def read(self, share: float) -> None:
        self._read = share
        self._tell((self._read + self._written) / 2)

    def written(self, share: float) -> None:
        self._written = share
        self._tell((self._read + self._written) / 2)


def _read(
    chunks: Iterator[Chunk], parser: EventParser, source: str, log: RejectionLog, tally: Tally, told: _Progress
) -> Iterator[Span]:
    """Yield the rows that can be stored, chunk by chunk; keep the rejections of others."""
    equals = OrdinalCounter()
    for chunk in chunks:
        tally.read(chunk.n_read, chunk.damage)
        rows, rejections = parser.parse(chunk)
        log.keep(rejections)
        tally.rejected(rejections)
        told.read(chunk.done)
        yield Span(rows, identify(rows, source, equals), chunk.done)


def _write(writer: FileWriter, span: Span) -> Iterator[tuple[Written, float]]:
    """Store rows, transaction by transaction; yield what each has stored and the share of the rows done with it."""
    start = 0
    while start < len(span.rows):
        some = slice(start, min(start + writer.pace.rows, len(span.rows)))
        yield writer.write(span.rows.take(some), span.identities.take(some)), some.stop / len(span.rows)
        start = some.stop


def _rejection(conflict: OrderConflict, mapping: EventMapping) -> Rejection:
    return Rejection.of(conflict.line, mapping.order_id or "", conflict.order_id, "order_conflict", conflict.reason)


def _source_id(database: Database, connection: Connection, source: str) -> int:
    with database.transaction(connection):
        return KeyCache(connection, "source", "name").keys([source])[source]
