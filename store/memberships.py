"""Who is in which segment, since when, and who was: the history behind the lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.orm import Session

from store.engine import Database
from store.scores import published_run
from store.tables import PublishedRun, Score, ScoringRun, SegmentMembership

__all__ = ["Membership", "history", "open_memberships", "record_published"]

# So many that the lock is held for under 100 ms even when all of them enter a segment.
_CUSTOMERS_A_TRANSACTION = 1_000
_KEYS_A_STATEMENT = 500

Membership = SegmentMembership


def open_memberships(session: Session, customer_keys: NDArray[np.int64]) -> Mapping[str, NDArray[np.bool_]]:
    """Return, for each segment that has members among these customers, who is in it now, in their order.

    Parameters
    ----------
    session : Session
    customer_keys : int64, shape (n,)

    Returns
    -------
    mapping of segment to bool, shape (n,)
    """
    position = {key: i for i, key in enumerate(customer_keys.tolist())}
    members: dict[str, NDArray[np.bool_]] = defaultdict(lambda: np.zeros(len(position), dtype=np.bool_))
    stays = select(SegmentMembership.customer_key, SegmentMembership.segment).where(SegmentMembership.left_at.is_(None))
    for some in _among(list(position)):
        for key, segment in session.execute(stays.where(some)):
            if key in position:
                members[segment][position[key]] = True
    return dict(members)


def history(session: Session, customer_key: int) -> Sequence[SegmentMembership]:
    """Return all stays of one customer, the latest first."""
    query = select(SegmentMembership).where(SegmentMembership.customer_key == customer_key)
    return session.scalars(query.order_by(SegmentMembership.entered_at.desc(), SegmentMembership.segment)).all()


def record_published(database: Database) -> None:
    """Write down who entered and who left a segment by the published run.

    It works in short transactions and can be cut off anywhere: called again, it does what is left. It ends early when
    another run is published meanwhile, whose recording then goes on from what is there.
    """
    with database.read() as session:
        run = published_run(session)
        if run is None or run.memberships_recorded or run.as_of is None:
            return
        run_id, as_of = run.id, run.as_of
        highest = session.scalar(select(func.max(Score.customer_key)).where(Score.scoring_run_id == run_id)) or 0
    for low in range(0, highest, _CUSTOMERS_A_TRANSACTION):
        with database.write() as session:
            # Locked to the end of the transaction: on PostgreSQL, too, processes that record at once take turns.
            if session.scalar(select(PublishedRun.scoring_run_id).with_for_update()) != run_id:
                return
            _record(session, run_id, as_of, low + 1, low + _CUSTOMERS_A_TRANSACTION)
    with database.write() as session:
        session.get_one(ScoringRun, run_id).memberships_recorded = True


def _among(keys: Sequence[int]) -> Iterator[ColumnElement[bool]]:
    """Conditions that together find these customers by index: one range of neighbours, or some hundreds at a time."""
    column = SegmentMembership.customer_key
    if len(keys) > _KEYS_A_STATEMENT and max(keys) - min(keys) < 2 * len(keys):
        yield column.between(min(keys), max(keys))
        return
    for start in range(0, len(keys), _KEYS_A_STATEMENT):
        yield column.in_(keys[start : start + _KEYS_A_STATEMENT])


def _record(session: Session, run_id: int, as_of: datetime, low: int, high: int) -> None:
    now_in = {
        (key, segment)
        for key, segments in session.execute(
            select(Score.customer_key, Score.segments).where(
                Score.scoring_run_id == run_id, Score.customer_key.between(low, high)
            )
        )
        for segment in segments.split()
    }
    was_in = {
        (key, segment): stay
        for stay, key, segment in session.execute(
            select(SegmentMembership.id, SegmentMembership.customer_key, SegmentMembership.segment).where(
                SegmentMembership.customer_key.between(low, high), SegmentMembership.left_at.is_(None)
            )
        )
    }
    left = [stay for place, stay in was_in.items() if place not in now_in]
    if left:
        session.execute(
            update(SegmentMembership)
            .where(SegmentMembership.id.in_(left))
            .values(left_at=as_of, left_run_id=run_id)
            .execution_options(synchronize_session=False)
        )
    entered = [
        {"customer_key": key, "segment": segment, "entered_at": as_of, "entered_run_id": run_id}
        for key, segment in sorted(now_in - was_in.keys())
    ]
    if entered:
        session.execute(insert(SegmentMembership), entered)
