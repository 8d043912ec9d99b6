"""Ids of customers who were erased: known by their keyed hashes alone, and kept out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from store.ingest.rejections import Rejection
from store.keyed_hash import KeyedHash

__all__ = ["ErasedIds", "rejection_of_erased"]

_IDS_A_STATEMENT = 500


class ErasedIds:
    """Tells which ids were erased.

    Parameters
    ----------
    connection : Connection
        What it works on, inside the transactions that the caller begins.
    keyed_hash : KeyedHash
        Under the key under which they were erased.
    """

    def __init__(self, connection: Connection, keyed_hash: KeyedHash) -> None:
        self._connection = connection
        self._keyed_hash = keyed_hash
        self._mark = "?" if connection.dialect.name == "sqlite" else "%s"

    def among(self, customer_ids: Sequence[str]) -> set[str]:
        """Return those of some ids that were erased."""
        driver: Any = self._connection.connection.driver_connection
        if driver.execute("SELECT 1 FROM erased_customer LIMIT 1").fetchone() is None:
            return set()
        erased: set[str] = set()
        for start in range(0, len(customer_ids), _IDS_A_STATEMENT):
            by_hash = {self._keyed_hash.of(id_): id_ for id_ in customer_ids[start : start + _IDS_A_STATEMENT]}
            marks = ", ".join([self._mark] * len(by_hash))
            found: Iterable[tuple[bytes]] = driver.execute(
                f"SELECT id_hash FROM erased_customer WHERE id_hash IN ({marks})", tuple(by_hash)
            )
            erased.update(by_hash[bytes(id_hash)] for (id_hash,) in found)
        return erased


def rejection_of_erased(line: int) -> Rejection:
    """Reject what came of an erased customer; the id is not repeated."""
    return Rejection.of(line, "", None, "erased", "is of a customer who was erased, of whom nothing is kept any more")
