"""What became of the scores of runs: reports of drift and of what came true, and what each run had said at first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, false, func, insert, select, text
from sqlalchemy.orm import Session

from store.bulk_read import read_blocks
from store.customer_keys import among, between
from store.engine import Database
from store.event_rows import ORDER_COMPLETED
from store.events import key_ranges
from store.tables import DriftReport, Event, EventType, QualityReport, ScoringRun, SupersededScore

__all__ = [
    "FORECAST",
    "PURCHASES",
    "TARGET",
    "Kind",
    "SaidRows",
    "clear_drift",
    "completed_runs",
    "drift_of",
    "keep_first_scores",
    "last_event",
    "latest_quality",
    "parts_done",
    "quality_of",
    "read_said",
    "write_drift",
    "write_quality",
]

Kind = Literal["target", "forecast"]
TARGET: Kind = "target"
FORECAST: Kind = "forecast"
# The name of the one forecast.
PURCHASES = "purchases"

# With figures. More would be slow to read; a target that none of them has is in no model any more.
_REPORTS_LOOKED_AT = 100

_KEPT = tuple(column.name for column in SupersededScore.__table__.columns)
_SAID = _KEPT[1:]
_NUMBERS = tuple(name for name in _SAID if name not in ("customer_key", "segments", "propensities"))


@dataclass(frozen=True, slots=True, eq=False)
class SaidRows:
    """What a run said of some customers at its instant.

    Attributes
    ----------
    keys : int64, shape (n,)
    segments : list of str
        All segments of each, separated by spaces.
    numbers : mapping of name to float64, shape (n,)
        NaN for what does not apply.
    propensities : list of str or None
        As stored: JSON by name of the target.
    later : int
        Customers of whom nothing was said at that instant, or of whom it was not kept: their scores speak of another.
    """

    keys: NDArray[np.int64]
    segments: list[str]
    numbers: Mapping[str, NDArray[np.float64]]
    propensities: list[str | None]
    later: int


def keep_first_scores(connection: Connection, run_ids: Iterable[int], customer_keys: Iterable[int]) -> None:
    """Keep what runs said of customers, before they are scored again under these runs.

    In the transaction that writes the new scores, and before it does. What is kept already stays: only the first score
    speaks of the instant of its run.
    """
    columns = ", ".join(_KEPT)
    connection.execute(
        text(
            f"INSERT INTO superseded_score ({columns}) SELECT {columns} FROM score "
            f"WHERE scoring_run_id {among(run_ids)} AND customer_key {among(sorted(customer_keys))} "
            "AND rescored_at IS NULL ON CONFLICT (scoring_run_id, customer_key) DO NOTHING"
        )
    )


def read_said(session: Session, run_id: int, lowest: int, highest: int) -> SaidRows:
    """Read what a run said of the customers with keys from lowest to highest, each at the instant of the run."""
    of_range = f"WHERE scoring_run_id = {int(run_id)} AND customer_key {between(lowest, highest)}"
    columns = ", ".join(_SAID)
    # One statement, so that whoever is scored again meanwhile is in it once.
    statement = (
        f"SELECT {columns}, 0 FROM score {of_range} AND rescored_at IS NULL "
        f"UNION ALL SELECT {columns}, 0 FROM superseded_score {of_range} "
        f"UNION ALL SELECT {columns}, 1 FROM score {of_range} AND rescored_at IS NOT NULL AND NOT EXISTS (SELECT 1 "
        "FROM superseded_score first WHERE first.scoring_run_id = score.scoring_run_id "
        "AND first.customer_key = score.customer_key)"
    )
    rows: list[tuple[Any, ...]] = []
    later = 0
    for block in read_blocks(session, statement):
        rows += [row for row in block if not row[-1]]
        later += sum(row[-1] for row in block)
    by_name = dict(zip(_SAID, list(zip(*rows, strict=True))[:-1], strict=True)) if rows else dict.fromkeys(_SAID, ())
    return SaidRows(
        keys=np.array(by_name["customer_key"], dtype=np.int64),
        segments=list(by_name["segments"]),
        numbers={name: np.array(by_name[name], dtype=np.float64) for name in _NUMBERS},  # NaN for None
        propensities=list(by_name["propensities"]),
        later=later,
    )


def last_event(database: Database) -> datetime | None:
    """Return when the last order happened; without orders, when the last event did; None without either."""
    with database.read() as session:
        order = session.scalar(select(EventType.id).where(EventType.name == ORDER_COMPLETED))
    last_order = last_of_all = None
    for low, high, _ in key_ranges(database):
        of_range = select(func.max(Event.occurred_at)).where(Event.customer_key.between(low, high))
        with database.read() as session:
            last_of_all = _later(last_of_all, session.scalar(of_range))
            if order is not None:
                last_order = _later(last_order, session.scalar(of_range.where(Event.event_type_id == order)))
    return last_order or last_of_all


def completed_runs(session: Session, *, before: int | None = None, limit: int | None = None) -> list[ScoringRun]:
    """Return completed scoring runs, the newest first.

    Parameters
    ----------
    session : Session
    before : int, optional
        Only runs with lower numbers.
    limit : int, optional
    """
    query = select(ScoringRun).where(ScoringRun.status == "completed").order_by(ScoringRun.id.desc())
    if before is not None:
        query = query.where(ScoringRun.id < before)
    return list(session.scalars(query.limit(limit)))


def clear_drift(session: Session, run_id: int) -> None:
    """Remove what an interrupted attempt at a run left."""
    session.execute(delete(DriftReport).where(DriftReport.scoring_run_id == run_id))


def write_drift(session: Session, run_id: int, reports: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Write the drift of a run, by target; None stands for a model whose training kept no distributions."""
    clear_drift(session, run_id)
    rows = [
        {"scoring_run_id": run_id, "target": target, "report": None if report is None else dict(report)}
        for target, report in reports.items()
    ]
    if rows:
        session.execute(insert(DriftReport), rows)


def drift_of(session: Session, run_ids: Sequence[int]) -> dict[int, dict[str, dict[str, Any] | None]]:
    """Return the drift of some runs, by run and target."""
    found: dict[int, dict[str, dict[str, Any] | None]] = {run_id: {} for run_id in run_ids}
    for row in session.scalars(select(DriftReport).where(DriftReport.scoring_run_id.in_(run_ids))):
        found[row.scoring_run_id][row.target] = row.report
    return found


def write_quality(
    session: Session,
    run_id: int,
    reports: Mapping[tuple[Kind, str], Mapping[str, Any]],
    *,
    computed_at: datetime,
    known_until: datetime,
) -> None:
    """Write what came of the scores of a run, by kind and name, in the place of what was there.

    Figures outlive what they were made from: a report that has none takes no other's place.
    """
    for (kind, name), report in reports.items():
        stored = session.get(QualityReport, (run_id, kind, name)) if "not_comparable" in report else None
        if stored is not None and "not_comparable" not in stored.report:
            continue
        session.merge(
            QualityReport(
                scoring_run_id=run_id,
                kind=kind,
                name=name,
                computed_at=computed_at,
                known_until=known_until,
                report=dict(report),
            )
        )


def quality_of(session: Session, run_ids: Sequence[int]) -> dict[int, dict[tuple[str, str], QualityReport]]:
    """Return what came of the scores of some runs, by run, then by kind and name."""
    found: dict[int, dict[tuple[str, str], QualityReport]] = {run_id: {} for run_id in run_ids}
    for row in session.scalars(select(QualityReport).where(QualityReport.scoring_run_id.in_(run_ids))):
        found[row.scoring_run_id][row.kind, row.name] = row
    return found


def parts_done(session: Session) -> dict[int, set[tuple[str, str]]]:
    """Return the kinds and names that have been compared, by run."""
    found: dict[int, set[tuple[str, str]]] = {}
    for run_id, kind, name in session.execute(
        select(QualityReport.scoring_run_id, QualityReport.kind, QualityReport.name)
    ):
        found.setdefault(run_id, set()).add((kind, name))
    return found


def latest_quality(session: Session) -> dict[tuple[str, str], QualityReport]:
    """Return the newest comparison that gave figures, by kind and name, among the last hundred that did.

    Scores in hindsight prove nothing and are passed over.
    """
    said = QualityReport.report
    proves = said["not_comparable"].as_string().is_(None) & ~func.coalesce(said["in_hindsight"].as_boolean(), false())
    query = select(QualityReport).where(proves).order_by(QualityReport.scoring_run_id.desc()).limit(_REPORTS_LOOKED_AT)
    found: dict[tuple[str, str], QualityReport] = {}
    for row in session.scalars(query):
        found.setdefault((row.kind, row.name), row)
    return found


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return other if one is None else one if other is None else max(one, other)
