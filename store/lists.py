"""Lists of customers, of a segment or by a propensity, the highest first, a page at a time by index."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from store.engine import Database
from store.exceptions import CursorError
from store.scores import require_published_run
from store.tables import Customer, Score, ScoringRun, SegmentListing

__all__ = ["Cursor", "Page", "ScoreRow", "iterate_segment", "list_segment"]

_LARGEST = 2**31 - 1  # of what the columns hold
_NOT_OURS = "The cursor was not made by this service. Take it from `next_cursor` as it is."


class Cursor(NamedTuple):
    """Where a list goes on: its run and name, the last row seen, and how many rows came before."""

    scoring_run_id: int
    segment: str
    rank_value: float
    customer_key: int
    position: int

    def encode(self) -> str:
        """Return the cursor as opaque text."""
        return base64.urlsafe_b64encode(json.dumps(list(self)).encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read what `encode` gave; raises `CursorError` on anything else."""
        try:
            parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, RecursionError) as error:
            raise CursorError(_NOT_OURS) from error
        match parts:
            case [int(run), str(segment), float(rank_value), int(key), int(position)]:
                if math.isfinite(rank_value) and all(0 <= whole <= _LARGEST for whole in (run, key, position)):
                    return cls(run, segment, rank_value, key, position)
        raise CursorError(_NOT_OURS)


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One customer of a list: its place in it (from 1), its id and its stored score."""

    position: int
    customer_id: str
    score: Score


@dataclass(frozen=True, slots=True)
class Page:
    """Some customers of one list of one run, and where to go on (None at the end)."""

    run: ScoringRun
    rows: Sequence[ScoreRow]
    next_cursor: str | None


def list_segment(
    session: Session, segment: str, *, limit: int, cursor: str | None = None, budget: int | None = None
) -> Page:
    """Return one page of a list, the highest rank first: of a segment value at risk, or what stands for it.

    Parameters
    ----------
    session : Session
    segment : str
        A segment, or what `store.scores.propensity_list` names.
    limit : int
        Rows a page at most.
    cursor : str, optional
        From the page before; the list goes on in the run that it began with.
    budget : int, optional
        Rows of all pages together at most.

    Returns
    -------
    Page

    Raises
    ------
    CursorError
        The cursor is not one of ours, belongs to another list, or its run is gone.
    StoreError
        Nobody has been scored yet.
    """
    if cursor is None:
        run, after, position = require_published_run(session), None, 0
    else:
        decoded = Cursor.decode(cursor)
        found = session.get(ScoringRun, decoded.scoring_run_id)
        if found is None or found.status != "completed":
            raise CursorError("The list that this cursor belongs to is gone. Begin again without a cursor.")
        if decoded.segment != segment:
            raise CursorError("The cursor belongs to another list. Begin again without a cursor.")
        run, after, position = found, decoded, decoded.position

    if budget is not None:
        limit = max(0, min(limit, budget - position))
    query = (
        select(SegmentListing.rank_value, Customer.customer_id, Score)
        .join(
            Score,
            (Score.scoring_run_id == SegmentListing.scoring_run_id)
            & (Score.customer_key == SegmentListing.customer_key),
        )
        .join(Customer, Customer.id == SegmentListing.customer_key)
        .where(SegmentListing.scoring_run_id == run.id, SegmentListing.segment == segment)
        # Whoever was merged or erased since the run is shown no more.
        .where(Customer.merged_into.is_(None), Customer.erased_at.is_(None))
        .order_by(SegmentListing.rank_value.desc(), SegmentListing.customer_key.desc())
        .limit(limit + 1)
    )
    if after is not None:
        place = tuple_(SegmentListing.rank_value, SegmentListing.customer_key)
        query = query.where(place < tuple_(after.rank_value, after.customer_key))
    found_rows = session.execute(query).all() if limit else []
    shown = found_rows[:limit]
    rows = [ScoreRow(position + i, row[1], row[2]) for i, row in enumerate(shown, start=1)]
    more = len(found_rows) > limit and (budget is None or position + limit < budget)
    next_cursor = None
    if more:
        last = shown[-1]
        next_cursor = Cursor(run.id, segment, last[0], last[2].customer_key, position + limit).encode()
    return Page(run, rows, next_cursor)


def iterate_segment(
    database: Database, segment: str, *, budget: int | None = None, rows_a_page: int = 1_000
) -> Iterator[ScoreRow]:
    """Go through a whole list in bounded memory, each page in a short read of its own."""
    cursor: str | None = None
    while True:
        with database.read() as session:
            page = list_segment(session, segment, limit=rows_a_page, cursor=cursor, budget=budget)
        yield from page.rows
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
