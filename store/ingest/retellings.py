"""Lines of orders that are there: whether they add to the order, or tell it again and are compared with it."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from store.event_rows import ORDER_COMPLETED, ORDER_UPDATED
from store.ingest.batch import Batch, KnownEvents, Rows, optional
from store.ingest.orders import LineContent, OrderComparison, stored_identities
from store.ingest.prepared_rows import Sender
from store.ingest.written import OrderConflict

__all__ = ["Retellings"]


class Retellings:
    """Finds lines that tell orders again, inside the transactions that the caller begins.

    Parameters
    ----------
    connection : Connection
    tells_whole_orders : bool
        Whether rows are of calls, each of which tells a completed order as a whole: told by another call, an order that
        is there takes no more lines. The rows of a file, whose message ids may be those of lines, add to their orders.
    """

    def __init__(self, connection: Connection, *, tells_whole_orders: bool) -> None:
        self._connection = connection
        self._tells_whole_orders = tells_whole_orders

    def divide(
        self,
        batch: Batch,
        known: KnownEvents,
        sender: Sender,
        has_others: NDArray[np.bool_],
        comparison: OrderComparison,
    ) -> tuple[Rows, Rows]:
        """Return the lines that their orders take, unless they are there, and those that tell an order otherwise.

        Parameters
        ----------
        batch : Batch
        known : KnownEvents
        sender : Sender
        has_others : bool, one a row
            Whether ids were merged into the row's customer.
        comparison : OrderComparison
            What it has counted of the same file or call before.
        """
        # Without an order id, a head that is there has its line.
        lines = batch.is_line & (known.event_id > 0)[batch.event]
        fits = (known.source_id == sender.source_id)[batch.event] & (
            known.has_message_id[batch.event] == batch.has_message_id
        )
        if known.stored and self._tells_whole_orders:
            fits &= ~self._by_another_call(batch, known)
        may_be_there = lines & fits & has_others & ~batch.has_message_id
        if may_be_there.any():
            lines[self._under_another_id(batch, np.flatnonzero(may_be_there), known, comparison)] = False
        return np.flatnonzero(lines & fits), np.flatnonzero(lines & ~fits)

    def conflicts(
        self, batch: Batch, lines: Rows, known: KnownEvents, comparison: OrderComparison
    ) -> list[OrderConflict]:
        """Return those of the lines that tell an order otherwise which it does not have already."""
        if not len(lines):
            return []
        # Several refunds of an order may have equal lines; a completed order is one, whenever it is told.
        contents = self._contents(batch, lines, known, by_instant=batch.is_refund[lines])
        are_there = comparison.already_there(self._connection, contents, are_otherwise=True)
        sources = {row.id: row.name for row in self._connection.execute(text("SELECT id, name FROM source"))}
        rows, events = batch.rows.take(lines), batch.event[lines]
        order_ids = rows.order_id.tolist()
        conflicts = []
        for line, is_there in enumerate(are_there):
            if not is_there:
                source = sources[int(known.source_id[events[line]])]
                how = "with" if known.has_message_id[events[line]] else "without"
                reason = (
                    f"order {order_ids[line]} is stored already from source “{source}” {how} message ids, and has no "
                    f"such line there; {self._remedy}"
                )
                conflicts.append(OrderConflict(int(rows.line[line]), str(order_ids[line]), reason))
        return conflicts

    @property
    def _remedy(self) -> str:
        if self._tells_whole_orders:
            return f"tell it once, and what has changed as {ORDER_UPDATED}"
        return "remove one of the two, or name the same source"

    def _by_another_call(self, batch: Batch, known: KnownEvents) -> NDArray[np.bool_]:
        """Say which rows are of calls that tell completed orders anew; a call that is sent again has lines there.

        Without a message id no call is known again: all are compared.
        """
        rows, event = batch.rows, batch.event
        # All rows of the call, since what is negative in an order is a refund.
        of_whole = np.isin(rows.line, rows.line[rows.event.where(ORDER_COMPLETED.__eq__)])
        again = np.flatnonzero(of_whole & ~known.is_new[event] & (known.event_id > 0)[event])
        event_ids = known.event_id[event[again]].tolist()
        there = stored_identities(self._connection, event_ids)
        is_there = [
            bool(batch.has_message_id[row]) and (event_id, batch.own[row]) in there
            for event_id, row in zip(event_ids, again.tolist(), strict=True)
        ]
        sent_again = rows.line[again[np.array(is_there, dtype=np.bool_)]]
        by_another = np.zeros(len(rows), dtype=np.bool_)
        by_another[again] = ~np.isin(rows.line[again], sent_again)
        return by_another

    def _under_another_id(
        self, batch: Batch, lines: Rows, known: KnownEvents, comparison: OrderComparison
    ) -> NDArray[np.intp]:
        """Return the lines without message ids that are there, told under whichever id of their customer.

        Their identities hold the ids under which they were told, and their places among the equals of that id alone: a
        line that is not there though its identity is gets another.
        """
        contents = self._contents(batch, lines, known, by_instant=np.ones(len(lines), dtype=np.bool_))
        are_there = np.array(comparison.already_there(self._connection, contents, are_otherwise=False), dtype=np.bool_)
        taken = stored_identities(self._connection, {content.event_id for content in contents})
        for row in lines[~are_there].tolist():
            event_id = int(known.event_id[batch.event[row]])
            while (event_id, batch.own[row]) in taken:
                batch.own[row] = blake2b(batch.own[row], digest_size=16).digest()
            taken.add((event_id, batch.own[row]))
        return lines[are_there]

    @staticmethod
    def _contents(batch: Batch, lines: Rows, known: KnownEvents, *, by_instant: NDArray[np.bool_]) -> list[LineContent]:
        rows = batch.rows.take(lines)
        value = rows.value * rows.rate
        return [
            LineContent(*content)
            for content in zip(
                known.event_id[batch.event[lines]].tolist(),
                optional(rows.reported_at, ~by_instant),
                rows.product.tolist(),
                optional(rows.quantity, np.isnan(rows.quantity)),
                optional(value, np.isnan(value)),
                strict=True,
            )
        ]
