"""Score every customer with the champion and show the result in every list at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.calendar import LocalCalendar
from features.windows import Snapshot
from models.bundle import Bundle, load_bundle
from models.scoring import Scores, score
from models.segments import SEGMENTS, Cutoffs, SegmentPolicy, find_cutoffs
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

_WHY_EMPTY = {
    "upsell_ready": "The model has no upsell target, so nobody can be found ready to buy more.",
    "prospect": "Every known customer has purchased.",
}


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
    for customers, log, done in read_chunks(database, calendar):
        with database.read() as session:
            memberships = open_memberships(session, customers.keys)
        found = score(bundle, policy, cutoffs, log, memberships, snapshot)
        scores.write(database, run.id, customers.keys, found.columns())
        sums.add(found)
        progress("Scoring customers", done)

    aggregates = {**sums.aggregates(bundle.currency), "caveats": bundle.report.get("caveats", [])}
    scores.publish(database, run.id, n_customers=sums.n_customers, aggregates=aggregates, now=now())
    record_published(database)
    with database.read() as session:
        return session.get_one(ScoringRun, run.id)


def _find_cutoffs(
    database: Database, bundle: Bundle, policy: SegmentPolicy, snapshot: Snapshot, progress: Progress
) -> Cutoffs:
    """Find where a policy that is newer than the bundle cuts today's customers."""
    columns: dict[str, list[NDArray[Any]]] = {"eligible": [], "churn_probability": [], "clv": []}
    for _, log, done in read_chunks(database, LocalCalendar(bundle.timezone)):
        found = score(bundle, policy, bundle.cutoffs, log, {}, snapshot)
        for name, parts in columns.items():
            parts.append(getattr(found, name))
        progress("Finding cut-offs", done)
    joined = {name: np.concatenate(parts) if parts else np.empty(0) for name, parts in columns.items()}
    return find_cutoffs(
        policy,
        eligible=joined["eligible"].astype(np.bool_),
        churn_probability=joined["churn_probability"],
        clv=joined["clv"],
    )


@dataclass(slots=True)
class _Sums:
    """What a run adds up while it writes, so that no page has to."""

    n_customers: int = 0
    by_segment: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(SEGMENTS) + 1, 5)))
    values_at_risk: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, found: Scores) -> None:
        """Add some customers."""
        self.n_customers += len(found.clv)
        amounts = np.nan_to_num(
            np.column_stack((found.clv, found.value_at_risk, found.frame["expected_purchases"])), nan=0.0
        )
        for i in range(len(SEGMENTS)):
            member = found.member[:, i]
            self.by_segment[i] += (member.sum(), (found.primary == i).sum(), *amounts[member].sum(axis=0))
        self.by_segment[-1] += (len(found.clv), len(found.clv), *amounts.sum(axis=0))
        self.values_at_risk.append(found.value_at_risk[found.member[:, SEGMENTS.index("at_risk")]])

    def aggregates(self, currency: str) -> dict[str, Any]:
        """Return the sums as stored with the run."""
        segments = {}
        for name, row in zip(SEGMENTS, self.by_segment, strict=False):
            segments[name] = _named(row) | dict.fromkeys(_NOT_APPLICABLE.get(name, ()))
            if not row[0]:
                segments[name]["why_empty"] = _WHY_EMPTY.get(name, "No customer meets its rule.")
        return {
            "segments": segments,
            "total": _named(self.by_segment[-1]),
            "at_risk_curve": self._curve(),
            "currency": currency,
        }

    def _curve(self) -> list[list[float]]:
        """Return [contacts, value at risk of so many on top], at most `_CURVE_POINTS` points."""
        values = np.sort(np.concatenate([*self.values_at_risk, np.empty(0)]))[::-1]
        if not len(values):
            return []
        contacts = np.unique(np.linspace(1, len(values), _CURVE_POINTS).round().astype(int))
        return [[int(n), float(total)] for n, total in zip(contacts, np.cumsum(values)[contacts - 1], strict=True)]


def _named(row: NDArray[np.float64]) -> dict[str, Any]:
    customers, primary, clv, value_at_risk, expected_purchases = row.tolist()
    return {
        "customers": int(customers),
        "primary": int(primary),
        "clv": clv,
        "value_at_risk": value_at_risk,
        "expected_purchases": expected_purchases,
    }
