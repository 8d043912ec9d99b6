"""Writes live requests: one short transaction for all that came at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from store.bulk_read import errors_of
from store.engine import Database
from store.exceptions import DatabaseBusyError
from store.ingest.activity import Activity, record
from store.ingest.attribute_writer import AttributeWriter, LearntAttributes
from store.ingest.calls import Calls, Merge
from store.ingest.checkpoints import Checkpoints
from store.ingest.known_customers import ChangedMeanwhileError, KnownCustomers
from store.ingest.live_requests import Fate, LiveRequest, LiveResult, PreparedRequest
from store.ingest.merging import Merging
from store.ingest.orders import OrderComparison
from store.ingest.prepared_rows import Sender
from store.ingest.proven_keys import OtherWriters
from store.ingest.rejections import RejectedRows, Rejection
from store.ingest.sequence import next_number
from store.ingest.write import EventWriter
from store.ingest.written import OrderConflict
from store.keyed_hash import KeyedHash
from store.rescore_requests import RescoreRequests

__all__ = ["LiveRequest", "LiveResult", "LiveWriter"]

# Of rejected rows, instead of the name of a file.
_FILE = "http"
# Clients are answered within five seconds, also that it could not be stored.
_LONGEST_WAIT = 3.0
# So many that copying them into the database costs little beside storing them, and the log stays small.
_CALLS_A_CHECKPOINT = 2_000
# PostgreSQL ends one of those who wait for each other in a circle.
_DEADLOCK = "40P01"
_ATTEMPTS = 5


class LiveWriter:
    """Writes requests through one connection, which is made when it is needed and made anew after an error.

    Parameters
    ----------
    database : Database
    keyed_hash : KeyedHash
        Under the key under which ids were erased.

    Notes
    -----
    For one thread.
    """

    def __init__(self, database: Database, keyed_hash: KeyedHash) -> None:
        self._database = database
        self._keyed_hash = keyed_hash
        self._connected: _Connected | None = None
        self._to_close = ExitStack()

    def write(self, requests: Sequence[LiveRequest]) -> list[LiveResult]:
        """Store requests as if they came one after another, in one transaction: all or nothing.

        Returns
        -------
        list of LiveResult
            One a request. What they tell of is on disk.

        Raises
        ------
        DatabaseBusyError, sqlalchemy.exc.OperationalError
            The database could not be written to within three seconds, or not at all. The next write tries again.
        """
        prepared = [PreparedRequest.of(request) for request in requests]
        until = time.monotonic() + _LONGEST_WAIT
        try:
            return self._write(prepared, until)
        except BaseException:
            # What was remembered may have been taken back, and the connection may be gone.
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connected = None
        self._to_close.close()

    def _write(self, prepared: Sequence[PreparedRequest], until: float) -> list[LiveResult]:
        for _ in range(_ATTEMPTS - 1):
            connected = self._connect(until)
            try:
                return connected.write(prepared, until)
            except ChangedMeanwhileError:
                connected.rolled_back()
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != _DEADLOCK:
                    raise
                connected.rolled_back()
        return self._connect(until).write(prepared, until)

    def _connect(self, until: float) -> _Connected:
        if self._connected is None:
            with ExitStack() as stack:
                connection = stack.enter_context(self._database.bulk())
                # It leaves checkpoints to us, so nobody else is to use it.
                stack.callback(connection.invalidate)
                self._connected = _Connected(self._database, connection, self._keyed_hash, until)
                self._to_close = stack.pop_all()
        return self._connected


class _Connected:
    """What writes on one connection, and remembers what it has found there."""

    def __init__(self, database: Database, connection: Connection, keyed_hash: KeyedHash, until: float) -> None:
        self._database = database
        self._connection = connection
        self._checkpoints = Checkpoints(connection)
        self._calls_since_checkpoint = 0
        self._others = OtherWriters(connection)
        self._customers = KnownCustomers(connection, keyed_hash, created_at=0)
        self._events = EventWriter(connection, self._customers, tells_whole_orders=True)
        self._attributes = AttributeWriter(connection)
        self._merging = Merging(connection, self._customers)
        self._rejected = RejectedRows(connection)
        self._rescores = RescoreRequests(connection)
        with errors_of(connection), database.transaction(connection, within=_left(until)):
            for part in (self._events, self._attributes, self._rejected):
                part.prepare()

    def rolled_back(self) -> None:
        """Remember nothing of a transaction that was taken back."""
        self._events.rolled_back()
        self._rescores.rolled_back()

    def write(self, prepared: Sequence[PreparedRequest], until: float) -> list[LiveResult]:
        """Store requests, all or none."""
        with errors_of(self._connection), self._database.transaction(self._connection, within=_left(until)):
            if self._others.have_written():
                self._events.forget()
            created = self._find_customers(prepared)
            number = next_number(self._connection)
            results, activities = [], []
            for each in prepared:
                ids = each.customer_ids()
                result, activity = self._write(each, created & ids, number)
                created -= ids
                results.append(result)
                activities.append(activity)
            self._rescores.write(at=max((each.sender.received_at for each in prepared), default=0))
            record(self._connection, activities)
        self._calls_since_checkpoint += sum(each.request.calls.n_read for each in prepared)
        if self._calls_since_checkpoint >= _CALLS_A_CHECKPOINT:
            self._calls_since_checkpoint = 0
            with errors_of(self._connection):
                self._checkpoints.make()
        return results

    def _find_customers(self, prepared: Sequence[PreparedRequest]) -> set[str]:
        """Find and hold all customers that requests name; store those that are new and return their ids."""
        # For all requests at once: so all who write at the same time do it in one order, and none waits in a circle.
        self._customers.always = (min((each.sender.received_at for each in prepared), default=0),)
        ids = set().union(*(each.customer_ids() for each in prepared))
        keys = self._customers.keys(ids)
        created = self._customers.created
        merges = [merge for each in prepared for merge in each.request.calls.merges]
        to_merge = any(self._merging.is_due(merge.merged, merge.into) for merge in merges)
        self._customers.hold([keys[customer_id] for customer_id in ids], to_merge=to_merge)
        return created

    def _write(self, prepared: PreparedRequest, created: set[str], number: int) -> tuple[LiveResult, Activity]:
        calls, sender = prepared.request.calls, prepared.sender
        fate = Fate(calls)
        self._merge(calls, sender, fate, number)
        self._learn(calls, created, fate, number)
        occurred_at = None
        for rows in prepared.rows:
            written = self._events.add(rows, sender, OrderComparison(), number)
            self._rescores.add(written.customer_keys)
            occurred_at = max(filter(None, (occurred_at, written.occurred_at)), default=None)
            fate.stored.update(written.new.tolist())
            fate.erased.update(written.erased)
            fate.reject(map(_rejection, written.conflicts))
        result = fate.result()
        self._rejected.keep(
            result.rejected,
            file=_FILE,
            file_hash=prepared.request.body_hash,
            source_id=sender.source_id,
            received_at=sender.received_at,
        )
        counts = result.stored, result.already_there, len(result.rejected)
        return result, Activity(*sender, *counts, occurred_at)

    def _merge(self, calls: Calls, sender: Sender, fate: Fate, number: int) -> None:
        for merge in calls.merges:
            if self._merging.is_due(merge.merged, merge.into):
                keys = self._customers.keys((merge.merged, merge.into))
                conflicts = self._merging.merge(merge.merged, merge.into, now=sender.received_at, number=number)
                self._rescores.merged(keys[merge.merged], keys[merge.into])
                fate.stored.add(merge.position)
                if conflicts:
                    fate.reject([_rejection_of_orders(merge, conflicts)])
            elif not all(self._customers.keys((merge.merged, merge.into))[who] for who in (merge.merged, merge.into)):
                fate.erased.add(merge.position)

    def _learn(self, calls: Calls, created: set[str], fate: Fate, number: int) -> None:
        learnt: dict[int, LearntAttributes] = {}
        for told in calls.learnt:
            key = self._customers.keys((told.customer_id,))[told.customer_id]
            if not key:
                fate.erased.add(told.position)
                continue
            # The traits of a customer are taken, though the visitor that they were sent of was erased.
            fate.erased.discard(told.position)
            learnt[told.position] = LearntAttributes(key, told.learnt_at, told.attributes)
            if told.customer_id in created:
                created.remove(told.customer_id)
                self._rescores.add((key,))
                fate.stored.add(told.position)
        changed = self._attributes.add(learnt.values(), number)
        self._rescores.add(key for key, _ in changed)
        fate.stored.update(position for position, told in learnt.items() if told[:2] in changed)


def _rejection(conflict: OrderConflict) -> Rejection:
    return Rejection.of(conflict.line, "properties.order_id", conflict.order_id, "order_conflict", conflict.reason)


def _rejection_of_orders(merge: Merge, order_ids: list[str]) -> Rejection:
    reason = (
        f"both ids have {len(order_ids):,} orders of the same id with other lines, beginning with {order_ids[0]}; they "
        "are one customer now, and both orders count; look which of them is wrong"
    )
    return Rejection.of(merge.position, "", order_ids[0], "order_conflict", reason)


def _left(until: float) -> float:
    """Return how many seconds are left; raises `DatabaseBusyError` if none are."""
    left = until - time.monotonic()
    if left <= 0.0:
        raise DatabaseBusyError(f"The database could not be written to for {_LONGEST_WAIT:.0f} s. Try again.")
    return left
