"""Whether scores came true and how far customers have moved since training, as runs and comparisons stored it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from features.targets import CHURN
from models.drift import DriftReport
from service.modelled_targets import horizon_of, targets_of_report
from store import quality, registry
from store.quality import FORECAST, PURCHASES, TARGET
from store.tables import QualityReport, ScoringRun

__all__ = ["PartQuality", "QualityOverview", "RunQuality", "Status", "read_quality"]

Status = Literal["compared", "due", "not_due", "not_comparable"]

_SUPPLIED = "Its labels come in a file, so that events can't tell what came about."
_WAITS = (
    "Its horizon has passed. It is compared once the stored events reach its end: by the worker within a day, or at "
    "once by regulars evaluate --stored."
)


@dataclass(frozen=True, slots=True, eq=False)
class PartQuality:
    """What came of one part of a run: of what it said of a target, or of its forecast of purchases.

    Attributes
    ----------
    kind, name : str
        "target" and its name, or "forecast" and "purchases".
    run : ScoringRun
    status : Status
    due_at : datetime or None
        When its horizon has passed; None where events can't tell.
    why : str or None
        Of what is not compared.
    stored : QualityReport or None
    """

    kind: str
    name: str
    run: ScoringRun
    status: Status
    due_at: datetime | None
    why: str | None
    stored: QualityReport | None

    @property
    def figures(self) -> Mapping[str, Any]:
        """The figures, none unless it is compared."""
        return {} if self.stored is None or self.status != "compared" else self.stored.report


@dataclass(frozen=True, slots=True, eq=False)
class RunQuality:
    """One run: what came of its parts, churn first, and the drift of its customers by target.

    `drift` has None for a model that was trained before distributions were kept, and no entry for what was scored
    before they were compared.
    """

    run: ScoringRun
    parts: tuple[PartQuality, ...]
    drift: Mapping[str, DriftReport | None]


@dataclass(frozen=True, slots=True, eq=False)
class QualityOverview:
    """The newest comparison of each part, and runs, the newest first.

    `next_before` leads to older runs: it is the number of the last run shown, None where there are no more.
    """

    latest: tuple[PartQuality, ...]
    runs: tuple[RunQuality, ...]
    next_before: int | None


def read_quality(
    session: Session, *, timezone: str, now: datetime, before: int | None = None, limit: int
) -> QualityOverview:
    """Read what came of the scores of runs.

    Parameters
    ----------
    session : Session
    timezone : str
        Of the business.
    now : datetime
    before : int, optional
        Only runs with lower numbers.
    limit : int
        Runs at most.
    """
    found = quality.completed_runs(session, before=before, limit=limit + 1)
    runs = found[:limit]
    calendar = LocalCalendar(timezone)
    reports = {run.model_version: registry.find_version(session, str(run.model_version)).report for run in runs}
    numbers = [run.id for run in runs]
    stored, drift = quality.quality_of(session, numbers), quality.drift_of(session, numbers)
    shown = tuple(
        RunQuality(
            run,
            _parts(run, reports[run.model_version], stored[run.id], calendar, now),
            # As the run wrote it.
            cast(dict[str, DriftReport | None], dict(sorted(drift[run.id].items(), key=_churn_first))),
        )
        for run in runs
    )
    latest = tuple(
        PartQuality(kind, name, run, "compared", None, None, row)
        for (kind, name), row in sorted(quality.latest_quality(session).items(), key=_targets_first)
        if (run := session.get(ScoringRun, row.scoring_run_id)) is not None
    )
    return QualityOverview(latest, shown, runs[-1].id if len(found) > limit else None)


def _parts(
    run: ScoringRun,
    report: Mapping[str, Any],
    stored: Mapping[tuple[str, str], QualityReport],
    calendar: LocalCalendar,
    now: datetime,
) -> tuple[PartQuality, ...]:
    horizons: dict[tuple[str, str], int | None] = {
        (TARGET, name): horizon_of(target) for name, target in targets_of_report(report).items()
    }
    if horizon := (report.get("settings") or {}).get("horizon_days"):
        horizons[FORECAST, PURCHASES] = horizon
    return tuple(
        _part(run, part, days, stored.get(part), calendar, now)
        for part, days in sorted(horizons.items(), key=_targets_first)
    )


def _part(
    run: ScoringRun,
    part: tuple[str, str],
    days: int | None,
    stored: QualityReport | None,
    calendar: LocalCalendar,
    now: datetime,
) -> PartQuality:
    due_at = None if days is None or run.as_of is None else calendar.later(run.as_of, days)
    status: Status
    why: str | None = None
    if stored is not None:
        why = stored.report.get("not_comparable")
        status = "compared" if why is None else "not_comparable"
    elif due_at is None:
        status, why = "not_comparable", _SUPPLIED
    elif due_at > now:
        status, why = "not_due", f"Not due until {due_at:%Y-%m-%d %H:%M} UTC, when its horizon has passed."
    else:
        status, why = "due", _WAITS
    return PartQuality(*part, run, status, due_at, why, stored)


def _targets_first(item: tuple[tuple[str, str], object]) -> tuple[bool, bool, str]:
    (kind, name), _ = item
    return kind != TARGET, name != CHURN, name


def _churn_first(item: tuple[str, object]) -> tuple[bool, str]:
    return item[0] != CHURN, item[0]
