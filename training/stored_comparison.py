"""Runs whose scores can be compared with what came true, and which parts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.calendar import LocalCalendar
from features.targets import Target
from store import quality, registry
from store.engine import Database
from store.exceptions import StoreError
from store.quality import FORECAST, PURCHASES, TARGET, Kind
from store.tables import ScoringRun

__all__ = ["Comparison", "comparisons"]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What there is to compare of one run.

    Attributes
    ----------
    run : ScoringRun
    as_of : datetime
        The instant that its scores speak of.
    targets : mapping of name to Target
        Of the run's model.
    tests : mapping of name to mapping
        The report that the model had of each when it was trained.
    horizon_days : int or None
        Of the forecast of purchases; None for a model that tells none.
    done : frozenset of (kind, name)
        What has been compared already.
    """

    run: ScoringRun
    as_of: datetime
    targets: Mapping[str, Target]
    tests: Mapping[str, Mapping[str, Any]]
    horizon_days: int | None
    done: frozenset[tuple[str, str]]

    @property
    def horizons(self) -> dict[tuple[Kind, str], int | None]:
        """Days after which each part can be compared; None for one that events can't tell."""
        found: dict[tuple[Kind, str], int | None] = {
            (TARGET, name): None if target.kind == "label" else target.horizon for name, target in self.targets.items()
        }
        if self.horizon_days is not None:
            found[FORECAST, PURCHASES] = self.horizon_days
        return found

    def due(self, known_until: datetime, calendar: LocalCalendar, *, again: bool) -> list[tuple[Kind, str]]:
        """Return the parts whose horizon has passed by an instant; without those done, unless `again`."""
        return [
            part
            for part, days in self.horizons.items()
            if (again or part not in self.done) and (days is None or calendar.later(self.as_of, days) <= known_until)
        ]


def comparisons(database: Database, run_ids: Sequence[int] | None = None) -> list[Comparison]:
    """Return what there is to compare of completed runs, the oldest first.

    Parameters
    ----------
    database : Database
    run_ids : sequence of int, optional
        All by default.

    Raises
    ------
    StoreError
        A run that is asked for is not there, or not completed.
    """
    with database.read() as session:
        runs = quality.completed_runs(session)
        if run_ids is not None:
            if missing := set(run_ids) - {run.id for run in runs}:
                raise StoreError(f"There is no completed scoring run {', '.join(map(str, sorted(missing)))}.")
            runs = [run for run in runs if run.id in run_ids]
        versions = {run.model_version for run in runs}
        reports = {version: registry.find_version(session, str(version)).report for version in versions}
        done = quality.parts_done(session)
    found = []
    for run in reversed(runs):
        if run.as_of is None:
            continue  # it is settled when a run begins
        report = reports[run.model_version]
        tests = {name: told for name, told in (report.get("targets") or {}).items() if "target" in told}
        found.append(
            Comparison(
                run,
                run.as_of,
                {name: Target.from_dict(told["target"]) for name, told in tests.items()},
                tests,
                (report.get("settings") or {}).get("horizon_days"),
                frozenset(done.get(run.id, ())),
            )
        )
    return found
