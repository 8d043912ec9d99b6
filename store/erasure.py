"""Erasing a customer: hidden from every answer at once, then deleted in short transactions, then gone from the file.

What is left is a keyed hash of each id, which keeps late events out, and sums over many customers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, insert, or_, select, update

from store.bulk_read import read_blocks
from store.customer_keys import among
from store.deletion import Deletions, deleting
from store.engine import Database
from store.held_customer import find_held
from store.keyed_hash import KeyedHash
from store.rejected_rows import rejected_rows_that_show
from store.sqlite_traces import remove_traces, traces_of
from store.tables import (
    CampaignAssignment,
    Contact,
    Customer,
    CustomerAttribute,
    ErasedCustomer,
    Event,
    ModelVersion,
    OrderLine,
    OutboxEvent,
    RejectedRow,
    ReplacedAttribute,
    ReplacedHead,
    RescoreRequest,
    Score,
    ScoringRun,
    SegmentListing,
    SegmentMembership,
    SupersededScore,
    SyncedMember,
    SyncPoint,
    ToldScore,
    TrainingRun,
    WebhookDelivery,
)

__all__ = ["hide_customer", "repeat_erasures", "resume_erasures"]

# Instead of an id, of which none that was ever taken begins with a space. Two spaces: no file shows the id any more.
_BLANK, _GONE = " ", "  "
_WITH_ROWS_OF_CUSTOMERS = (
    "event, order_line, replaced_head, customer_attribute, replaced_attribute, score, superseded_score, "
    "segment_listing, segment_membership, campaign_assignment, contact, rescore_request, told_score, outbox_event, "
    "webhook_delivery, rejected_row, synced_member, customer"
)

# Which an index leads to by customer.
_BY_CUSTOMER = (ReplacedAttribute, SegmentMembership, CampaignAssignment, Contact, RescoreRequest, ToldScore)


def hide_customer(database: Database, customer_id: str, keyed_hash: KeyedHash, *, now: datetime) -> None:
    """Hide a customer from every answer, and keep out what still comes under its ids, in one short transaction.

    Every model version registered since the customer became known counts one more erased customer. What is stored is
    then deleted by `resume_erasures`.

    Parameters
    ----------
    database : Database
    customer_id : str
        Any id of the customer.
    keyed_hash : KeyedHash
        Of the deployment.
    now : datetime

    Raises
    ------
    UnknownCustomerError
        Nobody has this id, or whoever had it has been erased.
    """
    with database.write() as session:
        held = find_held(session, customer_id, lock=True)
        hashes = {keyed_hash.of(of_customer) for of_customer in held.customer_ids}
        known = set(session.scalars(select(ErasedCustomer.id_hash).where(ErasedCustomer.id_hash.in_(hashes))))
        if new := sorted(hashes - known):  # in one order, so that two who erase at once wait in no circle
            session.execute(insert(ErasedCustomer), [{"id_hash": id_hash, "erased_at": now} for id_hash in new])
        connection = session.connection()
        connection.execute(update(Customer).where(Customer.id.in_(held.keys)).values(erased_at=now))
        # A model registered before has not seen any of the customer's events, however long ago they occurred.
        known_since = min(row.created_at for row in held.rows)
        _count_erased(connection, ModelVersion.registered_at > known_since)


def repeat_erasures(
    database: Database, erased: Collection[bytes], keyed_hash: KeyedHash, others: Sequence[KeyedHash], *, now: datetime
) -> int:
    """Hide the customers whose ids were erased before, of whom a backup has brought back what was deleted.

    Parameters
    ----------
    database : Database
    erased : collection of bytes
        Hashes of ids.
    keyed_hash : KeyedHash
        Of the deployment.
    others : sequence of KeyedHash
        Under which hashes may have been made too.
    now : datetime

    Returns
    -------
    int
        How many were hidden; `resume_erasures` deletes what is stored of them.
    """
    made_by = (keyed_hash, *others)
    found: list[str] = []
    with database.read() as session:
        statement = "SELECT customer_id FROM customer WHERE erased_at IS NULL AND merged_into IS NULL"
        for rows in read_blocks(session, statement):
            found += [customer_id for (customer_id,) in rows if any(each.of(customer_id) in erased for each in made_by)]
    for customer_id in found:
        hide_customer(database, customer_id, keyed_hash, now=now)
    return len(found)


def resume_erasures(database: Database) -> int:
    """Delete what is stored of every customer who is hidden, and return how many are still not wholly gone.

    It works in short transactions and can be cut off anywhere: called again, it does what is left. At the end no id is
    in the database any more. A row without an id may be left, for as long as a training or scoring is at work that
    began before the customer was hidden, since that may still write under its key, or while somebody reads a SQLite
    database all the time, as a backup does; it goes with the next call.
    """
    with database.read() as session:
        hidden = session.scalars(
            select(Customer.id).where(Customer.erased_at.is_not(None), Customer.merged_into.is_(None))
        ).all()
    if not hidden:
        return 0
    with deleting(database) as deletions:
        # Of all of them at once, since a file is searched, or a table vacuumed, no faster for one.
        erased = [_erase(database, deletions, key) for key in hidden]
        if not _remove_traces(database, deletions, erased):
            return len(hidden)
        return sum(not _delete_rows(database, deletions, key) for key in hidden)


class _Erased(NamedTuple):
    """What may still be in the file of a customer who is in no table.

    Attributes
    ----------
    traces : list of (bytes, bytes)
        What to look for.
    is_unknown : bool
        Whether nobody knows what to look for: the ids went when another was at it, who did not come to an end.
    """

    traces: list[tuple[bytes, bytes]]
    is_unknown: bool


def _erase(database: Database, deletions: Deletions, key: int) -> _Erased:
    """Delete all that is stored of one hidden customer, its ids too, but for its row."""
    with database.read() as session:
        rows = session.scalars(
            select(Customer).where(or_(Customer.id == key, Customer.merged_into == key)).order_by(Customer.id)
        ).all()
    keys = [row.id for row in rows]
    named = [row for row in rows if not row.customer_id.startswith(_BLANK)]
    is_unknown = any(row.customer_id.startswith(_BLANK) and not row.customer_id.startswith(_GONE) for row in rows)
    _delete_content(database, deletions, keys)
    if named:
        shown = rejected_rows_that_show(database, [row.customer_id for row in named])
        deletions.rows(RejectedRow, [(row.file_hash, row.line) for row in shown])
    traces = traces_of(deletions.connection, named) if database.is_sqlite else []
    with deletions.transaction() as connection:
        # Locked: on PostgreSQL what was just being stored for the customer is there now, and no more can come.
        connection.execute(select(Customer.id).where(Customer.id.in_(keys)).order_by(Customer.id).with_for_update())
        _delete_latest(connection, keys)
        _rename(connection, [row.id for row in named], _BLANK)
    return _Erased(traces, is_unknown)


def _remove_traces(database: Database, deletions: Deletions, erased: Sequence[_Erased]) -> bool:
    """Take away what the files still show of ids; return whether it could be done."""
    if database.is_sqlite:
        traces = [trace for each in erased for trace in each.traces]
        unknown = any(each.is_unknown for each in erased)
        return remove_traces(database, deletions.connection, traces, unknown=unknown)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"VACUUM {_WITH_ROWS_OF_CUSTOMERS}")
    return True


def _rename(connection: Connection, keys: Sequence[int], blank: str) -> None:
    for key in keys:
        connection.execute(update(Customer).where(Customer.id == key).values(customer_id=f"{blank}{key}"))


def _delete_content(database: Database, deletions: Deletions, keys: Sequence[int]) -> None:
    with database.read() as session:
        statement = f"SELECT id FROM event WHERE customer_key {among(keys)}"
        events = [row[0] for rows in read_blocks(session, statement) for row in rows]
        runs = list(session.scalars(select(ScoringRun.id)))
    deletions.events(sorted(events))
    deletions.matching(CustomerAttribute, CustomerAttribute.customer_key.in_(keys))
    for table in _BY_CUSTOMER:
        deletions.matching(table, table.customer_key.in_(keys))
    deletions.matching(WebhookDelivery, WebhookDelivery.event_id.in_(_told_of(keys)))
    deletions.matching(OutboxEvent, OutboxEvent.customer_key.in_(keys))
    for run_id in runs:
        deletions.rows(SegmentListing, _places(database, run_id, keys))
    for scores in (Score, SupersededScore):
        deletions.matching(scores, and_(scores.scoring_run_id.in_(runs), scores.customer_key.in_(keys)))


def _told_of(keys: Sequence[int]) -> Select[int]:
    """Return a query of what changes of customers were to be told."""
    return select(OutboxEvent.id).where(OutboxEvent.customer_key.in_(keys))


def _places(database: Database, run_id: int, keys: Sequence[int]) -> list[tuple[object, ...]]:
    """Find the places of customers in the lists of a run.

    No index leads there by customer, so that all of the run's places are gone through: by reading, which keeps nobody
    from writing.
    """
    place = (
        SegmentListing.scoring_run_id,
        SegmentListing.segment,
        SegmentListing.rank_value,
        SegmentListing.customer_key,
    )
    query = select(*place).where(SegmentListing.scoring_run_id == run_id, SegmentListing.customer_key.in_(keys))
    with database.read() as session:
        return [tuple(row) for row in session.execute(query)]


def _delete_latest(connection: Connection, keys: Sequence[int]) -> None:
    """Delete what came while the rest was being deleted."""
    events = select(Event.id).where(Event.customer_key.in_(keys))
    connection.execute(delete(OrderLine).where(OrderLine.event_id.in_(events)))
    connection.execute(delete(ReplacedHead).where(ReplacedHead.event_id.in_(events)))
    connection.execute(delete(Event).where(Event.customer_key.in_(keys)))
    connection.execute(delete(CustomerAttribute).where(CustomerAttribute.customer_key.in_(keys)))
    for table in _BY_CUSTOMER:
        connection.execute(delete(table).where(table.customer_key.in_(keys)))
    connection.execute(delete(WebhookDelivery).where(WebhookDelivery.event_id.in_(_told_of(keys))))
    connection.execute(delete(OutboxEvent).where(OutboxEvent.customer_key.in_(keys)))
    # Targets have no other way to learn of it: the count tells that a whole sync is due.
    told = SyncedMember.customer_key.in_(keys)
    for point_id, n in connection.execute(
        select(SyncedMember.sync_point_id, func.count()).where(told).group_by(SyncedMember.sync_point_id)
    ).all():
        connection.execute(update(SyncPoint).where(SyncPoint.id == point_id).values(erased=SyncPoint.erased + n))
    connection.execute(delete(SyncedMember).where(told))


def _delete_rows(database: Database, deletions: Deletions, key: int) -> bool:
    """Delete the rows themselves, unless something is at work that may know of them."""
    if database.is_sqlite:
        # Nothing refers to them any more. To see that for itself, SQLite would read all scores.
        driver: Any = deletions.connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
    with deletions.transaction() as connection:
        erased_at = connection.scalar(select(Customer.erased_at).where(Customer.id == key).with_for_update())
        if erased_at is None:
            # Another who was at it too has come to the end.
            return True
        for run in (TrainingRun, ScoringRun):
            if connection.scalar(select(exists().where(run.status == "running", run.started_at <= erased_at))):
                rows = select(Customer.id).where(or_(Customer.id == key, Customer.merged_into == key))
                _rename(connection, connection.scalars(rows).all(), _GONE)
                return False
        began_before = select(TrainingRun.id).where(TrainingRun.started_at <= erased_at)
        _count_erased(
            connection,
            and_(ModelVersion.registered_at > erased_at, ModelVersion.training_run_id.in_(began_before)),
        )
        connection.execute(delete(Customer).where(Customer.merged_into == key))
        connection.execute(delete(Customer).where(Customer.id == key))
    return True


def _count_erased(connection: Connection, versions: ColumnElement[bool]) -> None:
    connection.execute(update(ModelVersion).where(versions).values(erased_customers=ModelVersion.erased_customers + 1))
