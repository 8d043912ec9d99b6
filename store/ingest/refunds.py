"""The refunds that a run has stored, and how many of them found no line to take back."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from store.engine import Database
from store.events import unmatched_refunds

__all__ = ["StoredRefunds"]

_CUSTOMERS_A_READ = 1_000
_IDENTITY_BYTES = 16


class StoredRefunds:
    """Identities of stored refunds, packed to 24 bytes each."""

    def __init__(self) -> None:
        self._customers = array("q")
        self._identities = bytearray()

    def add(self, refunds: Iterable[tuple[int, bytes]]) -> None:
        """Remember refunds, each as customer key and identity."""
        for customer, identity in refunds:
            self._customers.append(customer)
            self._identities += identity

    def count_unmatched(self, database: Database) -> int:
        """Count those that, as things stand in the database now, find no line wholly or in part."""
        customers = np.frombuffer(self._customers, dtype=np.int64) if self._customers else np.empty(0, dtype=np.int64)
        by_customer = np.argsort(customers, kind="stable")
        keys, starts = np.unique(customers[by_customer], return_index=True)
        ends = np.append(starts[1:], len(customers))
        n_unmatched = 0
        for first in range(0, len(keys), _CUSTOMERS_A_READ):
            some = slice(first, first + _CUSTOMERS_A_READ)
            ours = {self._identity(row) for row in by_customer[starts[some][0] : ends[some][-1]].tolist()}
            with database.read() as session:
                n_unmatched += len(ours & unmatched_refunds(session, keys[some].tolist()))
        return n_unmatched

    def _identity(self, row: int) -> bytes:
        return bytes(self._identities[_IDENTITY_BYTES * row : _IDENTITY_BYTES * (row + 1)])
