"""Writes canonical rows: short transactions that add what is new and leave what is already there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from store.engine import Database
from store.events import REFUND_EVENTS
from store.ingest.batch import Batch
from store.ingest.canonical import CanonicalRows
from store.ingest.identity import RowIdentities
from store.ingest.keys import KeyCache
from store.ingest.orders import HeadDetails, LineContent, OrderComparison, StoredHead, merge
from store.ingest.staging import StagingTable, load

__all__ = ["ROWS_A_TRANSACTION", "EventWriter", "OrderConflict", "Written"]

ROWS_A_TRANSACTION = 2_048

_EVENTS = StagingTable(
    "event",
    (
        "customer_key",
        "event_type_id",
        "occurred_at",
        "reported_at",
        "received_at",
        "source_id",
        "has_message_id",
        "identity",
        "order_id",
        "order_key",
        "value",
        "channel_id",
        "properties",
    ),
)
_LINES = StagingTable(
    "order_line",
    ("event_id", "identity", "occurred_at", "product_key", "category_id", "quantity", "value", "discount"),
)

# Sorted, so that processes that store the same rows wait for each other in one order and never in a circle.
_INSERT_EVENTS = (
    f"INSERT INTO event ({_EVENTS.columns}) SELECT {_EVENTS.columns} FROM {_EVENTS.name} ORDER BY identity "
    "ON CONFLICT (identity) DO NOTHING RETURNING identity, id"
)
_INSERT_LINES = (
    f"INSERT INTO order_line ({_LINES.columns}) SELECT {_LINES.columns} FROM {_LINES.name} ORDER BY event_id, identity "
    "ON CONFLICT (event_id, identity) DO NOTHING RETURNING identity"
)
_STORED_HEADS = (
    "SELECT e.identity, e.id, e.source_id, e.has_message_id, e.occurred_at, e.reported_at, e.properties, c.name "
    f"FROM {_EVENTS.name} i JOIN event e ON e.identity = i.identity LEFT JOIN channel c ON c.id = e.channel_id "
    "WHERE i.order_id IS NOT NULL ORDER BY e.id"
)
_UPDATE_HEAD = text(
    "UPDATE event SET occurred_at = :occurred_at, reported_at = :reported_at, properties = :properties, "
    "channel_id = :channel_id WHERE id = :id"
)


@dataclass(frozen=True, slots=True)
class OrderConflict:
    """A line of an order that another source has told otherwise.

    Attributes
    ----------
    line : int
        Where the row stands in its file or request.
    order_id : str
    reason : str
        Names the source that has the order.
    """

    line: int
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of some rows; the numbers and the conflicts add up to them.

    Attributes
    ----------
    stored, already_there : int
    conflicts : list of OrderConflict
        Rows that were not stored.
    refunds : list of (int, bytes)
        Customer key and identity of each refund among those stored.
    """

    stored: int
    already_there: int
    conflicts: list[OrderConflict]
    refunds: list[tuple[int, bytes]]


class EventWriter:
    """Writes the rows of one file or request.

    Parameters
    ----------
    database, connection
        A connection of `Database.bulk`; the writer begins its own short transactions on it.
    source_id : int
        Key of the source of the rows.
    received_at : int
        Microseconds since 1970-01-01 UTC.
    """

    def __init__(self, database: Database, connection: Connection, *, source_id: int, received_at: int) -> None:
        self._database = database
        self._connection = connection
        self._source_id = source_id
        self._received_at = received_at
        self._customers = KeyCache(connection, "customer", "customer_id", created_at=received_at)
        self._event_types = KeyCache(connection, "event_type", "name")
        self._products = KeyCache(connection, "product", "product_id")
        self._categories = KeyCache(connection, "category", "levels")
        self._channels = KeyCache(connection, "channel", "name")
        self._comparison = OrderComparison()
        with database.transaction(connection):
            _EVENTS.create(connection)
            _LINES.create(connection)

    def write(self, rows: CanonicalRows, identities: RowIdentities) -> Written:
        """Store what is new of some thousand rows, in one transaction: all or nothing."""
        batch = Batch(rows, identities)
        with self._database.transaction(self._connection):
            new = self._insert_events(batch)
            stored_heads = self._stored_heads(new) if len(new) < len(batch.details) else {}
            fitting, conflicting = self._fit_lines(batch, new, stored_heads)
            new_lines = self._insert_lines(batch, fitting, new)
            self._update_heads(batch, stored_heads, fitting, new_lines)
            conflicts = self._compare(batch, conflicting, stored_heads)
            customers = self._customers.keys(set(batch.customer_id))
        stored_rows = [row for row, own in enumerate(batch.own) if own in (new_lines if batch.is_line[row] else new)]
        # A request may hold a row twice; it is stored once.
        stored = len({batch.own[row] for row in stored_rows})
        refunds = [
            (customers[batch.customer_id[row]], batch.own[row])
            for row in stored_rows
            if batch.event[row] in REFUND_EVENTS
        ]
        return Written(stored, len(rows) - stored - len(conflicts), conflicts, refunds)

    def _insert_events(self, batch: Batch) -> dict[bytes, int]:
        """Store events by themselves and heads of orders; return the id of each that is new."""
        connection = self._connection
        customers = self._customers.keys(batch.customer_id)
        event_types = self._event_types.keys(batch.event)
        channels = self._channels.keys(_given(batch.channel))
        _EVENTS.fill(
            connection,
            [
                (
                    customers[batch.customer_id[row]],
                    event_types[batch.event[row]],
                    details.occurred_at,
                    details.reported_at,
                    self._received_at,
                    self._source_id,
                    batch.has_message_id[row],
                    identity,
                    batch.order_id[row],
                    batch.order_key(row),
                    None if batch.is_line[row] else batch.value[row],
                    None if details.channel is None else channels[details.channel],
                    details.properties,
                )
                for (identity, details), row in zip(batch.details.items(), batch.first_row.values(), strict=True)
            ],
        )
        return dict(_EVENTS.run(connection, _INSERT_EVENTS))

    def _stored_heads(self, new: dict[bytes, int]) -> dict[bytes, StoredHead]:
        """Read the heads of orders that were there before, and keep others from changing them meanwhile."""
        lock = "" if self._database.is_sqlite else " FOR NO KEY UPDATE OF e"
        return {
            bytes(identity): StoredHead(event_id, source_id, bool(has_message_id), HeadDetails(*details))
            for identity, event_id, source_id, has_message_id, *details in self._connection.exec_driver_sql(
                _STORED_HEADS + lock
            )
            if bytes(identity) not in new
        }

    def _fit_lines(
        self, batch: Batch, new: dict[bytes, int], stored_heads: dict[bytes, StoredHead]
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return (row, event id) of the lines that their orders take, and of those that must be compared with it."""
        fitting: list[tuple[int, int]] = []
        conflicting: list[tuple[int, int]] = []
        for row in batch.lines:
            head = batch.head[row]
            stored_head = stored_heads.get(head)
            if stored_head is None:
                # Without an order id, a head that is there has its line.
                if (event_id := new.get(head)) is None:
                    continue
                fits = batch.has_message_id[row] == batch.has_message_id[batch.first_row[head]]
            else:
                event_id = stored_head.event_id
                fits = (stored_head.source_id, stored_head.has_message_id) == (
                    self._source_id,
                    batch.has_message_id[row],
                )
            (fitting if fits else conflicting).append((row, event_id))
        return fitting, conflicting

    def _insert_lines(self, batch: Batch, lines: Sequence[tuple[int, int]], new: dict[bytes, int]) -> set[bytes]:
        """Store lines of orders; return the identities of those that are new."""
        if not lines:
            return set()
        connection = self._connection
        products = self._products.keys(_given(batch.product))
        categories = self._categories.keys(_given(batch.category))
        # By identity, because a request may hold a row twice.
        of_new_orders: dict[bytes, tuple[object, ...]] = {}
        of_stored_orders: dict[bytes, tuple[object, ...]] = {}
        for row, event_id in lines:
            own, product, category = batch.own[row], batch.product[row], batch.category[row]
            (of_new_orders if batch.head[row] in new else of_stored_orders)[own] = (
                event_id,
                own,
                batch.occurred_at[row],
                None if product is None else products[product],
                None if category is None else categories[category],
                batch.quantity[row],
                batch.value[row],
                batch.discount[row],
            )
        # Nobody else can have lines of an order that is only now being stored.
        load(connection, "order_line", _LINES.column_names, of_new_orders.values())
        new_lines = set(of_new_orders)
        if of_stored_orders:
            _LINES.fill(connection, of_stored_orders.values())
            new_lines.update(identity for (identity,) in _LINES.run(connection, _INSERT_LINES))
        return new_lines

    def _update_heads(
        self,
        batch: Batch,
        stored_heads: dict[bytes, StoredHead],
        lines: Iterable[tuple[int, int]],
        new_lines: set[bytes],
    ) -> None:
        """Let the heads that were there before take what they have from their earliest line."""
        merged: dict[bytes, HeadDetails] = {}
        for row, _ in lines:
            head = batch.head[row]
            if head in stored_heads and batch.own[row] in new_lines:
                merged[head] = merge(merged.get(head, stored_heads[head].details), batch.row_details(row))
        changed = sorted(
            (stored_heads[head].event_id, details)
            for head, details in merged.items()
            if details != stored_heads[head].details
        )
        if changed:
            channels = self._channels.keys(_given(details.channel for _, details in changed))
            self._connection.execute(
                _UPDATE_HEAD,
                [
                    {
                        "id": event_id,
                        "occurred_at": details.occurred_at,
                        "reported_at": details.reported_at,
                        "properties": details.properties,
                        "channel_id": None if details.channel is None else channels[details.channel],
                    }
                    for event_id, details in changed
                ],
            )

    def _compare(
        self, batch: Batch, lines: Sequence[tuple[int, int]], stored_heads: dict[bytes, StoredHead]
    ) -> list[OrderConflict]:
        """Return the lines that their order, told by another source, does not have already."""
        if not lines:
            return []
        contents = [
            LineContent(event_id, batch.reported_at[row], batch.product[row], batch.quantity[row], batch.value[row])
            for row, event_id in lines
        ]
        known = self._comparison.already_there(self._connection, contents)
        sources = {row.id: row.name for row in self._connection.execute(text("SELECT id, name FROM source"))}
        conflicts = []
        for (row, _), is_known in zip(lines, known, strict=True):
            if not is_known:
                head = stored_heads.get(batch.head[row])
                source_id = self._source_id if head is None else head.source_id
                has_message_id = not batch.has_message_id[row] if head is None else head.has_message_id
                how = "with" if has_message_id else "without"
                reason = (
                    f"order {batch.order_id[row]} is stored already from source “{sources[source_id]}” {how} message "
                    "ids, and has no such line there; remove one of the two, or name the same source"
                )
                conflicts.append(OrderConflict(batch.line[row], str(batch.order_id[row]), reason))
        return conflicts


def _given(texts: Iterable[str | None]) -> set[str]:
    return {name for name in texts if name is not None}
