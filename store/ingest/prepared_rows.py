"""Rows on their way into a transaction, and who tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.ingest.batch import Batch, EventDetails
from store.ingest.canonical import CanonicalRows
from store.ingest.identity import RowIdentities

__all__ = ["PreparedRows", "Sender"]


class Sender(NamedTuple):
    """Who tells of rows, and when they came.

    Attributes
    ----------
    source_id : int
        Key of the source.
    received_at : int
        Microseconds since 1970-01-01 UTC.
    """

    source_id: int
    received_at: int


@dataclass(frozen=True, slots=True, eq=False)
class PreparedRows:
    """Rows to be written at once, with all that can be worked out before a transaction begins.

    Attributes
    ----------
    rows : CanonicalRows
    identities : RowIdentities
    batch : Batch
        The same without those that stand in it twice.
    details : EventDetails
    order_keys : list of int or None, one an event
    """

    rows: CanonicalRows
    identities: RowIdentities
    batch: Batch
    details: EventDetails
    order_keys: list[int | None]

    @classmethod
    def of(cls, rows: CanonicalRows, identities: RowIdentities) -> PreparedRows:
        """Work it out."""
        batch = Batch(rows, identities)
        return cls(rows, identities, batch, batch.details(), batch.order_keys())

    def only(self, kept: NDArray[np.bool_]) -> PreparedRows:
        """Return some of the rows, prepared anew."""
        own = [identity for identity, is_kept in zip(self.identities.own, kept.tolist(), strict=True) if is_kept]
        identities = RowIdentities(own, self.identities.heads, self.identities.head[kept])
        return PreparedRows.of(self.rows.take(kept), identities)
