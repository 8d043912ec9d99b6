"""Rows of many chunks brought together, to be written in order of identity.

Each row goes to a page of the index of identities that is as good as random, and in a large database nearly every row
to another one: written as they come, each is a page to log and to copy. Of half a million rows in order, those of one
transaction are neighbours, and write its pages a few rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from store.ingest.canonical import CanonicalRows
from store.ingest.chunks import ROWS_A_CHUNK
from store.ingest.identity import RowIdentities

__all__ = ["Span", "spans"]

_ROWS = 16 * ROWS_A_CHUNK


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Some rows of a file.

    Attributes
    ----------
    rows : CanonicalRows
    identities : RowIdentities
    done : float
        Share of the file that has been read with them, up to 1.
    """

    rows: CanonicalRows
    identities: RowIdentities
    done: float

    def by_head(self) -> Span:
        """Return the same in order of the identity of their heads: the lines of an order are neighbours too."""
        order, identities = self.identities.by_head()
        return Span(self.rows.take(order), identities, self.done)


def spans(parts: Iterable[Span], most_rows: int = _ROWS) -> Iterator[Span]:
    """Join the rows of successive parts, each of a few at most, into spans of about `most_rows`."""
    waiting: list[Span] = []
    n_rows = 0
    for part in parts:
        waiting.append(part)
        n_rows += len(part.rows)
        if n_rows >= most_rows:
            yield _joined(waiting)
            waiting, n_rows = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[Span]) -> Span:
    rows = CanonicalRows.joined([part.rows for part in parts])
    return Span(rows, RowIdentities.joined([part.identities for part in parts]), parts[-1].done)
