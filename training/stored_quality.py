"""Whether it came true: stored scores of runs whose horizon has passed, against what is known by now.

Labels are made by the code that made those of training, from everything that is stored today: what came late counts, as
do refunds of what was bought within the horizon up to its end. Customers are gone through by ranges of keys; of each
only a few numbers are kept.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure, aggregate
from features.build import FeatureFrame
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.labels import outcome
from features.targets import CHURN, Target, TargetSet
from features.windows import Snapshot
from store import quality, registry
from store.customer_keys import CustomerKeys
from store.engine import Database
from store.events import key_ranges, read_range
from store.exceptions import StoreError
from store.quality import FORECAST, PURCHASES, TARGET, Kind, SaidRows
from store.settings import Settings
from store.tables import ScoringRun
from training.came_true import Forecasts, Listed, forecast_figures, listed_figures, target_figures
from training.log_end import find_log_end
from training.progress import Progress, silent

__all__ = ["Comparison", "compare_due", "compare_run", "comparisons"]

FloatArray = NDArray[np.float64]

_AVERAGE_VALUE = "expected_average_value"
_SUPPLIED = "Its labels come in a file, so that events can't tell what came about."
_NO_SCORES = "The scores of this run have been deleted: it is older than is kept."
_NO_EVENTS = "What happened within the horizon has been deleted in part: it is older than is kept."
_NO_FORECAST = "The run expected no purchases of anybody."


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
            why = _SUPPLIED if days is None else _NO_EVENTS if pruned else _NO_SCORES
            reports[part] = {"not_comparable": why}
        else:
            asked[part] = days
    if asked:
        gathered = _Gathered(
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
        quality.write_quality(session, run.id, reports, computed_at=now, known_until=known_until)
    return reports


@dataclass(slots=True)
class _Gathered:
    """The few numbers of each customer that figures are made of."""

    comparison: Comparison
    asked: Mapping[tuple[Kind, str], int]
    snapshot: Snapshot
    ends: Mapping[int, Snapshot]
    in_hindsight: bool
    found: int = 0
    gone: int = 0
    later: int = 0
    judged: dict[str, list[tuple[FloatArray, FloatArray]]] = field(default_factory=lambda: defaultdict(list))
    listed: list[FloatArray] = field(default_factory=list)
    forecasts: list[FloatArray] = field(default_factory=list)

    def add(self, customers: CustomerKeys, log: EventLog, said: SaidRows) -> None:
        """Add some customers: those whom the run spoke of and who are still there."""
        still = np.isin(said.keys, customers.keys)
        self.later += said.later
        self.gone += int((~still).sum())
        self.found += int(still.sum())
        if not still.any():
            return
        rows = np.flatnonzero(still)
        log = log.take(np.sort(positions := customers.positions(said.keys[rows])))
        rows = rows[np.argsort(positions)]  # in the order of the log from here on
        numbers = {name: column[rows] for name, column in said.numbers.items()}
        came = partial(self._came, log, numbers[_AVERAGE_VALUE])
        for kind, name in self.asked:
            if kind == TARGET and name != CHURN:
                probability = _propensity([said.propensities[row] for row in rows.tolist()], name)
                self._judge(name, came(name), probability)
        if (TARGET, CHURN) in self.asked:
            churned, probability = came(CHURN), numbers["churn_probability"]
            self._judge(CHURN, churned, probability)
            days = self.asked[TARGET, CHURN]
            spent = self._spent(log, days)[:, 1]
            listed = np.array(["at_risk" in said.segments[row].split() for row in rows.tolist()], dtype=np.bool_)
            listed &= ~np.isnan(probability)
            columns = (churned, numbers["value_at_risk"], numbers["clv"], spent)
            self.listed.append(np.column_stack(columns)[listed])
        if (FORECAST, PURCHASES) in self.asked:
            expected = numbers["expected_purchases"]
            came_days = self._spent(log, self.asked[FORECAST, PURCHASES])
            columns = (
                expected,
                numbers["expected_purchases_low"],
                numbers["expected_purchases_high"],
                numbers[_AVERAGE_VALUE],
                *came_days.T,
            )
            self.forecasts.append(np.column_stack(columns)[~np.isnan(expected)])

    def reports(self, calendar: LocalCalendar) -> dict[tuple[Kind, str], dict[str, Any]]:
        """Return the figures of each part that was asked for."""
        run = self.comparison.run
        found: dict[tuple[Kind, str], dict[str, Any]] = {}
        for (kind, name), days in self.asked.items():
            if not self.found and run.n_customers:
                found[kind, name] = {"not_comparable": _NO_SCORES}
                continue
            told = self._target(name) if kind == TARGET else self._forecast()
            if "not_comparable" not in told:
                told |= {
                    "horizon_days": days,
                    "in_hindsight": self.in_hindsight,
                    "until": calendar.later(self.comparison.as_of, days).isoformat(),
                    "left_out": {
                        "gone": max(self.gone, (run.n_customers or 0) - self.found - self.later),
                        "later": self.later,
                    },
                }
            found[kind, name] = told
        return found

    def _target(self, name: str) -> dict[str, Any]:
        y, probability = (np.concatenate([*part, np.empty(0)]) for part in zip(*self.judged[name], strict=True))
        told = target_figures(y, probability, self.comparison.tests[name])
        if name == CHURN and self.comparison.horizon_days is not None:
            told["listed"] = listed_figures(Listed(*_joined(self.listed, 4)), base_rate=told["rate"])
        return told

    def _forecast(self) -> dict[str, Any]:
        told = Forecasts(*_joined(self.forecasts, 6))
        return forecast_figures(told) if len(told.expected) else {"not_comparable": _NO_FORECAST}

    def _judge(self, name: str, y: FloatArray, probability: FloatArray) -> None:
        judged = ~np.isnan(probability)
        self.judged[name].append((y[judged], probability[judged]))

    def _came(self, log: EventLog, average_value: FloatArray, name: str) -> FloatArray:
        target = self.comparison.targets[name]
        # Of all features labels read this one only, and as the run knew it.
        nothing = FeatureFrame(log.customer_ids, (), np.empty((log.n_customers, 0)))
        frame = nothing.with_columns((_AVERAGE_VALUE,), (average_value,))
        return outcome(target, log, self.snapshot, frame, self.ends[target.horizon])

    def _spent(self, log: EventLog, days: int) -> FloatArray:
        """Return purchase days and spending on so many whole days after the day of the run, shape (n, 2)."""
        within = (Aggregate(Measure.PURCHASE_DAYS, days=days), Aggregate(Measure.VALUE, days=days))
        came = np.nan_to_num(aggregate(log, self.snapshot.after(days, log.calendar), within), nan=0.0)
        # Where refunds of earlier orders outweigh what was spent, that is nothing.
        return np.maximum(came, 0.0)


def _is_in_hindsight(database: Database, comparison: Comparison, calendar: LocalCalendar) -> bool:
    """Whether the model of a run has learnt from what came after the instant that its scores speak of."""
    with database.read() as session:
        drift = quality.drift_of(session, [comparison.run.id])[comparison.run.id]
    day = calendar.day_of(comparison.as_of).isoformat()
    return any(report is not None and report["trained_as_of"] > day for report in drift.values())


def _joined(parts: Sequence[FloatArray], columns: int) -> FloatArray:
    return np.concatenate([*parts, np.empty((0, columns))]).T


def _propensity(stored: Sequence[str | None], name: str) -> FloatArray:
    """Return what was said of a target, NaN of those who were not judged."""
    told = (json.loads(each).get(name) if each else None for each in stored)
    return np.array([np.nan if each is None else each["probability"] for each in told], dtype=np.float64)
