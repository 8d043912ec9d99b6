"""The queue of training and scoring runs: rows that a worker claims, keeps alive, and ends with their story."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.orm import Session

from store.exceptions import RunLostError
from store.tables import ScoringRun, TrainingRun

__all__ = [
    "GONE_AFTER",
    "claim",
    "fail_run",
    "heartbeat",
    "hold_run",
    "queue_scoring",
    "queue_training",
    "requeue_gone",
]

# A run whose process has given no sign of life for this long has lost it.
GONE_AFTER = timedelta(seconds=60)

Run = TrainingRun | ScoringRun
R = TypeVar("R", TrainingRun, ScoringRun)

_NAMES: dict[type[Run], str] = {TrainingRun: "Training", ScoringRun: "Scoring run"}


def queue_training(session: Session, settings: dict[str, Any], *, now: datetime) -> TrainingRun:
    """Queue a training with these settings."""
    run = TrainingRun(status="queued", requested_at=now, settings=settings)
    session.add(run)
    session.flush()
    return run


def queue_scoring(session: Session, *, now: datetime, as_of: datetime | None = None) -> ScoringRun:
    """Queue a scoring of all customers with the champion; `as_of` None stands for the setting, or now.

    A run that is still queued for the same is returned instead of a second one, unless it has begun before: it may
    have read customers already.
    """
    waiting = session.scalars(
        select(ScoringRun).where(
            ScoringRun.status == "queued", ScoringRun.as_of == as_of, ScoringRun.model_version.is_(None)
        )
    ).first()
    if waiting is not None:
        return waiting
    run = ScoringRun(status="queued", requested_at=now, as_of=as_of)
    session.add(run)
    session.flush()
    return run


def claim(session: Session, kind: type[R], *, now: datetime, run_id: int | None = None) -> R | None:
    """Take the oldest queued run of a kind (or the one named) for this process; None if there is none."""
    query = select(kind).where(kind.status == "queued").order_by(kind.id).limit(1)
    if run_id is not None:
        query = query.where(kind.id == run_id)
    # What another process is just claiming is passed over; SQLite has one writer at a time and needs no such lock.
    run = session.scalars(query.with_for_update(skip_locked=True)).first()
    if run is not None:
        run.status = "running"
        run.started_at = run.heartbeat_at = now
        session.flush()
    return run


def heartbeat(session: Session, kind: type[Run], run_id: int, *, claimed_at: datetime | None, now: datetime) -> None:
    """Give a sign of life of a run, if it is still that of whoever took it then."""
    session.execute(update(kind).where(*_ours(kind, run_id, claimed_at)).values(heartbeat_at=now))


def fail_run(
    session: Session, kind: type[Run], run_id: int, error: str, *, claimed_at: datetime | None, now: datetime
) -> None:
    """End a run with what went wrong, unless another process has taken it meanwhile."""
    failed = update(kind).where(*_ours(kind, run_id, claimed_at))
    session.execute(failed.values(status="failed", error=error, finished_at=now))


def hold_run(session: Session | Connection, kind: type[Run], run_id: int, *, claimed_at: datetime | None) -> None:
    """Keep others from taking a run until the transaction ends.

    Parameters
    ----------
    session : Session or Connection
    kind : type
        The table of the run.
    run_id : int
    claimed_at : datetime or None
        The run's `started_at` when this process took it.

    Raises
    ------
    RunLostError
        Another process has taken it since.
    """
    if session.scalar(select(kind.id).where(*_ours(kind, run_id, claimed_at)).with_for_update(read=True)) is None:
        raise RunLostError(f"{_NAMES[kind]} {run_id} was taken over by another process, which goes on with it.")


def _ours(kind: type[Run], run_id: int, claimed_at: datetime | None) -> tuple[ColumnElement[bool], ...]:
    return kind.id == run_id, kind.status == "running", kind.started_at == claimed_at


def requeue_gone(session: Session, kind: type[Run], *, now: datetime) -> int:
    """Queue the runs again whose process is gone; return how many."""
    gone = update(kind).where(kind.status == "running", kind.heartbeat_at < now - GONE_AFTER)
    return len(session.execute(gone.values(status="queued", started_at=None).returning(kind.id)).all())
