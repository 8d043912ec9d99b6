"""Who was scored again while the published run was at work: to be scored again by that, too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from store.engine import Database
from store.tables import PublishedRun, Score, ScoringRun
from store.tables.base import to_microseconds
from store.transitions import hold_customers

__all__ = ["hand_over"]

# So many that the lock is held for well under 100 ms even when all of them are asked for.
_CUSTOMERS_A_TRANSACTION = 1_000

_ASK = text(
    "INSERT INTO rescore_request (customer_key, requested_at, times) VALUES (:key, :now, 1) "
    "ON CONFLICT (customer_key) DO NOTHING"
)


def hand_over(database: Database, run: ScoringRun, *, now: datetime) -> bool:
    """Ask for all who have been scored again since a run began, but not by it, in short transactions, by key.

    Nobody can be scored again under a run before it any more, so that there is an end to them. It can be cut off
    anywhere and repeated, by several at once: whom this run has scored again since is not asked for twice.

    Parameters
    ----------
    database : Database
    run : ScoringRun
        The published one.
    now : datetime

    Returns
    -------
    bool
        False where another run has been published meanwhile, which cannot be before this one has been recorded.
    """
    since = _known_until(run)
    with database.read() as session:
        before = _published_since(session, run, since)
    return all(_hand_over(database, run.id, replaced, since=since, now=now) for replaced in before)


def _hand_over(database: Database, run_id: int, replaced: int, *, since: datetime, now: datetime) -> bool:
    low = 0
    while True:
        with database.read() as session:
            again = _scored_again(session, replaced, above=low)
        if not again:
            return True
        low = again[-1][0]
        keys = [key for key, rescored_at in again if rescored_at >= since]
        if not keys:
            continue
        with database.write() as session:
            if session.scalar(select(PublishedRun.scoring_run_id).with_for_update(read=True)) != run_id:
                return False
            _ask(session, run_id, keys, now=now)


def _known_until(run: ScoringRun) -> datetime:
    """Return the instant up to which a run has surely read what was stored."""
    # A fixed as_of may be long before the run began, or after it.
    return min(instant for instant in (run.as_of, run.read_since, run.started_at) if instant is not None)


def _published_since(session: Session, run: ScoringRun, since: datetime) -> list[int]:
    """Return the runs that have been published at any time from an instant until this one was, the latest first."""
    found: list[int] = []
    replaced = run.replaced_run_id
    while replaced is not None:
        found.append(replaced)
        before = session.get_one(ScoringRun, replaced)
        # Several may have been published since it began.
        was_there = before.finished_at is None or before.finished_at < since
        replaced = None if was_there else before.replaced_run_id
    return found


def _scored_again(session: Session, run_id: int, *, above: int) -> Sequence[tuple[int, datetime]]:
    """Return some of those whom a run has scored again, in order of key, with the instants of their scores."""
    query = select(Score.customer_key, Score.rescored_at).where(
        Score.scoring_run_id == run_id, Score.rescored_at.is_not(None), Score.customer_key > above
    )
    rows = session.execute(query.order_by(Score.customer_key).limit(_CUSTOMERS_A_TRANSACTION))
    return [(key, rescored_at) for key, rescored_at in rows if rescored_at is not None]


def _ask(session: Session, run_id: int, keys: Sequence[int], *, now: datetime) -> None:
    """Ask for customers, but for those whom the published run has scored again already."""
    # Customers before their requests, as everybody does who writes these.
    held = hold_customers(session, keys)
    of_these = Score.customer_key.in_(keys)
    done = set(
        session.scalars(
            select(Score.customer_key).where(Score.scoring_run_id == run_id, of_these, Score.rescored_at.is_not(None))
        )
    )
    asked = [{"key": key, "now": to_microseconds(now)} for key in sorted(held.keys() - done)]
    if asked:
        session.connection().execute(_ASK, asked)
