"""Whom ids stand for: customers, those into whom others were merged, and nobody where they were erased."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from store.customer_keys import among
from store.ingest.erased_ids import ErasedIds
from store.ingest.keys import KeyCache
from store.ingest.texts import Texts
from store.keyed_hash import KeyedHash

__all__ = ["ChangedMeanwhileError", "KnownCustomers"]

_HIDDEN = 0
_KEYS_A_STATEMENT = 5_000


class ChangedMeanwhileError(Exception):
    """What is remembered of customers is so no more; to be begun again, once it has been forgotten."""


class KnownCustomers(KeyCache):
    """Finds the keys of the customers for whom ids stand, and stores ids that are new.

    The key of an id that was merged is that of the customer it was merged into; that of one that was erased is 0.

    Parameters
    ----------
    connection : Connection
        What it works on, inside the transactions that the caller begins.
    keyed_hash : KeyedHash
        Under the key under which ids were erased.
    created_at : int
        Microseconds since 1970-01-01 UTC, of customers that are new.
    """

    def __init__(self, connection: Connection, keyed_hash: KeyedHash, *, created_at: int) -> None:
        super().__init__(connection, "customer", "customer_id", created_at=created_at)
        # Most are known, and to find out by an insertion that fails takes longer than to ask, on either engine.
        self._steps = (self._find, self._add, self._find)
        self._erased = ErasedIds(connection, keyed_hash)
        self._merged: set[str] = set()
        self._stand_for_others: set[int] = set()
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._select = (
            "SELECT c.customer_id, CASE WHEN c.erased_at IS NOT NULL OR target.erased_at IS NOT NULL "
            f"THEN {_HIDDEN} ELSE coalesce(c.merged_into, c.id) END, c.merged_into IS NOT NULL "
            f"FROM {self._wanted.name} i JOIN customer c ON c.customer_id = i.customer_id "
            "LEFT JOIN customer target ON target.id = c.merged_into"
        )

    def is_merged(self, customer_id: str) -> bool:
        """Whether an id, which was asked for before, stands for another customer."""
        return customer_id in self._merged

    def standing_for_others(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether ids were merged into each of some customers, all of them held."""
        if not self._stand_for_others:
            return np.zeros(len(keys), dtype=np.bool_)
        return np.isin(keys, np.fromiter(self._stand_for_others, dtype=np.int64))

    def stands_for(self, customer_ids: Iterable[str], key: int) -> None:
        """Remember that ids stand for another customer from now on."""
        self._stand_for_others.add(key)
        for customer_id in customer_ids:
            self._merged.add(customer_id)
            self._keys[customer_id] = key
        self._forget_codes()

    def hold(self, keys: Iterable[int], *, to_merge: bool = False) -> None:
        """Keep others from writing of customers, or merging or erasing them, until the transaction ends.

        Parameters
        ----------
        keys : iterable of int
            0 among them is passed over.
        to_merge : bool
            Also keep others from referring to them.

        Raises
        ------
        ChangedMeanwhileError
            One of them has been merged or erased since it was read.
        """
        wanted = sorted(set(keys) - {_HIDDEN})
        # SQLite has one writer at a time.
        if wanted and not self._is_sqlite:
            self._lock(wanted, to_merge=to_merge)
        # Asked anew once they are held: another process may have merged more into them than is remembered.
        self._stand_for_others = self._with_others(wanted)

    def _lock(self, wanted: list[int], *, to_merge: bool) -> None:
        # In one order, so that those who hold some of the same wait for each other and never in a circle. By one at a
        # time, so that sequence numbers of a customer ascend as they are committed.
        # Whether they are merged is not for it to choose by: before it analyses the table it believes that few are not.
        statement = (
            "SELECT merged_into IS NULL AND erased_at IS NULL FROM customer WHERE id = ANY(%s::integer[]) "
            f"ORDER BY id FOR {'UPDATE' if to_merge else 'NO KEY UPDATE'}"
        )
        driver: Any = self._connection.connection.driver_connection
        if driver.execute(statement, [wanted]).fetchall() != [(True,)] * len(wanted):
            raise ChangedMeanwhileError

    def _with_others(self, keys: list[int]) -> set[int]:
        driver: Any = self._connection.connection.driver_connection
        # Answered by the end of an index; where nobody was ever merged, that is all.
        if driver.execute("SELECT max(merged_into) FROM customer").fetchone() == (None,):
            return set()
        return {
            key
            for start in range(0, len(keys), _KEYS_A_STATEMENT)
            for (key,) in driver.execute(
                f"SELECT id FROM customer c WHERE id {among(keys[start : start + _KEYS_A_STATEMENT])} "
                "AND EXISTS (SELECT 1 FROM customer m WHERE m.merged_into = c.id)"
            ).fetchall()
        }

    def hold_all(self, customer_ids: Texts) -> None:
        """Find the customers of some rows and hold them; raises `ChangedMeanwhileError`."""
        self.hold(np.unique(self.of(customer_ids)).tolist())

    def _clear(self) -> None:
        super()._clear()
        self._merged.clear()

    def _find(self, texts: list[str]) -> dict[str, int]:
        self._prepare()
        self._wanted.fill(self._connection, [texts])
        found: Sequence[tuple[str, int, bool]] = self._wanted.run(self._connection, self._select)
        self._merged.update(customer_id for customer_id, _, is_merged in found if is_merged)
        return {customer_id: key for customer_id, key, _ in found}

    def _add(self, texts: list[str]) -> dict[str, int]:
        erased = self._erased.among(texts)
        added = super()._add([text for text in texts if text not in erased])
        return added | dict.fromkeys(erased, _HIDDEN)
