"""Names that tables keep once and refer to by id: read together, as what turns ids into positions among names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from store.bulk_read import read_blocks
from store.customer_keys import among

__all__ = ["NO_ID", "Names", "StoredNames", "TextCodes", "read_categories", "read_names"]

NO_ID = 0  # ids begin at 1

_IDS_A_STATEMENT = 5_000

# All of these are few. Of tables with many rows it takes the highest id alone, which is found by index.
_STATEMENT = " UNION ALL ".join(
    (
        "SELECT 'event_type', id, name FROM event_type",
        "SELECT 'channel', id, name FROM channel",
        *(f"SELECT '{table}', max(id), NULL FROM {table}" for table in ("event", "product", "category")),
    )
)


class Names(NamedTuple):
    """Names, ascending, and the position among them by id, -1 for what is no id."""

    names: tuple[str, ...]
    by_id: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Collection[tuple[int, str]]) -> Names:
        """Order rows of id and name."""
        names = tuple(sorted(name for _, name in rows))
        position = {name: i for i, name in enumerate(names)}
        by_id = np.full(max((key for key, _ in rows), default=NO_ID) + 1, -1, dtype=np.int64)
        for key, name in rows:
            by_id[key] = position[name]
        return cls(names, by_id)


@dataclass(frozen=True, slots=True)
class StoredNames:
    """What rows of events refer to.

    Attributes
    ----------
    event_types, channels : Names
    bits : dict of str to int
        By table: all its ids are below 2 to the power of this.
    """

    event_types: Names
    channels: Names
    bits: dict[str, int]


def read_names(session: Session) -> StoredNames:
    """Read the names of events and channels, and how high ids are; what is read after it in one view goes with it."""
    rows: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for block in read_blocks(session, _STATEMENT):
        for table, key, name in block:
            rows[table].append((key or NO_ID, name))
    bits = {table: max(key for key, _ in of_table).bit_length() for table, of_table in rows.items()}
    return StoredNames(Names.of(rows["event_type"]), Names.of(rows["channel"]), {"event_type": 0, "channel": 0, **bits})


def read_categories(session: Session, ids: NDArray[np.int64]) -> Names:
    """Read the levels of some categories: a business may have thousands, and a customer a few."""
    used = np.unique(ids[ids != NO_ID]).tolist()
    rows: list[Any] = []
    for start in range(0, len(used), _IDS_A_STATEMENT):
        some = among(used[start : start + _IDS_A_STATEMENT])
        for block in read_blocks(session, f"SELECT id, levels FROM category WHERE id {some}"):
            rows += block
    return Names.of(rows)


class TextCodes:
    """Turns texts into codes, in the order in which they are first met; -1 for None."""

    def __init__(self) -> None:
        self._codes = _Codes({None: -1})

    def of(self, texts: Iterable[str | None]) -> list[int]:
        """Return the code of each text."""
        return list(map(self._codes.__getitem__, texts))

    @property
    def texts(self) -> tuple[str, ...]:
        """Those met so far, by code."""
        return tuple(met for met in self._codes if met is not None)


class _Codes(dict[str | None, int]):
    """Gives a text that it is asked for the first time its code; known ones are found without a step in Python."""

    def __missing__(self, text: str) -> int:
        # The first key is None, so that the number of keys before a new one is one more than its code.
        code = self[text] = len(self) - 1
        return code
