"""Scores: a run writes them under its own id, and one pointer makes them public once they are complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, delete, select, tuple_
from sqlalchemy.orm import Session

from store import drivers, quality
from store.bulk_load import load
from store.bulk_read import read_blocks
from store.customer_keys import between
from store.engine import Database
from store.exceptions import StoreError
from store.listings import Places, places_of
from store.runs import hold_run
from store.tables import PublishedRun, Score, ScoringRun, SegmentListing, SupersededScore

__all__ = [
    "SCORE_COLUMNS",
    "begin",
    "primary_segments",
    "published_run",
    "require_published_run",
    "stored_score",
    "write",
]

# So many rows that the lock is held for well under 100 ms.
_ROWS_A_TRANSACTION = 1_000
_ABOVE_ALL_KEYS = 2**31 - 1

SCORE_COLUMNS = tuple(
    column.name
    for column in Score.__table__.columns
    if column.name not in ("scoring_run_id", "customer_key", "rescored_at")
)


def begin(
    database: Database,
    run_id: int,
    *,
    claimed_at: datetime | None,
    as_of: datetime,
    model_version: int,
    policy_version: int,
    done: Sequence[tuple[int, int]] = (),
) -> None:
    """Write down what a run scores with; what an interrupted attempt left is removed, but for ranges that it has done.

    Parameters
    ----------
    database : Database
    run_id : int
    claimed_at : datetime or None
        The run's `started_at` when this process took it.
    as_of : datetime
    model_version, policy_version : int
    done : sequence of (lowest key, highest key)
        Ascending.

    Raises
    ------
    RunLostError
        Another process has taken the run since.
    """
    hold = partial(hold_run, kind=ScoringRun, run_id=run_id, claimed_at=claimed_at)
    for listed in (SegmentListing, SupersededScore):
        _remove(database, hold, listed, run_id)
    low = 0
    for lowest, highest in (*done, (_ABOVE_ALL_KEYS, _ABOVE_ALL_KEYS)):
        if lowest > low:
            _remove(database, hold, Score, run_id, Score.customer_key.between(low, lowest - 1))
        low = highest + 1
    with database.write() as session:
        hold(session)
        drivers.clear(session, run_id)
        quality.clear_drift(session, run_id)
        run = session.get_one(ScoringRun, run_id)
        run.as_of, run.model_version, run.policy_version = as_of, model_version, policy_version
        if not done:
            run.read_since = run.started_at


def _remove(
    database: Database,
    hold: Callable[[Session], None],
    table: type[Score] | type[SegmentListing] | type[SupersededScore],
    run_id: int,
    *which: ColumnElement[bool],
) -> None:
    key = table.__table__.primary_key
    some = select(*key).where(table.scoring_run_id == run_id, *which).limit(_ROWS_A_TRANSACTION)
    remove = delete(table).where(tuple_(*key).in_(some)).returning(table.customer_key)
    removed = True
    while removed:
        with database.write() as session:
            hold(session)
            removed = bool(session.scalars(remove, execution_options={"synchronize_session": False}).all())


def write(
    database: Database,
    run_id: int,
    customer_keys: NDArray[np.int64],
    columns: Mapping[str, Sequence[Any]],
    *,
    claimed_at: datetime | None,
) -> Places:
    """Write the scores of some customers under a run, in short transactions.

    Their places in the lists are left to `store.listings.write_listings`.

    Parameters
    ----------
    database : Database
    run_id : int
    customer_keys : int64, shape (n,)
    columns : mapping of name to sequence of length n
        One for each column of `Score` besides its key; plain Python values, None for what does not apply.
    claimed_at : datetime or None
        The run's `started_at` when this process took it.

    Returns
    -------
    Places
        Theirs.

    Raises
    ------
    RunLostError
        Another process has taken the run since.
    """
    if set(columns) != set(SCORE_COLUMNS):
        raise StoreError(f"expected the columns {', '.join(SCORE_COLUMNS)}; got {', '.join(columns)}")
    names = ("scoring_run_id", "customer_key", *columns)
    keys = customer_keys.tolist()
    with database.bulk() as connection:
        for start in range(0, len(keys), _ROWS_A_TRANSACTION):
            some = slice(start, start + _ROWS_A_TRANSACTION)
            rows = [[run_id] * len(keys[some]), keys[some], *(column[some] for column in columns.values())]
            with database.transaction(connection):
                hold_run(connection, ScoringRun, run_id, claimed_at=claimed_at)
                load(connection, Score.__tablename__, names, rows)
    return places_of(customer_keys, columns)


def published_run(session: Session) -> ScoringRun | None:
    """Return the run that lists show, None before the first."""
    return session.scalars(
        select(ScoringRun).join(PublishedRun, PublishedRun.scoring_run_id == ScoringRun.id)
    ).one_or_none()


def require_published_run(session: Session) -> ScoringRun:
    """Return the run that lists show; raises `StoreError` before the first."""
    run = published_run(session)
    if run is None:
        raise StoreError("No customer has been scored yet. Run: regulars score")
    return run


def primary_segments(session: Session, run_id: int | None, low: int, high: int) -> dict[int, str]:
    """Return what a run has as primary segment of the customers with keys from low to high; nothing without a run."""
    if run_id is None:
        return {}
    statement = (
        f"SELECT customer_key, segment FROM score WHERE scoring_run_id = {{}} AND customer_key {between(low, high)}"
    )
    return {key: segment for rows in read_blocks(session, statement, [run_id]) for key, segment in rows}


def stored_score(session: Session, customer_key: int) -> Score | None:
    """Return what the published run says of one customer."""
    run = published_run(session)
    return None if run is None else session.get(Score, (run.id, customer_key))
