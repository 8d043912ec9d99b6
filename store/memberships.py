"""Who is in which segment, since when, and who was: the history behind the lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from store.bulk_load import load
from store.bulk_read import read_blocks
from store.customer_keys import among, between
from store.engine import Database
from store.scores import published_run
from store.tables import PublishedRun, Score, ScoringRun, SegmentMembership
from store.tables.base import to_microseconds

__all__ = ["history", "open_memberships", "record_published"]

# So many that the lock is held for under 100 ms even when all of them enter a segment.
_CUSTOMERS_A_TRANSACTION = 1_000
_KEYS_A_STATEMENT = 500

_STAYING = "FROM segment_membership WHERE left_at IS NULL"
_ENTERED = ("customer_key", "segment", "entered_at", "entered_run_id")


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
    for some in _among(list(position)):
        for rows in read_blocks(session, f"SELECT customer_key, segment {_STAYING} AND customer_key {some}"):
            for key, segment in rows:
                if key in position:
                    members[segment][position[key]] = True
    return dict(members)


def history(session: Session, customer_key: int) -> Sequence[SegmentMembership]:
    """Return all stays of one customer, the latest first."""
    query = select(SegmentMembership).where(SegmentMembership.customer_key == customer_key)
    return session.scalars(query.order_by(SegmentMembership.entered_at.desc(), SegmentMembership.segment)).all()


def record_published(database: Database, progress: Callable[[float], None] = lambda _: None) -> None:
    """Write down who entered and who left a segment by the published run, and tell the share done.

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
        progress(min((low + _CUSTOMERS_A_TRANSACTION) / highest, 1.0))
    with database.write() as session:
        session.get_one(ScoringRun, run_id).memberships_recorded = True


def _among(keys: Sequence[int]) -> Iterator[str]:
    """Conditions that together find these customers by index: one range of neighbours, or some hundreds at a time."""
    if len(keys) > _KEYS_A_STATEMENT and max(keys) - min(keys) < 2 * len(keys):
        yield between(min(keys), max(keys))
        return
    for start in range(0, len(keys), _KEYS_A_STATEMENT):
        yield among(keys[start : start + _KEYS_A_STATEMENT])


def _record(session: Session, run_id: int, as_of: datetime, low: int, high: int) -> None:
    scored = (
        f"SELECT customer_key, segments FROM score WHERE scoring_run_id = {{}} AND customer_key {between(low, high)}"
    )
    now_in = {
        (key, segment)
        for rows in read_blocks(session, scored, [run_id])
        for key, segments in rows
        for segment in segments.split()
    }
    staying = f"SELECT customer_key, segment, id {_STAYING} AND customer_key {between(low, high)}"
    was_in = {(key, segment): stay for rows in read_blocks(session, staying) for key, segment, stay in rows}
    left = [stay for place, stay in was_in.items() if place not in now_in]
    if left:
        session.execute(
            update(SegmentMembership)
            .where(SegmentMembership.id.in_(left))
            .values(left_at=as_of, left_run_id=run_id)
            .execution_options(synchronize_session=False)
        )
    entered = sorted(now_in - was_in.keys())
    if entered:
        keys, segments = zip(*entered, strict=True)
        of_all = [[value] * len(entered) for value in (to_microseconds(as_of), run_id)]
        load(session.connection(), "segment_membership", _ENTERED, [keys, segments, *of_all])
