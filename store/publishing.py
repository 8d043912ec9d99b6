"""Publishing a scoring run: one pointer changes, and every list shows the run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from store.engine import Database
from store.exceptions import StoreError
from store.memberships import record_published
from store.tables import PublishedRun, ScoringRun

__all__ = ["publish"]


def publish(
    database: Database,
    run_id: int,
    *,
    n_customers: int,
    aggregates: dict[str, Any],
    now: Callable[[], datetime],
    claimed_at: datetime | None = None,
) -> None:
    """Complete a run and show it in every list at once.

    What has changed by the run that it replaces is recorded before, so that nothing of it is left untold. Afterwards
    `record_published` is to be called for this one.

    Parameters
    ----------
    database : Database
    run_id : int
    n_customers : int
    aggregates : dict
    now : callable
    claimed_at : datetime, optional
        The run's `started_at` when this process took it.

    Raises
    ------
    StoreError
        Another process has taken the run since, as it does when there is no sign of life for long: what is there now
        is that one's, perhaps a half.
    """
    values = {"status": "completed", "n_customers": n_customers, "aggregates": aggregates}
    is_published = False
    while not is_published:
        record_published(database, now=now)
        with database.write() as session:
            is_published = _replace(session, run_id, {**values, "finished_at": now()}, claimed_at)


def _replace(session: Session, run_id: int, values: dict[str, Any], claimed_at: datetime | None) -> bool:
    """Put a run in the place of the published one, unless that has not been recorded: another was just quicker."""
    # Locked first: on PostgreSQL whoever is writing to the run that is published now comes to an end before.
    replaced = session.scalar(select(PublishedRun.scoring_run_id).with_for_update())
    if replaced is not None and replaced != run_id:
        unrecorded = ScoringRun.memberships_recorded.is_(False), ScoringRun.as_of.is_not(None)
        if session.scalar(select(exists().where(ScoringRun.id == replaced, *unrecorded))):
            return False
        values["replaced_run_id"] = replaced
    ours = [ScoringRun.id == run_id]
    if claimed_at is not None:
        ours += [ScoringRun.status == "running", ScoringRun.started_at == claimed_at]
    if session.execute(update(ScoringRun).where(*ours).values(**values).returning(ScoringRun.id)).first() is None:
        raise StoreError(f"Scoring run {run_id} was taken over by another process, which goes on with it.")
    session.merge(PublishedRun(id=1, scoring_run_id=run_id))
    return True
