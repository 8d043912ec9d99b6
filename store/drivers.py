"""Reports of what drives the scores of a run: written once with the run, read by target and segment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from store.tables import DriverReport

__all__ = ["clear", "read", "reported", "write"]


def clear(session: Session, run_id: int) -> None:
    """Remove what an interrupted attempt at a run left, perhaps with a model of other targets."""
    session.execute(delete(DriverReport).where(DriverReport.scoring_run_id == run_id))


def write(session: Session, run_id: int, target: str, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the reports of one target's model; what was there of it is replaced.

    Parameters
    ----------
    session : Session
    run_id : int
    target : str
    reports : mapping of segment to report
        As `models.drivers.DriverSums.reports` gives them.
    """
    session.execute(delete(DriverReport).where(DriverReport.scoring_run_id == run_id, DriverReport.target == target))
    rows = [
        {"scoring_run_id": run_id, "target": target, "segment": segment, "report": dict(report)}
        for segment, report in reports.items()
    ]
    if rows:
        session.execute(insert(DriverReport), rows)


def reported(session: Session, run_id: int) -> dict[str, tuple[str, ...]]:
    """Return the targets that a run has reports of, by name, each with its segments."""
    query = select(DriverReport.target, DriverReport.segment).where(DriverReport.scoring_run_id == run_id)
    found: dict[str, list[str]] = {}
    for target, segment in session.execute(query):
        found.setdefault(target, []).append(segment)
    # Sorted here, since engines order text differently.
    return {target: tuple(sorted(found[target])) for target in sorted(found)}


def read(session: Session, run_id: int, target: str, segment: str) -> dict[str, Any] | None:
    """Return one report, None if the run has no such one."""
    row = session.get(DriverReport, (run_id, target, segment))
    return None if row is None else row.report
