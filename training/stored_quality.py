"""Whether it came true: stored scores of runs whose horizon has passed, against what is known by now.

Labels are made by the code that made those of training, from everything that is stored today: what came late counts, as
do refunds of what was bought within the horizon up to its end. Customers are gone through by ranges of keys; of each
only a few numbers are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from features.calendar import LocalCalendar
from features.targets import TargetSet
from features.windows import Snapshot
from store import quality
from store.engine import Database
from store.events import key_ranges, read_range
from store.quality import TARGET, Kind
from store.settings import Settings
from store.tables import ScoringRun
from training.gathered_outcomes import NO_SCORES, GatheredOutcomes
from training.log_end import find_log_end
from training.progress import Progress, silent
from training.stored_comparison import Comparison, comparisons

__all__ = ["compare_due", "compare_run"]

_SUPPLIED = "Its labels come in a file, so that events can't tell what came about."
_NO_EVENTS = "What happened within the horizon has been deleted in part: it is older than is kept."


def compare_due(
    database: Database,
    settings: Settings,
    *,
    now: datetime,
    most: int | None = None,
    run_ids: Sequence[int] | None = None,
    progress: Progress = silent,
) -> list[int]:
    """Compare the runs whose horizon has passed, and store what came of them.

    Parameters
    ----------
    database : Database
    settings : Settings
    now : datetime
        What is known later than the setting `as_of`, or else than this, is not looked at.
    most : int, optional
        Runs to compare at most.
    run_ids : sequence of int, optional
        Compare these, again where they have been compared; by default every one that has not.
    progress : Progress

    Returns
    -------
    list of int
        The runs compared.
    """
    calendar = LocalCalendar(settings.timezone)
    again = run_ids is not None
    present = settings.as_of or now
    # What the clock says is quickly known; when the log ends is looked for only if there may be something to compare.
    waiting = [one for one in comparisons(database, run_ids) if one.due(present, calendar, again=again)]
    known_until = find_log_end(database, present, calendar) if waiting else None
    compared: list[int] = []
    for one in waiting:
        parts = one.due(known_until or one.as_of, calendar, again=again)
        if not parts or (most is not None and len(compared) == most):
            continue
        compare_run(database, settings, one, parts, known_until=known_until or present, now=now, progress=progress)
        compared.append(one.run.id)
    return compared


def compare_run(
    database: Database,
    settings: Settings,
    comparison: Comparison,
    parts: Sequence[tuple[Kind, str]],
    *,
    known_until: datetime,
    now: datetime,
    progress: Progress = silent,
) -> dict[tuple[Kind, str], dict[str, Any]]:
    """Compare parts of a run whose horizon has passed, store the reports, and return them.

    Parameters
    ----------
    database : Database
    settings : Settings
    comparison : Comparison
    parts : sequence of (kind, name)
    known_until : datetime
        Where what is stored ends.
    now : datetime
    progress : Progress
    """
    calendar, run = LocalCalendar(settings.timezone), comparison.run
    reports: dict[tuple[Kind, str], dict[str, Any]] = {}
    pruned = settings.retention_days is not None and comparison.as_of < now - timedelta(days=settings.retention_days)
    asked: dict[tuple[Kind, str], int] = {}
    for part in parts:
        days = comparison.horizons[part]
        if days is None or pruned or run.is_pruned:
            why = _SUPPLIED if days is None else _NO_EVENTS if pruned else NO_SCORES
            reports[part] = {"not_comparable": why}
        else:
            asked[part] = days
    if asked:
        gathered = GatheredOutcomes(
            comparison,
            asked,
            Snapshot.at(comparison.as_of, calendar),
            {days: Snapshot.at(calendar.later(comparison.as_of, days), calendar) for days in asked.values()},
            _is_in_hindsight(database, comparison, calendar),
        )
        targets = tuple(comparison.targets[name] for kind, name in asked if kind == TARGET)
        properties_of = TargetSet(targets).events_with_properties if targets else ()
        for low, high, done in key_ranges(database):
            with database.read() as session:
                said = quality.read_said(session, run.id, low, high)
            customers, log = read_range(database, low, high, calendar, properties_of)
            gathered.add(customers, log, said)
            progress(f"Comparing run {run.id}", done)
        reports |= gathered.reports(calendar)
    with database.write() as session:
        if asked and session.get_one(ScoringRun, run.id).is_pruned:
            # Since it was read: what was compared may be what was left.
            reports |= {part: {"not_comparable": NO_SCORES} for part in asked}
        quality.write_quality(session, run.id, reports, computed_at=now, known_until=known_until)
    return reports


def _is_in_hindsight(database: Database, comparison: Comparison, calendar: LocalCalendar) -> bool:
    """Whether the model of a run has learnt from what came after the instant that its scores speak of."""
    with database.read() as session:
        drift = quality.drift_of(session, [comparison.run.id])[comparison.run.id]
    day = calendar.day_of(comparison.as_of).isoformat()
    return any(report is not None and report["trained_as_of"] > day for report in drift.values())
