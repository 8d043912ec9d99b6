"""Lists of customers, of a segment or by a propensity, the highest first, a page at a time by index.

Where only some of a list are shown, because a filter wants them or the rules of a list to be worked down don't pass
over them, a page ends after so many rows, shown or not, and says how far it looked.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, literal, select, tuple_
from sqlalchemy.orm import Session

from store.engine import Database
from store.exceptions import CursorError
from store.list_cursor import Cursor
from store.list_filter import ListFilter
from store.scores import require_published_run
from store.tables import Customer, Score, ScoringRun, SegmentListing
from store.work_list import Standing, WorkRules

__all__ = [
    "EVERYBODY",
    "MOST_ROWS_LOOKED_AT",
    "Page",
    "ScoreRow",
    "iterate_segment",
    "list_segment",
    "run_of_cursor",
]

# The name of the list of all customers, in the order in which they became known.
EVERYBODY = "all"
# By one page of which only some are shown.
MOST_ROWS_LOOKED_AT = 20_000

# Where a filter looks for few among many, and where but few are passed over.
_ROWS_A_LOOK, _ROWS_A_SHORT_LOOK = 2_000, 500


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One customer of a list: its place in it (from 1), its id and its stored score.

    Of a list to be worked down (`store.work_list`) also whether the customer is held out, and when it was contacted.
    """

    position: int
    customer_id: str
    score: Score
    held_out: bool = False
    contacted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some customers of one list of one run, and where to go on (None at the end).

    Attributes
    ----------
    run : ScoringRun
    rows : sequence of ScoreRow
    next_cursor : str or None
    looked_at : int
        Rows of the list that were read for it, wanted or not.
    position : int
        How far into the list that leads, from its beginning.
    is_filtered : bool
        Whether only some were wanted.
    """

    run: ScoringRun
    rows: Sequence[ScoreRow]
    next_cursor: str | None
    looked_at: int = 0
    position: int = 0
    is_filtered: bool = False


def list_segment(
    session: Session,
    segment: str,
    *,
    limit: int,
    cursor: str | None = None,
    budget: int | None = None,
    where: ListFilter | None = None,
    rules: WorkRules | None = None,
    run_id: int | None = None,
) -> Page:
    """Return one page of a list, the highest rank first: of a segment value at risk, or what stands for it.

    Parameters
    ----------
    session : Session
    segment : str
        A segment, what `store.scores.propensity_list` names, or `EVERYBODY`.
    limit : int
        Rows a page at most.
    cursor : str, optional
        From the page before; the list goes on in the run that it began with.
    budget : int, optional
        The list ends with the last of so many customers, wanted or not; by the rules of those who may be contacted.
    where : ListFilter, optional
        Who is wanted.
    rules : WorkRules, optional
        Of a list to be worked down. By these and by a filter at most `MOST_ROWS_LOOKED_AT` rows are read, so that a
        page may be short and still have a next.
    run_id : int, optional
        The completed run to begin in; without it the published one.

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
    run = run_of_cursor(session, cursor) if cursor is not None or run_id is None else _kept_run(session, run_id)
    after = None if cursor is None else Cursor.decode(cursor)
    if after is not None and after.segment != segment:
        raise CursorError("The cursor belongs to another list. Begin again without a cursor.")
    look = _Look(session, run, segment, after, where=where, rules=rules)
    has_more = look.at(limit=limit, budget=budget)
    next_cursor = look.cursor() if has_more else None
    return Page(run, look.found(), next_cursor, look.looked_at, look.position, where is not None)


def run_of_cursor(session: Session, cursor: str | None) -> ScoringRun:
    """Return the run that a cursor's list goes on in, the published one without a cursor; raises as `list_segment`."""
    if cursor is None:
        return require_published_run(session)
    return _kept_run(session, Cursor.decode(cursor).scoring_run_id)


def iterate_segment(
    database: Database,
    segment: str,
    *,
    budget: int | None = None,
    rows_a_page: int = 1_000,
    where: ListFilter | None = None,
    rules: WorkRules | None = None,
    run_id: int | None = None,
) -> Iterator[ScoreRow]:
    """Go through a whole list in bounded memory, each page in a short read of its own.

    Raises
    ------
    CursorError
        Its run is deleted meanwhile: what came so far is not all.
    """
    options: dict[str, Any] = {"limit": rows_a_page, "budget": budget, "where": where, "rules": rules}
    cursor: str | None = None
    while True:
        with database.read() as session:
            page = list_segment(session, segment, cursor=cursor, run_id=run_id, **options)
        yield from page.rows
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def _kept_run(session: Session, run_id: int) -> ScoringRun:
    run = session.get(ScoringRun, run_id)
    if run is None or run.status != "completed" or run.is_pruned:
        raise CursorError("The list that this cursor belongs to is gone. Begin again without a cursor.")
    return run


class _Look:
    """A look at the rows of a list, one after another.

    Attributes
    ----------
    looked_at : int
        How many.
    position, counted : int
        How many came before the next row in the whole list, and how many of these count against a budget.
    """

    def __init__(
        self,
        session: Session,
        run: ScoringRun,
        segment: str,
        after: Cursor | None,
        *,
        where: ListFilter | None,
        rules: WorkRules | None,
    ) -> None:
        self.looked_at = 0
        self.position, self.counted = (0, 0) if after is None else (after.position, after.counted)
        self._session, self._run, self._segment, self._where, self._rules = session, run, segment, where, rules
        self._last: Cursor | Row[Any] | None = after
        self._shown: list[tuple[int, Row[Any], Standing]] = []
        # Where all rows are shown they are read with their scores, otherwise scores are read of those that are.
        self._shows_all = where is None and rules is None

    def at(self, *, limit: int, budget: int | None) -> bool:
        """Look on until so many rows are found, or so many looked at or counted; return whether there are more."""
        has_more = True
        while has_more and self._is_open(limit, budget):
            n = self._rows_to_read(limit - len(self._shown), budget)
            # One more than is looked at tells whether there are more.
            rows = self._session.execute(self._rows().limit(n + 1)).all()
            has_more = self._take(rows[:n], limit, budget) < len(rows)
        return has_more and self.looked_at > 0 and (budget is None or self.counted < budget)

    def cursor(self) -> str:
        """Return where the list goes on."""
        if self._last is None:
            raise CursorError("nothing was looked at, so that there is no place to go on from")
        place = self._last.rank_value, self._last.customer_key
        return Cursor(self._run.id, self._segment, *place, self.position, self.counted).encode()

    def found(self) -> list[ScoreRow]:
        """Return what was found, with its place in the list."""
        if self._shows_all:
            return [ScoreRow(place, row.customer_id, row.Score, *standing) for place, row, standing in self._shown]
        keys = [row.customer_key for _, row, _ in self._shown]
        if not keys:
            return []
        query = select(Score).where(Score.scoring_run_id == self._run.id, Score.customer_key.in_(keys))
        scores = {score.customer_key: score for score in self._session.scalars(query)}
        return [
            ScoreRow(place, row.customer_id, scores[row.customer_key], *standing)
            for place, row, standing in self._shown
        ]

    def _is_open(self, limit: int, budget: int | None) -> bool:
        return (
            self.looked_at < MOST_ROWS_LOOKED_AT
            and len(self._shown) < limit
            and (budget is None or self.counted < budget)
        )

    def _rows_to_read(self, lacking: int, budget: int | None) -> int:
        if self._where is not None:
            n = _ROWS_A_LOOK
        else:
            n = lacking if self._rules is None else max(lacking, _ROWS_A_SHORT_LOOK)
        if self._rules is None and budget is not None:
            n = min(n, budget - self.counted)
        return min(n, MOST_ROWS_LOOKED_AT - self.looked_at)

    def _take(self, rows: Sequence[Row[Any]], limit: int, budget: int | None) -> int:
        """Take rows that were read until the look ends, and return of how many that is known."""
        keys = [row.customer_key for row in rows]
        standings = [Standing()] * len(rows) if self._rules is None else self._rules.of(self._session, keys)
        wanted = self._wanted(keys, rows)
        for i, (row, standing) in enumerate(zip(rows, standings, strict=True)):
            if not self._is_open(limit, budget):
                return i
            self.looked_at += 1
            self.position += 1
            self.counted += standing.may_be_contacted
            self._last = row
            if i in wanted and (self._rules is None or self._rules.shows(standing)):
                self._shown.append((self.position, row, standing))
        return len(rows)

    def _wanted(self, keys: Sequence[int], rows: Sequence[Row[Any]]) -> Container[int]:
        if self._where is None:
            return range(len(rows))
        return set(self._where.kept(self._session, self._run.as_of, keys, [row._mapping for row in rows]))

    def _rows(self) -> Select[Any]:
        """Select the rows to look at, in order: place, customer and the columns of the score that are needed."""
        run_id, after, where = self._run.id, self._last, self._where
        wanted = (Score,) if self._shows_all else () if where is None else where.columns()
        of_score = (Score.scoring_run_id == run_id, Score.customer_key == Customer.id)
        query: Select[Any]
        if self._segment == EVERYBODY:
            query = (
                select(literal(0.0).label("rank_value"), Score.customer_key, Customer.customer_id, *wanted)
                .join(Customer, Customer.id == Score.customer_key)
                .where(Score.scoring_run_id == run_id)
                .order_by(Score.customer_key)
            )
            if after is not None:
                query = query.where(Score.customer_key > after.customer_key)
        else:
            place = (SegmentListing.rank_value, SegmentListing.customer_key)
            query = (
                select(*place, Customer.customer_id, *wanted)
                .join(Customer, Customer.id == SegmentListing.customer_key)
                .where(SegmentListing.scoring_run_id == run_id, SegmentListing.segment == self._segment)
                .order_by(*(column.desc() for column in place))
            )
            if wanted:
                query = query.join(Score, and_(*of_score))
            if after is not None:
                query = query.where(tuple_(*place) < tuple_(after.rank_value, after.customer_key))
            if where is not None:
                query = query.where(*where.beyond(SegmentListing.rank_value))
        # Whoever was merged or erased since the run is shown no more.
        return query.where(Customer.merged_into.is_(None), Customer.erased_at.is_(None))
