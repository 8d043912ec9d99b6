"""Scores: a run writes them under its own id, and one pointer makes them public once they are complete."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from store import drivers
from store.engine import Database
from store.exceptions import StoreError
from store.tables import PublishedRun, Score, ScoringRun, SegmentListing

__all__ = [
    "SCORE_COLUMNS",
    "begin",
    "propensity_list",
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
) -> None:
    """Write the scores of some customers under a run, in short transactions.

    Parameters
    ----------
    database : Database
    run_id : int
    customer_keys : int64, shape (n,)
    columns : mapping of name to sequence of length n
        One for each column of `Score` besides its key; plain Python values, None for what does not apply.
    """
    if set(columns) != set(SCORE_COLUMNS):
        raise StoreError(f"expected the columns {', '.join(SCORE_COLUMNS)}; got {', '.join(columns)}")
    scores = [
        {"scoring_run_id": run_id, "customer_key": key, **dict(zip(columns, values, strict=True))}
        for key, values in zip(customer_keys.tolist(), zip(*columns.values(), strict=True), strict=True)
    ]
    for start in range(0, len(scores), _ROWS_A_TRANSACTION):
        some = scores[start : start + _ROWS_A_TRANSACTION]
        listings = [
            {
                "scoring_run_id": run_id,
                "segment": name,
                "rank_value": rank_value,
                "customer_key": score["customer_key"],
            }
            for score in some
            for name, rank_value in _places(score)
        ]
        with database.write() as session:
            session.execute(insert(Score), some)
            if listings:
                session.execute(insert(SegmentListing), listings)


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


def propensity_list(target: str) -> str:
    """Return the name of the list of everybody whom the model of a propensity judges."""
    return f"{target}_propensity"


def _places(score: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the lists that a customer stands in, each with the value that says where."""
    rank_value = next(
        (float(score[name]) for name in ("value_at_risk", "clv", "churn_probability") if score[name] is not None), 0.0
    )
    for segment in score["segments"].split():
        yield segment, rank_value
    if score["propensities"] is not None:
        for target, told in json.loads(score["propensities"]).items():
            yield propensity_list(target), float(told["probability"])
