"""Who is in which segment, since when, and who was: the history behind the lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from store.bulk_read import read_blocks
from store.customer_keys import between, conditions, highest_key
from store.engine import Database
from store.handing_over import hand_over
from store.outbox import Audience
from store.scores import published_run
from store.tables import PublishedRun, RescoreRequest, Score, ScoringRun, SegmentMembership
from store.transitions import ScoredBy, Transition, numbers_of, read_stays, write_transitions

__all__ = ["history", "needed_runs", "open_memberships", "record_published"]

# So many that the lock is held for under 100 ms even when each of them is another customer's.
_ROWS_A_TRANSACTION = 1_500
# So many that they are read, and their scores compared with what one endpoint was told last, in a fraction of that.
_CUSTOMERS_A_TRANSACTION = 1_000
# Comparing for so many endpoints takes as long as all the rest.
_ENDPOINTS_AS_DEAR = 4


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
    for key, stays in read_stays(session, conditions(list(position))).items():
        if key in position:
            for segment in stays:
                members[segment][position[key]] = True
    return dict(members)


def history(session: Session, customer_key: int) -> Sequence[SegmentMembership]:
    """Return all stays of one customer, the latest first."""
    query = select(SegmentMembership).where(SegmentMembership.customer_key == customer_key)
    return session.scalars(query.order_by(SegmentMembership.entered_at.desc(), SegmentMembership.segment)).all()


def record_published(
    database: Database, progress: Callable[[float], None] = lambda _: None, *, now: Callable[[], datetime]
) -> None:
    """Write down who entered and who left a segment by the published run, and tell those who asked.

    It works in short transactions and can be cut off anywhere: called again, it does what is left, and tells nothing
    twice. Several may be at it at once; another run is published only when all of it is done. Customers who wait to be
    scored again, or have been since, are left to that, and so are those whom the run before has scored again while
    this one was at work, who are asked for first: of them the run is behind what was told last.

    Parameters
    ----------
    database : Database
    progress : callable
        Told the share done.
    now : callable
        Gives the instant from which a change is to be told.
    """
    with database.read() as session:
        run = published_run(session)
        if run is None or run.memberships_recorded or run.as_of is None:
            return
        recording = _Recording(ScoredBy.of(run), run.as_of, run.replaced_run_id)
        n_customers = _CUSTOMERS_A_TRANSACTION
        run_id, low = run.id, run.recorded_key
        # Also of those whom the run does not know: they leave their segments, or wait to be scored by it.
        highest = highest_key(session)
    if not hand_over(database, run, now=now()):
        return
    while low < highest:
        with database.write() as session:
            # Locked to the end of the transaction: on PostgreSQL, too, processes that record at once take turns, and
            # whoever scores customers again waits.
            if session.scalar(select(PublishedRun.scoring_run_id).with_for_update()) != run_id:
                return
            low = session.scalar(select(ScoringRun.recorded_key).where(ScoringRun.id == run_id)) or 0
            audience = Audience.of(session.connection())
            most = max(
                _CUSTOMERS_A_TRANSACTION * _ENDPOINTS_AS_DEAR // (_ENDPOINTS_AS_DEAR + len(audience.of_scores)), 1
            )
            wanted = min(n_customers, most)
            reached = recording.record(session, low + 1, low + wanted, audience, now=now())
        # What did not fit is read again, so that the next range is hardly larger than what did.
        n_customers = reached - low + (reached - low) // 4 + 1
        low = reached
        progress(min(low / highest, 1.0))
    with database.write() as session:
        session.execute(update(ScoringRun).where(ScoringRun.id == run_id).values(memberships_recorded=True))


def needed_runs(session: Session) -> set[int]:
    """Return the published run, and the runs whose scores are what was told last of anybody."""
    told = select(RescoreRequest.told_run_id).where(RescoreRequest.told_run_id.is_not(None)).distinct()
    needed = {run_id for run_id in session.scalars(told) if run_id is not None}
    run = published_run(session)
    if run is not None:
        needed.add(run.id)
        if run.replaced_run_id is not None and not run.memberships_recorded:
            needed.add(run.replaced_run_id)
    return needed


_SCORED = "SELECT customer_key, segment, segments, rescored_at FROM score WHERE"
_NOWHERE = Transition("", "", None, None)


class _Recording(NamedTuple):
    """A published run that is being recorded."""

    scored_by: ScoredBy
    as_of: datetime
    replaced_run_id: int | None

    def record(self, session: Session, low: int, high: int, audience: Audience, *, now: datetime) -> int:
        """Record the customers with keys from lowest to highest, or the first of them; return the highest that was."""
        run_id, of_range = self.scored_by.run_id, Score.customer_key.between(low, high)
        request = RescoreRequest.customer_key
        requested = session.scalars(select(request).where(request.between(low, high))).all()
        before = numbers_of(session, self.replaced_run_id, of_range) if audience.of_scores else {}
        after = numbers_of(session, run_id, of_range) if audience.of_scores else {}
        which = between(low, high)
        stays = read_stays(session, [which])
        # Whom the run does not know is in no segment any more.
        transitions = dict.fromkeys(stays, _NOWHERE)
        again = []
        for rows in read_blocks(session, f"{_SCORED} scoring_run_id = {run_id} AND customer_key {which}"):
            for key, segment, segments, rescored_at in rows:
                transitions[key] = Transition(segment, segments, before.get(key), after.get(key))
                if rescored_at is not None:
                    again.append(key)
        for key in (*requested, *again):
            transitions.pop(key, None)
        held, next_key = write_transitions(
            session,
            transitions,
            stays,
            scored_by=self.scored_by,
            as_of=self.as_of,
            now=now,
            audience=audience,
            also_hold=requested,
            most_rows=_ROWS_A_TRANSACTION,
        )
        reached = high if next_key is None else next_key - 1
        # Of those behind it nobody is held.
        self._leave(session, sorted(held.keys() & set(requested)))
        session.execute(update(ScoringRun).where(ScoringRun.id == run_id).values(recorded_key=reached))
        return reached

    def _leave(self, session: Session, requested: Sequence[int]) -> None:
        """Write down what was told last of customers who wait to be scored again."""
        if self.replaced_run_id is None or not requested:
            return
        request = RescoreRequest
        again = exists().where(
            Score.scoring_run_id == self.scored_by.run_id,
            Score.customer_key == request.customer_key,
            Score.rescored_at.is_not(None),
        )
        # In order of keys, as whoever asks for them does.
        of_these = request.customer_key.in_(requested)
        session.execute(select(request.customer_key).where(of_these).order_by(request.customer_key).with_for_update())
        session.execute(
            update(request)
            .where(of_these, request.told_run_id.is_(None), ~again)
            .values(told_run_id=self.replaced_run_id)
            .execution_options(synchronize_session=False)
        )
