"""Writes canonical rows: adds what is new and leaves what is already there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from store.bulk_load import Values, load
from store.ingest.batch import Batch, KnownEvents, Rows, optional
from store.ingest.keys import KeyCache
from store.ingest.known_customers import KnownCustomers
from store.ingest.lookups import look_up_by_index
from store.ingest.merged_orders import under_one_head
from store.ingest.orders import HeadDetails, OrderComparison, StoredHead, merge
from store.ingest.prepared_rows import PreparedRows, Sender
from store.ingest.retellings import Retellings
from store.ingest.staging import NewRows, StagingTable
from store.ingest.written import Written

__all__ = ["EventWriter"]

_EVENTS = NewRows(
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
        "sequence_number",
    ),
    key=("identity",),
    returning=("identity", "id"),
)
_LINE_COLUMNS = ("event_id", "identity", "occurred_at", "product_key", "category_id", "quantity", "value", "discount")
_LINES = NewRows(
    "order_line", (*_LINE_COLUMNS, "sequence_number"), key=("event_id", "identity"), returning=("identity",)
)
_HEADS = StagingTable("event", ("identity",), name="known_head")
_STORED_HEADS = (
    "SELECT e.identity, e.id, e.source_id, e.has_message_id, e.occurred_at, e.reported_at, e.properties, c.name "
    f"FROM {_HEADS.name} i JOIN event e ON e.identity = i.identity LEFT JOIN channel c ON c.id = e.channel_id "
    "ORDER BY e.id"
)
_KEEP_HEAD = text(
    "INSERT INTO replaced_head (event_id, replaced_by, channel_id, properties) "
    "SELECT id, :number, channel_id, properties FROM event WHERE id = :id "
    # Of several earlier lines in one transaction, only what was seen before it counts.
    "AND sequence_number < :number ON CONFLICT (event_id, replaced_by) DO NOTHING"
)
_UPDATE_HEAD = text(
    "UPDATE event SET occurred_at = :occurred_at, reported_at = :reported_at, properties = :properties, "
    "channel_id = :channel_id WHERE id = :id"
)


class EventWriter:
    """Writes rows of events, inside the transactions that the caller begins.

    Parameters
    ----------
    connection : Connection
        Of `Database.bulk`.
    customers : KnownCustomers
        Of the same connection.
    tells_whole_orders : bool
        Whether rows are of calls, as `Retellings` has it.
    """

    def __init__(self, connection: Connection, customers: KnownCustomers, *, tells_whole_orders: bool) -> None:
        self._connection = connection
        self._retellings = Retellings(connection, tells_whole_orders=tells_whole_orders)
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._customers = customers
        self._event_types = KeyCache(connection, "event_type", "name")
        self._products = KeyCache(connection, "product", "product_id")
        self._categories = KeyCache(connection, "category", "levels")
        self._channels = KeyCache(connection, "channel", "name")

    def prepare(self) -> None:
        """Make what it needs on the connection, in a transaction that must not be rolled back."""
        look_up_by_index(self._connection)
        for new in (_EVENTS, _LINES):
            new.prepare(self._connection)
        _HEADS.create(self._connection)

    def forget(self) -> None:
        """Remember no keys: others may have taken the rows away."""
        for keys in self._all_keys():
            keys.forget()

    def rolled_back(self) -> None:
        """Remember nothing of a transaction that was taken back."""
        for keys in self._all_keys():
            keys.rolled_back()

    def add(self, prepared: PreparedRows, sender: Sender, comparison: OrderComparison, number: int) -> Written:
        """Store what is new.

        Parameters
        ----------
        prepared : PreparedRows
            Some thousand rows, of customers who are held.
        sender : Sender
        comparison : OrderComparison
            What it has counted of the same file or request before.
        number : int
            That of the transaction, from `next_number`.
        """
        erased: list[int] = []
        customers = self._customers.of(prepared.batch.rows.customer_id)
        if not customers.all():
            kept = self._customers.of(prepared.rows.customer_id) > 0
            erased = prepared.rows.line[~kept].tolist()
            if not kept.any():
                return Written(0, 0, np.empty(0, dtype=np.int64), [], erased, set(), [], None)
            prepared = prepared.only(kept)
            customers = self._customers.of(prepared.batch.rows.customer_id)
        has_others = self._customers.standing_for_others(customers)
        if has_others.any():
            prepared = under_one_head(self._connection, prepared, customers, has_others)
            # Its rows may stand in another order.
            customers = self._customers.of(prepared.batch.rows.customer_id)
            has_others = self._customers.standing_for_others(customers)
        batch = prepared.batch
        known = self._insert_events(prepared, customers, sender, number)
        fitting, otherwise = self._retellings.divide(batch, known, sender, has_others, comparison)
        is_stored = known.is_new[batch.event] & ~batch.is_line
        is_stored[self._insert_lines(batch, fitting, known, number)] = True
        self._update_heads(batch, known, np.flatnonzero(is_stored & batch.is_line), number)
        conflicts = self._retellings.conflicts(batch, otherwise, known, comparison)
        taken = ~np.isin(batch.rows.line, np.array([conflict.line for conflict in conflicts], dtype=np.int64))
        refunds = np.flatnonzero(is_stored & batch.is_refund).tolist()
        stored = int(np.count_nonzero(is_stored))
        return Written(
            stored=stored,
            already_there=len(prepared.rows) - stored - len(conflicts),
            new=batch.rows.line[is_stored],
            conflicts=conflicts,
            erased=erased,
            customer_keys=set(customers[is_stored].tolist()),
            refunds=[(int(customers[row]), batch.own[row]) for row in refunds],
            occurred_at=int(batch.rows.occurred_at[taken].max()) if taken.any() else None,
        )

    def _all_keys(self) -> tuple[KeyCache, ...]:
        return self._customers, self._event_types, self._products, self._categories, self._channels

    def _insert_events(
        self, prepared: PreparedRows, customers: NDArray[np.int64], sender: Sender, number: int
    ) -> KnownEvents:
        """Store events by themselves and heads of orders; return what is known of all of them then."""
        batch, details = prepared.batch, prepared.details
        connection, rows, first = self._connection, batch.rows, batch.first
        channels = self._channels.of(details.channel)
        added = _EVENTS.add(
            connection,
            [
                customers[first],
                self._event_types.of(rows.event)[first],
                details.occurred_at,
                details.reported_at,
                [sender.received_at] * len(first),
                [sender.source_id] * len(first),
                batch.has_message_id[first],
                batch.heads,
                rows.order_id.take(first).tolist(),
                prepared.order_keys,
                np.where(batch.is_line, np.nan, rows.value * rows.rate)[first],
                optional(channels, channels == 0),
                details.properties.tolist(),
                [number] * len(first),
            ],
        )
        new = {bytes(identity): event_id for identity, event_id in added}
        is_order = rows.order_id.given[first].tolist()
        stored = self._stored_heads(
            [head for head, named in zip(batch.heads, is_order, strict=True) if named and head not in new]
        )
        return KnownEvents.of(batch, new, stored, sender.source_id)

    def _stored_heads(self, identities: Sequence[bytes]) -> dict[bytes, StoredHead]:
        """Read the heads of orders that were there before, and keep others from changing them meanwhile."""
        if not identities:
            return {}
        _HEADS.fill(self._connection, [identities])
        lock = "" if self._is_sqlite else " FOR NO KEY UPDATE OF e"
        return {
            bytes(identity): StoredHead(event_id, source_id, bool(has_message_id), HeadDetails(*details))
            for identity, event_id, source_id, has_message_id, *details in _HEADS.run(
                self._connection, _STORED_HEADS + lock
            )
        }

    def _insert_lines(self, batch: Batch, lines: Rows, known: KnownEvents, number: int) -> Rows:
        """Store lines of orders; return those that are new."""
        of_new_orders = known.is_new[batch.event[lines]]
        # Nobody else can have lines of an order that is only now being stored.
        new = lines[of_new_orders]
        if len(new):
            new = new[np.argsort(known.event_id[batch.event[new]], kind="stable")]
            load(self._connection, "order_line", _LINE_COLUMNS, self._line_columns(batch, new, known))
        others = lines[~of_new_orders]
        if len(others):
            columns = [*self._line_columns(batch, others, known), [number] * len(others)]
            added = _LINES.add(self._connection, columns)
            inserted = {bytes(identity) for (identity,) in added}
            others = others[[batch.own[row] in inserted for row in others.tolist()]]
        return np.concatenate([new, others])

    def _line_columns(self, batch: Batch, lines: Rows, known: KnownEvents) -> list[Values]:
        rows = batch.rows
        products = self._products.of(rows.product.take(lines))
        categories = self._categories.of(rows.category.take(lines))
        rate = rows.rate[lines]
        return [
            known.event_id[batch.event[lines]],
            [batch.own[row] for row in lines.tolist()],
            rows.occurred_at[lines],
            optional(products, products == 0),
            optional(categories, categories == 0),
            rows.quantity[lines],
            rows.value[lines] * rate,
            rows.discount[lines] * rate,
        ]

    def _update_heads(self, batch: Batch, known: KnownEvents, new_lines: Rows, number: int) -> None:
        """Let the heads that were there before take what they have from their earliest line."""
        merged: dict[int, HeadDetails] = {}
        for row in new_lines[~known.is_new[batch.event[new_lines]]].tolist():
            event = int(batch.event[row])
            merged[event] = merge(merged.get(event, known.stored[event].details), batch.row_details(row))
        changed = sorted(
            (known.stored[event].event_id, details)
            for event, details in merged.items()
            if details != known.stored[event].details
        )
        if changed:
            channels = self._channels.keys(_given(details.channel for _, details in changed))
            self._connection.execute(_KEEP_HEAD, [{"id": event_id, "number": number} for event_id, _ in changed])
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


def _given(texts: Iterable[str | None]) -> set[str]:
    return {name for name in texts if name is not None}
