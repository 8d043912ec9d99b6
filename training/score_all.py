"""Score every customer with the champion and show the result in every list at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from features.calendar import LocalCalendar
from features.windows import Snapshot
from models.bundle import Bundle, load_bundle
from models.scoring import score
from models.segments import Cutoffs, SegmentPolicy, find_cutoffs
from store import drivers as driver_reports
from store import policies, registry, runs, scores
from store.engine import Database
from store.events import key_ranges, read_chunks
from store.listings import write_listings
from store.memberships import record_published
from store.settings import Settings
from store.tables import ScoringRun
from training.exceptions import TrainingError
from training.execution import executing
from training.progress import Progress, silent
from training.run_part import PartScorer, RunPart
from training.run_sums import RunSums

__all__ = ["run_scoring", "score_all"]


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

    part = RunPart(
        database_url=settings.database_url,
        bundle=settings.bundle_dir / version.bundle,
        bundle_hash=version.bundle_hash,
        policy=policy,
        cutoffs=cutoffs,
        as_of=as_of,
        run_id=run.id,
    )
    ranges = key_ranges(database)
    sums, scorer = RunSums.of_nobody(bundle), PartScorer(part, database, bundle)
    of_ranges = scorer.in_order([(low, high) for low, high, _ in ranges], settings.scoring_processes)
    for (_, _, done), some in zip(ranges, of_ranges, strict=True):
        sums.merge(some)
        progress("Scoring customers", done)

    write_listings(database, run.id, sums.places, partial(progress, "Ordering lists"))
    for name, reports in sums.driver_reports().items():
        with database.write() as session:
            driver_reports.write(session, run.id, name, reports)
    aggregates = {
        **sums.aggregates(bundle),
        "caveats": bundle.report.get("caveats", []),
        "refused": bundle.report.get("refused", {}),
    }
    scores.publish(database, run.id, n_customers=sums.n_customers, aggregates=aggregates, now=now())
    record_published(database, partial(progress, "Recording who came and left"))
    with database.read() as session:
        return session.get_one(ScoringRun, run.id)


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
