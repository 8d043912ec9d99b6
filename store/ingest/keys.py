"""Texts that are kept once (customers, products, event names …) and the keys that stand for them in events."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from store.ingest.staging import NewRows, StagingTable
from store.ingest.texts import Texts

__all__ = ["KeyCache"]

_LARGEST_CACHE = 500_000


class KeyCache:
    """Finds the keys of texts, and stores texts that are new.

    Parameters
    ----------
    connection : Connection
        What it works on, inside the transactions that the caller begins.
    table : str
        Name of the table.
    column : str
        Its unique column of texts.
    **always : int
        What else a new row holds.

    Attributes
    ----------
    created : set of str
        The texts that the last call of `keys` has stored.
    always : tuple of int
        Values of what else a new row holds, from now on.

    Notes
    -----
    What it has found it remembers, up to half a million texts. A transaction that is rolled back takes the rows back
    but not the memory: the cache must not outlive it, or be told of it by `rolled_back`.
    """

    def __init__(self, connection: Connection, table: str, column: str, **always: int) -> None:
        self._connection = connection
        self.always = tuple(always.values())
        self._keys: dict[str, int] = {}
        # The keys of the texts that were last asked for by code: chunks are written in several transactions.
        self._values: tuple[str, ...] = ()
        self._by_code = np.zeros(1, dtype=np.int64)
        self.created: set[str] = set()
        self._new = NewRows(table, (column, *always), key=(column,), returning=(column, "id"))
        self._wanted = StagingTable(table, (column,), name=f"wanted_{table}")
        self._select = f"SELECT t.{column}, t.id FROM {self._wanted.name} i JOIN {table} t ON t.{column} = i.{column}"
        self._is_ready = False
        # PostgreSQL would use up a number for each text that is there already. After adding, another process may have
        # been faster.
        is_sqlite = connection.dialect.name == "sqlite"
        self._steps = (self._add, self._find) if is_sqlite else (self._find, self._add, self._find)

    def keys(self, texts: Iterable[str]) -> dict[str, int]:
        """Return the key of each text; the mapping holds at least these texts."""
        asked = set(texts)
        wanted = self._unknown(asked)
        if len(self._keys) + len(wanted) > _LARGEST_CACHE:
            self._clear()
            wanted = asked
        self.created = set()
        for step in self._steps:
            if not wanted:
                break
            self._keys.update(step(sorted(wanted)))
            wanted = self._unknown(wanted)
        return self._keys

    def _unknown(self, texts: set[str]) -> set[str]:
        # Not a difference of sets: that would walk through all that is remembered.
        return {text for text in texts if text not in self._keys}

    def of(self, texts: Texts) -> NDArray[np.int64]:
        """Return the key of each row's text, 0 for none."""
        if self._values is not texts.values:
            self._values, self._by_code = texts.values, np.zeros(len(texts.values) + 1, dtype=np.int64)
        unknown = np.unique(texts.codes[texts.given & (self._by_code[texts.codes] == 0)])
        if len(unknown):
            names = [texts.values[code] for code in unknown.tolist()]
            keys = self.keys(names)
            self._by_code[unknown] = [keys[name] for name in names]
        return self._by_code[texts.codes]

    def forget(self) -> None:
        """Remember nothing: somebody else may have taken rows away."""
        self._clear()
        self._forget_codes()

    def rolled_back(self) -> None:
        """Remember nothing, and make anew what it needs on the connection."""
        self.forget()
        self._is_ready = False

    def _clear(self) -> None:
        self._keys.clear()

    def _forget_codes(self) -> None:
        self._values, self._by_code = (), np.zeros(1, dtype=np.int64)

    def _find(self, texts: list[str]) -> dict[str, int]:
        self._prepare()
        self._wanted.fill(self._connection, [texts])
        return dict(self._wanted.run(self._connection, self._select))

    def _add(self, texts: list[str]) -> dict[str, int]:
        self._prepare()
        always = [[value] * len(texts) for value in self.always]
        added = dict(self._new.add(self._connection, [texts, *always]))
        self.created = set(added)
        return added

    def _prepare(self) -> None:
        if not self._is_ready:
            self._wanted.create(self._connection)
            self._new.prepare(self._connection)
            self._is_ready = True
