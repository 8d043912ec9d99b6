"""What targets outside have of segments: written before they are told and after, so that being cut off loses nothing.

A customer is marked before a target is told of it. What stays marked when a sync is cut off may or may not have come
there, and is told again by the next one: as entered if it is in the segment then, as left if not. So a target ends with
the same customers, however often it was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store.bulk_load import load
from store.bulk_read import read_blocks
from store.customer_keys import among, between, highest_key
from store.engine import Database
from store.exceptions import StoreError
from store.lists import EVERYBODY
from store.tables import Customer, ScoringRun, SyncedMember, SyncPoint

__all__ = ["THRESHOLD_NUMBERS", "Changes", "Numbers", "SyncAttempt", "begin_sync", "changes_between"]

# What a change can be measured by, as stored of each customer whom a target has.
THRESHOLD_NUMBERS = ("churn_probability", "clv", "value_at_risk")
_COLUMNS = ("customer_key", "sync_point_id", "attempt", "state", *THRESHOLD_NUMBERS)
_KEYS_A_TRANSACTION = 2_000

# In the order of `THRESHOLD_NUMBERS`.
Numbers = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a target has to be told of the customers of a range of keys.

    Attributes
    ----------
    entered, changed : mapping of key to Numbers
    left : mapping of key to customer_id
        Of those who were merged the id that they had.
    """

    entered: Mapping[int, Numbers]
    changed: Mapping[int, Numbers]
    left: Mapping[int, str]


class SyncAttempt:
    """One sync on its way; a later one of the same target and segment overtakes it, and it fails.

    Attributes
    ----------
    point_id, attempt : int
    highest_key : int
        Of a customer, when it began.
    erased : int
        Customers erased since the target had last taken everything, of whom it can't be told.
    """

    def __init__(self, database: Database, point: SyncPoint, highest: int) -> None:
        self.point_id, self.attempt, self.erased, self.highest_key = point.id, point.attempt, point.erased, highest
        self._database = database

    def mark(self, told: Mapping[int, Numbers], left: Sequence[int]) -> set[int]:
        """Write down of whom the target is about to be told; return them, without those who have been erased."""
        with self._database.write() as session:
            self._hold(session)
            keys = sorted([*told, *left])
            # Locked until the end, so that nobody is erased between the look and the write.
            asked = select(Customer.id).where(Customer.id.in_(keys), Customer.erased_at.is_(None)).order_by(Customer.id)
            there = session.scalars(asked.with_for_update(read=True)).all()
            session.execute(delete(SyncedMember).where(self._among(keys)))
            nothing: Numbers = (None,) * len(THRESHOLD_NUMBERS)
            if there:
                numbers = zip(*(told.get(key, nothing) for key in there), strict=True)
                states = ["telling" if key in told else "leaving" for key in there]
                fixed = [[self.point_id] * len(there), [self.attempt] * len(there)]
                load(session.connection(), "synced_member", _COLUMNS, [there, *fixed, states, *map(list, numbers)])
            return set(there)

    def settle(self, keys: Sequence[int]) -> None:
        """Write down that the target has taken what it was told of these."""
        with self._database.write() as session:
            self._hold(session)
            self._settle(session, keys)

    def settle_all(self) -> None:
        """Write down that the target has taken all that it was told of in this sync, in short transactions."""
        for low in range(1, self.highest_key + 1, _KEYS_A_TRANSACTION):
            with self._database.write() as session:
                self._hold(session)
                some = between(low, low + _KEYS_A_TRANSACTION - 1)
                statement = (
                    f"SELECT customer_key FROM synced_member WHERE customer_key {some} AND sync_point_id = {{}} "
                    "AND attempt = {}"
                )
                rows = read_blocks(session, statement, [self.point_id, self.attempt])
                self._settle(session, [key for block in rows for (key,) in block])

    def forget_others(self) -> None:
        """Forget whom this sync did not tell of: a target that was sent a segment as a whole has nobody else."""
        for low in range(1, self.highest_key + 1, _KEYS_A_TRANSACTION):
            with self._database.write() as session:
                self._hold(session)
                session.execute(
                    delete(SyncedMember).where(
                        SyncedMember.customer_key.between(low, low + _KEYS_A_TRANSACTION - 1),
                        SyncedMember.sync_point_id == self.point_id,
                        SyncedMember.attempt != self.attempt,
                    )
                )

    def finish(self, run_id: int, *, whole: bool, now: datetime) -> None:
        """Move the point to a run: the target has taken everything."""
        with self._database.write() as session:
            point = self._hold(session)
            point.scoring_run_id, point.synced_at = run_id, now
            if whole:
                # Who is erased while it goes on may have been told of before.
                point.erased -= self.erased

    def _hold(self, session: Session) -> SyncPoint:
        point = session.get_one(SyncPoint, self.point_id, with_for_update=True)
        if point.attempt != self.attempt:
            raise StoreError("Another sync of the same segment to the same target has begun, and goes on instead.")
        return point

    def _settle(self, session: Session, keys: Sequence[int]) -> None:
        of_these = self._among(keys)
        session.execute(delete(SyncedMember).where(of_these, SyncedMember.state == "leaving"))
        session.execute(update(SyncedMember).where(of_these).values(state="held"))

    def _among(self, keys: Sequence[int]) -> Any:
        return (SyncedMember.sync_point_id == self.point_id) & SyncedMember.customer_key.in_(keys)


def begin_sync(database: Database, target: str, segment: str) -> SyncAttempt:
    """Begin to tell a target of a segment."""
    with database.write() as session:
        of_both = select(SyncPoint).where(SyncPoint.target == target, SyncPoint.segment == segment)
        point = session.scalars(of_both.with_for_update()).first()
        if point is None:
            point = SyncPoint(target=target, segment=segment, attempt=0, erased=0)
            session.add(point)
        point.attempt += 1
        session.flush()
        return SyncAttempt(database, point, highest_key(session))


def changes_between(
    session: Session,
    sync: SyncAttempt,
    run_id: int,
    segment: str,
    low: int,
    high: int,
    *,
    whole: bool,
    thresholds: Mapping[str, float],
) -> Changes:
    """Find what a target has to be told of customers with keys from low to high.

    Parameters
    ----------
    session : Session
    sync : SyncAttempt
    run_id : int
    segment : str
        Or `EVERYBODY`.
    low, high : int
    whole : bool
        Whether it is told of everybody in the segment, as entered, and of nobody else.
    thresholds : mapping of number to float
        By how much a number has to differ from what the target was told, for a change.

    Raises
    ------
    StoreError
        The run has been deleted meanwhile.
    """
    if session.scalar(select(ScoringRun.is_pruned).where(ScoringRun.id == run_id)) is not False:
        raise StoreError(f"Scoring run {run_id} was deleted while it was read. Run the same command again.")
    now_in = {
        key: tuple(numbers)
        for rows in read_blocks(
            session,
            f"SELECT s.customer_key, s.segments, {', '.join(f's.{name}' for name in THRESHOLD_NUMBERS)} "
            "FROM score s JOIN customer c ON c.id = s.customer_key WHERE s.scoring_run_id = {} "
            f"AND s.customer_key {between(low, high)} AND c.merged_into IS NULL AND c.erased_at IS NULL",
            [run_id],
        )
        for key, segments, *numbers in rows
        if segment == EVERYBODY or segment in segments.split()
    }
    if whole:
        return Changes(now_in, {}, {})
    held = {
        key: (state, tuple(numbers))
        for rows in read_blocks(
            session,
            f"SELECT customer_key, state, {', '.join(THRESHOLD_NUMBERS)} FROM synced_member "
            f"WHERE customer_key {between(low, high)} AND sync_point_id = {{}}",
            [sync.point_id],
        )
        for key, state, *numbers in rows
    }
    known = {key: numbers for key, (state, numbers) in held.items() if state == "held"}
    gone = sorted(held.keys() - now_in.keys())
    return Changes(
        entered={key: numbers for key, numbers in now_in.items() if key not in known},
        changed={
            key: numbers
            for key, numbers in now_in.items()
            if key in known and _differs(numbers, known[key], thresholds)
        },
        left=_ids_of(session, gone),
    )


def _differs(now: Numbers, told: Numbers, thresholds: Mapping[str, float]) -> bool:
    for name, number, before in zip(THRESHOLD_NUMBERS, now, told, strict=True):
        if name not in thresholds:
            continue
        if (number is None) != (before is None):
            return True
        if number is not None and before is not None and abs(number - before) >= thresholds[name]:
            return True
    return False


def _ids_of(session: Session, keys: Sequence[int]) -> dict[int, str]:
    if not keys:
        return {}
    statement = f"SELECT id, customer_id FROM customer WHERE erased_at IS NULL AND id {among(keys)}"
    return dict(row for rows in read_blocks(session, statement) for row in rows)
