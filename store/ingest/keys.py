"""Texts that are kept once (customers, products, event names …) and the keys that stand for them in events."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table, bindparam, select, text

from store.tables import Base

__all__ = ["KeyCache"]

_TEXTS_A_STATEMENT = 500
_LARGEST_CACHE = 500_000


class KeyCache:
    """Finds the keys of texts, and stores texts that are new.

    Parameters
    ----------
    table : str
        Name of the table.
    column : str
        Its unique column of texts.
    **always : int
        What else a new row holds.

    Notes
    -----
    What it has found it remembers, up to half a million texts; a transaction that is rolled back takes the rows back
    but not the memory, so the cache must not outlive it.

    Attributes
    ----------
    created : set of str
        The texts that the last call of `keys` has stored.
    """

    def __init__(self, table: str, column: str, **always: int) -> None:
        self._column = column
        self._always = always
        self._keys: dict[str, int] = {}
        self.created: set[str] = set()
        found: Table = Base.metadata.tables[table]
        text_of = found.c[column]
        self._select = select(text_of, found.c.id).where(text_of.in_(bindparam("texts", expanding=True)))
        columns = [column, *always]
        self._insert = text(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)}) "
            f"ON CONFLICT ({column}) DO NOTHING"
        )

    def keys(self, connection: Connection, texts: Iterable[str]) -> dict[str, int]:
        """Return the key of each text, inside the transaction of `connection`.

        The mapping holds at least these texts.
        """
        wanted = set(texts)
        if len(self._keys) + len(wanted) > _LARGEST_CACHE:
            self._keys.clear()
        # In one order everywhere, so that two processes never wait for each other.
        unknown = sorted(wanted - self._keys.keys())
        self.created = set()
        if unknown:
            self._find(connection, unknown)
            new = [name for name in unknown if name not in self._keys]
            if new:
                self.created = set(new)
                connection.execute(self._insert, [{self._column: name, **self._always} for name in new])
                self._find(connection, new)
        return self._keys

    def _find(self, connection: Connection, texts: list[str]) -> None:
        for start in range(0, len(texts), _TEXTS_A_STATEMENT):
            found = connection.execute(self._select, {"texts": texts[start : start + _TEXTS_A_STATEMENT]})
            self._keys.update((name, key) for name, key in found)
