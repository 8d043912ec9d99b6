"""Where customers went between segments since the run before, as a table: from the rows to the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from models.segments import SEGMENTS
from service.run_aggregates import Transitions
from service.segment_rules import TITLES

__all__ = ["MoveCell", "MovesRow", "MovesTable"]

_NEW_CUSTOMERS = "Not in that run"


@dataclass(frozen=True, slots=True)
class MoveCell:
    """How many went from the row's segment to the column's; `share` of the row, `stayed` where both are the same."""

    customers: int
    share: float
    stayed: bool


@dataclass(frozen=True, slots=True)
class MovesRow:
    """Customers of one segment in the run before: one cell a column."""

    segment_title: str
    customers: int
    cells: tuple[MoveCell, ...]


@dataclass(frozen=True, slots=True)
class MovesTable:
    """Moves by primary segment; segments that nobody was or is in have no row, or column.

    Attributes
    ----------
    run_before : int
    columns : tuple of str
        Titles of segments now.
    rows : tuple of MovesRow
        By segment before; who was not in that run is last.
    moved : int
        Customers who were in that run in another primary segment than now.
    """

    run_before: int
    columns: tuple[str, ...]
    rows: tuple[MovesRow, ...]
    moved: int

    @classmethod
    def of(cls, transitions: Transitions) -> Self:
        """Lay out what a run stored."""
        counts = {(before, now): n for before, now, n in transitions.moves}
        columns = [name for name in SEGMENTS if any(now == name for _, now in counts)]
        rows = []
        for before in (*SEGMENTS, None):
            of_row = [counts.get((before, now), 0) for now in columns]
            if not (total := sum(of_row)):
                continue
            cells = [MoveCell(n, n / total, now == before) for now, n in zip(columns, of_row, strict=True)]
            rows.append(MovesRow(_NEW_CUSTOMERS if before is None else TITLES[before], total, tuple(cells)))
        moved = sum(n for (before, now), n in counts.items() if before not in (None, now))
        return cls(transitions.run_before, tuple(TITLES[name] for name in columns), tuple(rows), moved)
