"""Stores for a moment: what is told in one request is stored as anywhere else, read as anywhere else, and gone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock

from sqlalchemy import Select, insert, or_, select
from sqlalchemy.orm import Session

from store.api_keys import find_or_create_source
from store.engine import Database
from store.ingest.calls import Calls
from store.ingest.live import LiveRequest, LiveResult, LiveWriter
from store.keyed_hash import KeyedHash
from store.schema import upgrade
from store.tables import (
    Base,
    Category,
    Channel,
    Customer,
    CustomerAttribute,
    Event,
    EventType,
    OrderLine,
    Product,
    Source,
)

__all__ = ["Scratch", "ScratchStores"]

_SOURCE = "hypothetical"
# In memory, where the system has such a folder: nothing here has to outlive anything.
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - whose folder is made by mkdtemp


class Scratch:
    """A store of one's own.

    Parameters
    ----------
    database : Database
        Empty.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def copy(self, session: Session, customer_key: int) -> None:
        """Store what another database holds of a customer, under the same keys.

        Parameters
        ----------
        session : Session
            Of the other database.
        customer_key : int
            The customer's own.
        """
        with self.database.write() as own:
            for table, rows in _rows_of(customer_key):
                found = [dict(row) for row in session.execute(rows).mappings()]
                if found:
                    own.execute(insert(table), found)

    def tell(self, calls: Calls, *, received_at: datetime) -> LiveResult:
        """Store what calls tell, by the rules of live events."""
        with self.database.write() as session:
            source = find_or_create_source(session, _SOURCE)
        # Whoever was erased elsewhere is unknown here.
        writer = LiveWriter(self.database, KeyedHash(b"\0" * 32))
        try:
            (result,) = writer.write([LiveRequest(source.id, source.name, received_at, calls, b"\0" * 32, 0)])
        finally:
            writer.close()
        return result


class ScratchStores:
    """Opens stores for a moment, each a copy of one that is made at the first call."""

    def __init__(self) -> None:
        self._empty: Path | None = None
        self._making = Lock()

    @contextmanager
    def open(self) -> Iterator[Scratch]:
        """Open one for the body."""
        empty = self._made()
        with tempfile.TemporaryDirectory(dir=empty.parent) as folder:
            database = Database(f"sqlite:///{shutil.copy(empty, folder)}")
            try:
                yield Scratch(database)
            finally:
                database.close()

    def close(self) -> None:
        """Remove all; none is to be open."""
        with self._making:
            if self._empty is not None:
                shutil.rmtree(self._empty.parent)
                self._empty = None

    def _made(self) -> Path:
        with self._making:
            if self._empty is None:
                folder = tempfile.mkdtemp(prefix="regulars-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None)
                empty = Path(folder) / "empty.db"
                database = Database(f"sqlite:///{empty}")
                upgrade(database)
                database.close()
                self._empty = empty
            return self._empty


def _rows_of(customer_key: int) -> Iterator[tuple[type[Base], Select[tuple[object, ...]]]]:
    """Yield tables and which of their rows a customer has, each after those to which its rows point."""
    events = select(Event.id).where(Event.customer_key == customer_key)
    lines = OrderLine.event_id.in_(events)
    of_events = Event.customer_key == customer_key
    for table, condition in (
        (Source, Source.id.in_(select(Event.source_id).where(of_events))),
        (EventType, EventType.id.in_(select(Event.event_type_id).where(of_events))),
        (Channel, Channel.id.in_(select(Event.channel_id).where(of_events))),
        (Product, Product.id.in_(select(OrderLine.product_key).where(lines))),
        (Category, Category.id.in_(select(OrderLine.category_id).where(lines))),
        (Customer, or_(Customer.id == customer_key, Customer.merged_into == customer_key)),
        (CustomerAttribute, CustomerAttribute.customer_key == customer_key),
        (Event, of_events),
        (OrderLine, lines),
    ):
        # Customers that were merged come after the one that they point to.
        order = [Customer.merged_into.is_not(None)] if table is Customer else []
        yield table, select(*table.__table__.columns).where(condition).order_by(*order)
