"""Texts that are kept once (customers, products, event names …) and the keys that stand for them in events."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from store.ingest.staging import StagingTable

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

    Notes
    -----
    What it has found it remembers, up to half a million texts; a transaction that is rolled back takes the rows back
    but not the memory, so the cache must not outlive it.
    """

    def __init__(self, connection: Connection, table: str, column: str, **always: int) -> None:
        self._connection = connection
        self._incoming = StagingTable(table, (column,))
        self._keys: dict[str, int] = {}
        self.created: set[str] = set()
        name = self._incoming.name
        self._select = f"SELECT t.{column}, t.id FROM {name} i JOIN {table} t ON t.{column} = i.{column}"
        columns = ", ".join([column, *always])
        values = ", ".join([column, *(str(int(value)) for value in always.values())])
        # In one order everywhere, so that two processes never wait for each other in a circle.
        self._insert = (
            f"INSERT INTO {table} ({columns}) SELECT {values} FROM {name} ORDER BY {column} "
            f"ON CONFLICT ({column}) DO NOTHING RETURNING {column}, id"
        )
        self._is_ready = False

    def keys(self, texts: Iterable[str]) -> dict[str, int]:
        """Return the key of each text; the mapping holds at least these texts."""
        wanted = set(texts)
        if len(self._keys) + len(wanted) > _LARGEST_CACHE:
            self._keys.clear()
        self.created = set()
        self._find(wanted - self._keys.keys())
        unknown = wanted - self._keys.keys()
        if unknown:
            self._incoming.fill(self._connection, [(text,) for text in unknown])
            new = dict(self._incoming.run(self._connection, self._insert))
            self._keys.update(new)
            self.created = set(new)
            # Another process may have stored some in between.
            self._find(unknown - new.keys())
        return self._keys

    def _find(self, texts: set[str]) -> None:
        if texts:
            if not self._is_ready:
                self._incoming.create(self._connection)
                self._is_ready = True
            self._incoming.fill(self._connection, [(text,) for text in texts])
            self._keys.update(dict(self._incoming.run(self._connection, self._select)))
