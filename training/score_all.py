"""Score every customer with the champion and show the result in every list at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.calendar import LocalCalendar
from features.targets import UPSELL
from features.windows import Snapshot
from models.bundle import Bundle, TargetModel, load_bundle
from models.drivers import DriverSums
from models.scoring import Scores, score
from models.segments import SEGMENTS, Cutoffs, SegmentPolicy, find_cutoffs
from store import drivers as driver_reports
from store import policies, registry, runs, scores
from store.engine import Database
from store.events import read_chunks
from store.memberships import open_memberships, record_published
from store.settings import Settings
from store.tables import ScoringRun
from training.exceptions import TrainingError
from training.execution import executing
from training.progress import Progress, silent

__all__ = ["run_scoring", "score_all"]

_CURVE_POINTS = 200

# Sums over customers whose scores have no such number; null, since 0 would be a statement.
_NOT_APPLICABLE = {"dormant": ("value_at_risk",), "prospect": ("clv", "value_at_risk", "expected_purchases")}


def score_all(
    database: Database,
    settings: Settings,
    *,
    now: Callable[[], datetime],
    as_of: datetime | None = None,
    progress: Progress = silent,
) -> ScoringRun:
    """Queue a scoring run, execute it at once in this process, and return it; if it raises, the run is failed."""
    with database.write() as session:
        run_id = runs.queue_scoring(session, now=now(), as_of=as_of).id
        claimed = runs.claim(session, ScoringRun, now=now(), run_id=run_id)
    if claimed is None:
        raise TrainingError(f"Scoring run {run_id} was taken by a worker, which will finish it.")
    with executing(database, ScoringRun, run_id, now=now):
        return run_scoring(database, settings, claimed, now=now, progress=progress)


def run_scoring(
    database: Database,
    settings: Settings,
    run: ScoringRun,
    *,
    now: Callable[[], datetime],
    progress: Progress = silent,
) -> ScoringRun:
    """Execute a claimed scoring run and publish it."""
    record_published(database)  # what a run before this one may have left undone
    with database.read() as session:
        version = registry.find_version(session)
        policy_version, content = policies.current_policy(session)
        stored = policies.read_cutoffs(session, model_version=version.version, policy_version=policy_version)
    bundle = load_bundle(settings.bundle_dir / version.bundle, expected_hash=version.bundle_hash)
    policy = SegmentPolicy.from_dict(content)
    calendar = LocalCalendar(bundle.timezone)
    as_of = run.as_of or settings.as_of or now()
    snapshot = Snapshot.at(as_of, calendar)
    scores.begin(database, run.id, as_of=as_of, model_version=version.version, policy_version=policy_version)

    if stored is None:
        cutoffs = _find_cutoffs(database, bundle, policy, snapshot, progress)
        with database.write() as session:
            policies.write_cutoffs(
                session, cutoffs.to_dict(), model_version=version.version, policy_version=policy_version
            )
    else:
        cutoffs = Cutoffs.from_dict(stored)

    sums = _Sums()
    drivers = {name: _driver_sums(model, bundle) for name, model in bundle.targets.items()}
    for customers, log, done in read_chunks(database, calendar, properties_of=bundle.events_with_properties):
        with database.read() as session:
            memberships = open_memberships(session, customers.keys)
        found = score(bundle, policy, cutoffs, log, memberships, snapshot)
        scores.write(database, run.id, customers.keys, found.columns())
        sums.add(found)
        for name, told in found.targets.items():
            drivers[name].add(told.contributions, told.values, found.member[told.eligible])
        progress("Scoring customers", done)

    for name, driver_sums in drivers.items():
        with database.write() as session:
            driver_reports.write(session, run.id, name, driver_sums.reports())
    aggregates = {
        **sums.aggregates(bundle),
        "caveats": bundle.report.get("caveats", []),
        "refused": bundle.report.get("refused", {}),
    }
    scores.publish(database, run.id, n_customers=sums.n_customers, aggregates=aggregates, now=now())
    record_published(database)
    with database.read() as session:
        return session.get_one(ScoringRun, run.id)


def _driver_sums(model: TargetModel, bundle: Bundle) -> DriverSums:
    names = model.classifier.feature_names_
    return DriverSums(names, categories=bundle.categories, edges=model.edges, segments=SEGMENTS)


def _find_cutoffs(
    database: Database, bundle: Bundle, policy: SegmentPolicy, snapshot: Snapshot, progress: Progress
) -> Cutoffs:
    """Find where a policy that is newer than the bundle cuts today's customers."""
    parts: list[dict[str, Any]] = []
    calendar = LocalCalendar(bundle.timezone)
    for _, log, done in read_chunks(database, calendar, properties_of=bundle.events_with_properties):
        parts.append(score(bundle, policy, bundle.cutoffs, log, {}, snapshot).for_cutoffs())
        progress("Finding cut-offs", done)
    if not parts:
        return bundle.cutoffs
    joined: dict[str, Any] = {
        name: np.concatenate([part[name] for part in parts]) if isinstance(value, np.ndarray) else value
        for name, value in parts[0].items()
    }
    return find_cutoffs(policy, **joined)


@dataclass(slots=True)
class _Sums:
    """What a run adds up while it writes, so that no page has to."""

    n_customers: int = 0
    by_segment: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(SEGMENTS) + 1, 5)))
    values_at_risk: list[NDArray[np.float64]] = field(default_factory=list)
    judged: dict[str, int] = field(default_factory=dict)

    def add(self, found: Scores) -> None:
        """Add some customers."""
        n = len(found.clv)
        self.n_customers += n
        expected = found.frame["expected_purchases"] if found.bundle.purchases is not None else np.zeros(n)
        amounts = np.nan_to_num(np.column_stack((found.clv, found.value_at_risk, expected)), nan=0.0)
        for i in range(len(SEGMENTS)):
            member = found.member[:, i]
            self.by_segment[i] += (member.sum(), (found.primary == i).sum(), *amounts[member].sum(axis=0))
        self.by_segment[-1] += (n, n, *amounts.sum(axis=0))
        self.values_at_risk.append(found.value_at_risk[found.member[:, SEGMENTS.index("at_risk")]])
        for name, told in found.targets.items():
            self.judged[name] = self.judged.get(name, 0) + int(told.eligible.sum())

    def aggregates(self, bundle: Bundle) -> dict[str, Any]:
        """Return the sums as stored with the run."""
        has_clv = bundle.purchases is not None
        segments = {}
        for name, row in zip(SEGMENTS, self.by_segment, strict=False):
            segments[name] = _named(row, bundle) | dict.fromkeys(_NOT_APPLICABLE.get(name, ()))
            if not row[0]:
                segments[name]["why_empty"] = _why_empty(name, bundle)
        return {
            "segments": segments,
            "total": _named(self.by_segment[-1], bundle),
            "at_risk_curve": self._curve() if has_clv and bundle.churn is not None else [],
            "has_clv": has_clv,
            "targets": {
                name: {
                    "description": model.target.describe(),
                    "horizon_days": model.target.horizon_days,
                    "customers": self.judged.get(name, 0),
                    "base_rate": model.base_rate,
                    "makes_segment": model.makes_segment,
                }
                for name, model in bundle.targets.items()
            },
            "currency": bundle.currency,
        }

    def _curve(self) -> list[list[float]]:
        """Return [contacts, value at risk of so many on top], at most `_CURVE_POINTS` points."""
        values = np.sort(np.nan_to_num(np.concatenate([*self.values_at_risk, np.empty(0)]), nan=0.0))[::-1]
        if not len(values):
            return []
        contacts = np.unique(np.linspace(1, len(values), _CURVE_POINTS).round().astype(int))
        return [[int(n), float(total)] for n, total in zip(contacts, np.cumsum(values)[contacts - 1], strict=True)]


def _named(row: NDArray[np.float64], bundle: Bundle) -> dict[str, Any]:
    customers, primary, clv, value_at_risk, expected_purchases = row.tolist()
    has_clv = bundle.purchases is not None
    return {
        "customers": int(customers),
        "primary": int(primary),
        "clv": clv if has_clv else None,
        "value_at_risk": value_at_risk if has_clv and bundle.churn is not None else None,
        "expected_purchases": expected_purchases if has_clv else None,
    }


def _why_empty(segment: str, bundle: Bundle) -> str:
    """Say why nobody is in a segment."""
    upsell = bundle.targets.get(UPSELL)
    if segment == "at_risk" and bundle.churn is None:
        return "The model has no target named churn, so nobody can be found at risk."
    if segment == "high_value" and bundle.purchases is None:
        return "There are no purchases, so there is no clv."
    if segment in ("new", "prospect") and bundle.purchases is None:
        return "There are no purchases, so nobody is new or has yet to buy."
    if segment == "upsell_ready" and upsell is None:
        why = bundle.report.get("refused", {}).get(UPSELL)
        return f"The model has no upsell target: {why}" if why else "The model has no upsell target."
    if segment == "upsell_ready" and upsell is not None and not upsell.makes_segment:
        return "The upsell model says too little of those who buy, so nobody is singled out by it."
    return "Every known customer has purchased." if segment == "prospect" else "No customer meets its rule."
