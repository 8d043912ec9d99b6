"""Writes the rows of one file in short transactions, as long as others can wait."""

from __future__ import annotations

from sqlalchemy import Connection

from store.engine import Database
from store.ingest.activity import Activity, record
from store.ingest.canonical import CanonicalRows
from store.ingest.identity import RowIdentities
from store.ingest.known_customers import ChangedMeanwhileError, KnownCustomers
from store.ingest.orders import OrderComparison
from store.ingest.pace import SECONDS_ALONE, SECONDS_AMONG_OTHERS, Pace
from store.ingest.prepared_rows import PreparedRows, Sender
from store.ingest.proven_keys import OtherWriters
from store.ingest.sequence import next_number
from store.ingest.write import EventWriter
from store.ingest.written import Written
from store.keyed_hash import KeyedHash

__all__ = ["FileWriter"]


class FileWriter:
    """Writes the rows of one file.

    Parameters
    ----------
    database, connection
        A connection of `Database.bulk`; the writer begins its own short transactions on it.
    keyed_hash : KeyedHash
        Under the key under which ids were erased.
    sender : Sender
        Of the rows.

    Attributes
    ----------
    pace : Pace
        How many rows are best written at once.
    """

    def __init__(self, database: Database, connection: Connection, keyed_hash: KeyedHash, sender: Sender) -> None:
        self.pace = Pace(SECONDS_ALONE if database.is_sqlite else SECONDS_AMONG_OTHERS)
        self._database = database
        self._connection = connection
        self._sender = sender
        self._others = OtherWriters(connection)
        self._comparison = OrderComparison()
        self._customers = KnownCustomers(connection, keyed_hash, created_at=sender.received_at)
        self._events = EventWriter(connection, self._customers, tells_whole_orders=False)
        with database.transaction(connection):
            self._events.prepare()

    def write(self, rows: CanonicalRows, identities: RowIdentities) -> Written:
        """Store what is new of some thousand rows, in one transaction: all or nothing."""
        prepared = PreparedRows.of(rows, identities)
        while True:
            try:
                return self._write(prepared)
            except ChangedMeanwhileError:
                self._events.rolled_back()

    def _write(self, prepared: PreparedRows) -> Written:
        with self.pace.of(len(prepared.rows)) as holds, self._database.transaction(self._connection):
            holds()
            if self._others.have_written():
                self._events.forget()
            self._customers.hold_all(prepared.batch.rows.customer_id)
            number = next_number(self._connection)
            written = self._events.add(prepared, self._sender, self._comparison, number)
            activity = Activity(*self._sender, written.stored, written.already_there, occurred_at=written.occurred_at)
            record(self._connection, [activity])
        return written
