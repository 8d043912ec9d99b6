"""Publishing a scoring run: one pointer changes, and every list shows the run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.engine import Database
from store.memberships import record_published
from store.runs import hold_run
from store.tables import PublishedRun, ScoringRun

__all__ = ["publish"]


def publish(
    database: Database,
    run_id: int,
    *,
    n_customers: int,
    aggregates: dict[str, Any],
    now: Callable[[], datetime],
    claimed_at: datetime | None,
) -> bool:
    """Complete a run and show it in every list at once, unless one that began later is shown already.

    What has changed by the run that it replaces is recorded before, so that nothing of it is left untold. Afterwards
    `record_published` is to be called for this one.

    Parameters
    ----------
    database : Database
    run_id : int
    n_customers : int
    aggregates : dict
    now : callable
    claimed_at : datetime or None
        The run's `started_at` when this process took it.

    Returns
    -------
    bool
        Whether it is shown.

    Raises
    ------
    RunLostError
        Another process has taken the run since, as it does when there is no sign of life for long: what is there now
        is that one's, perhaps a half.
    """
    while True:
        record_published(database, now=now)
        with database.write() as session:
            # Locked first: on PostgreSQL whoever is writing to the run that is published now comes to an end before.
            published_id = session.scalar(select(PublishedRun.scoring_run_id).with_for_update())
            if published_id is None and not _is_first(session, run_id):
                continue  # another has just been the very first
            published = None if published_id is None else session.get_one(ScoringRun, published_id)
            hold_run(session, ScoringRun, run_id, claimed_at=claimed_at)
            run = session.get_one(ScoringRun, run_id)
            if published is not None and not published.memberships_recorded and published.as_of is not None:
                continue  # another was just quicker
            run.status, run.finished_at = "completed", now()
            run.n_customers, run.aggregates = n_customers, aggregates
            if published is not None and _began_later(published, run):
                return False
            run.replaced_run_id = None if published is None else published.id
            session.execute(update(PublishedRun).values(scoring_run_id=run_id))
            return True


def _is_first(session: Session, run_id: int) -> bool:
    """Show a run where none is shown; whoever does the same waits, and then finds this one."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    shown = dialect.insert(PublishedRun).values(id=1, scoring_run_id=run_id).on_conflict_do_nothing()
    return session.scalar(shown.returning(PublishedRun.id)) is not None


def _began_later(published: ScoringRun, run: ScoringRun) -> bool:
    """Whether the published run has read later than this one, which was interrupted or slow, and knows more."""
    if published.read_since is None or run.read_since is None:
        return False
    return published.read_since > run.read_since
