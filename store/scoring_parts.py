"""What a scoring run has done of its customers, range by range, so that a killed one goes on from there.

A part is written behind the scores of its range, and holds what was added up of them; of a single customer it holds
nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.engine import Database
from store.listings import PLACED_BY, Places, places_of
from store.runs import hold_run
from store.tables import Score, ScoringPart, ScoringRun

__all__ = ["kept_parts", "read_places", "read_sums", "remove_parts", "remove_parts_of_ended_runs", "write_part"]

# Each may have a megabyte.
_PARTS_A_TRANSACTION = 10


def write_part(
    database: Database, run_id: int, *, claimed_at: datetime | None, keys: tuple[int, int], terms: str, sums: bytes
) -> None:
    """Write that all customers of a range are scored, and what was added up of them.

    Parameters
    ----------
    database : Database
    run_id : int
    claimed_at : datetime or None
        The run's `started_at` when this process took it.
    keys : tuple of int
        The lowest and the highest.
    terms : str
        What they were scored by: only a run by the same goes on from here.
    sums : bytes

    Raises
    ------
    RunLostError
        Another process has taken the run since.
    """
    with database.write() as session:
        hold_run(session, ScoringRun, run_id, claimed_at=claimed_at)
        lowest, highest = keys
        session.add(ScoringPart(scoring_run_id=run_id, lowest_key=lowest, highest_key=highest, terms=terms, sums=sums))


def kept_parts(
    database: Database, run_id: int, terms: str, ranges: Collection[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the ranges, of some, that an earlier attempt has done by the same terms; parts by others are removed."""
    part = ScoringPart
    with database.read() as session:
        rows = session.execute(
            select(part.lowest_key, part.highest_key, part.terms)
            .where(part.scoring_run_id == run_id)
            .order_by(part.lowest_key)
        ).all()
    if all(of_part == terms and (low, high) in ranges for low, high, of_part in rows):
        return [(low, high) for low, high, _ in rows]
    remove_parts(database, run_id)
    return []


def read_sums(session: Session, run_id: int, lowest_key: int) -> bytes:
    """Return what was added up of a range."""
    return session.get_one(ScoringPart, (run_id, lowest_key)).sums


def read_places(session: Session, run_id: int, low: int, high: int) -> Places:
    """Return where the scored customers of a range stand in the lists."""
    rows = session.execute(
        select(Score.customer_key, *(getattr(Score, name) for name in PLACED_BY))
        .where(Score.scoring_run_id == run_id, Score.customer_key.between(low, high))
        .order_by(Score.customer_key)
    ).all()
    if not rows:
        return {}
    keys, *columns = zip(*rows, strict=True)
    return places_of(np.array(keys, dtype=np.int64), dict(zip(PLACED_BY, columns, strict=True)))


def remove_parts(database: Database, run_id: int) -> None:
    """Remove the parts of a run, in short transactions."""
    part = ScoringPart
    some = select(part.lowest_key).where(part.scoring_run_id == run_id).limit(_PARTS_A_TRANSACTION)
    remove = delete(part).where(part.scoring_run_id == run_id, part.lowest_key.in_(some)).returning(part.lowest_key)
    removed = True
    while removed:
        with database.write() as session:
            removed = bool(session.scalars(remove, execution_options={"synchronize_session": False}).all())


def remove_parts_of_ended_runs(database: Database) -> None:
    """Remove the parts of runs that nobody goes on with."""
    ended = select(ScoringPart.scoring_run_id).distinct().join(ScoringRun)
    with database.read() as session:
        runs = session.scalars(ended.where(ScoringRun.status.in_(("completed", "failed")))).all()
    for run_id in runs:
        remove_parts(database, run_id)
