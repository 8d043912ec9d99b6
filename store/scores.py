"""Scores: a run writes them under its own id, and one pointer makes them public once they are complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.orm import Session

from store import drivers
from store.bulk_load import load
from store.engine import Database
from store.exceptions import StoreError
from store.listings import Places, places_of
from store.tables import PublishedRun, Score, ScoringRun, SegmentListing

__all__ = [
    "SCORE_COLUMNS",
    "begin",
    "publish",
    "published_run",
    "require_published_run",
    "stored_score",
    "write",
]

# So many rows that the lock is held for well under 100 ms.
_ROWS_A_TRANSACTION = 1_000

SCORE_COLUMNS = tuple(
    column.name for column in Score.__table__.columns if column.name not in ("scoring_run_id", "customer_key")
)


def begin(database: Database, run_id: int, *, as_of: datetime, model_version: int, policy_version: int) -> None:
    """Write down what a run scores with; what an interrupted attempt left is removed."""
    for table in (SegmentListing, Score):
        key = table.__table__.primary_key
        some = select(*key).where(table.scoring_run_id == run_id).limit(_ROWS_A_TRANSACTION)
        remove = delete(table).where(tuple_(*key).in_(some)).returning(table.customer_key)
        removed = True
        while removed:
            with database.write() as session:
                removed = bool(session.scalars(remove, execution_options={"synchronize_session": False}).all())
    with database.write() as session:
        drivers.clear(session, run_id)
        values = {"as_of": as_of, "model_version": model_version, "policy_version": policy_version}
        session.execute(update(ScoringRun).where(ScoringRun.id == run_id).values(**values))


def write(
    database: Database, run_id: int, customer_keys: NDArray[np.int64], columns: Mapping[str, Sequence[Any]]
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

    Returns
    -------
    Places
        Theirs.
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
                load(connection, Score.__tablename__, names, rows)
    return places_of(customer_keys, columns)


def publish(database: Database, run_id: int, *, n_customers: int, aggregates: dict[str, Any], now: datetime) -> None:
    """Complete a run and show it in every list at once."""
    with database.write() as session:
        session.execute(
            update(ScoringRun)
            .where(ScoringRun.id == run_id)
            .values(status="completed", finished_at=now, n_customers=n_customers, aggregates=aggregates)
        )
        session.merge(PublishedRun(id=1, scoring_run_id=run_id))


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


def stored_score(session: Session, customer_key: int) -> Score | None:
    """Return what the published run says of one customer."""
    run = published_run(session)
    return None if run is None else session.get(Score, (run.id, customer_key))
