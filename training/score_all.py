"""Score every customer with the champion and show the result in every list at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from features.calendar import LocalCalendar
from features.windows import Snapshot
from models.bundle import Bundle, load_bundle
from models.scoring import score
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs, find_cutoffs
from store import drivers as driver_reports
from store import policies, quality, registry, runs, scores
from store.engine import Database
from store.events import key_ranges, read_chunks
from store.held_out import read_held_out
from store.listings import write_listings
from store.memberships import record_published
from store.publishing import publish
from store.rescore_requests import forget_before_first_run
from store.scoring_parts import kept_parts, remove_parts, remove_parts_of_ended_runs
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
    with executing(database, claimed, now=now):
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
    record_published(database, now=now)  # what a run before this one may have left undone
    remove_parts_of_ended_runs(database)
    with database.read() as session:
        version = registry.find_version(session)
        policy_version, content = policies.current_policy(session)
        stored = policies.read_cutoffs(session, model_version=version.version, policy_version=policy_version)
        before = scores.published_run(session)
    bundle = load_bundle(settings.bundle_dir / version.bundle, expected_hash=version.bundle_hash)
    policy = SegmentPolicy.from_dict(content)
    with database.read() as session:
        held_out = read_held_out(session, policy.held_out_share)
    calendar = LocalCalendar(bundle.timezone)
    if run.model_version is None and (run.as_of is None or run.as_of == settings.as_of):
        # It has not begun before. As live scores, it speaks of all that has come by now.
        forget_before_first_run(database, run.id)
    as_of = run.as_of or settings.as_of or now()
    snapshot = Snapshot.at(as_of, calendar)
    if stored is None:
        found = _find_cutoffs(database, bundle, policy, snapshot, progress)
        of = {"model_version": version.version, "policy_version": policy_version}
        with database.write() as session:
            policies.write_cutoffs(session, found.to_dict(), **of)
        with database.read() as session:
            # Those of another run that was quicker, if there was one.
            stored = policies.read_cutoffs(session, **of) or found.to_dict()
    cutoffs = Cutoffs.from_dict(stored)

    part = RunPart(
        database_url=settings.database_url,
        bundle=settings.bundle_dir / version.bundle,
        bundle_hash=version.bundle_hash,
        policy=policy,
        cutoffs=cutoffs,
        as_of=as_of,
        run_id=run.id,
        run_before=None if before is None else before.id,
        claimed_at=run.started_at,
    )
    ranges = key_ranges(database)
    done = kept_parts(database, run.id, part.terms, [(low, high) for low, high, _ in ranges])
    scores.begin(
        database,
        run.id,
        claimed_at=run.started_at,
        as_of=as_of,
        model_version=version.version,
        policy_version=policy_version,
        done=done,
    )
    sums = _score_ranges(PartScorer(part, database, bundle), ranges, set(done), settings, progress)
    write_listings(database, run.id, sums.places, partial(progress, "Ordering lists"), claimed_at=run.started_at)
    for name, reports in sums.driver_reports().items():
        with database.write() as session:
            driver_reports.write(session, run.id, name, reports)
    with database.write() as session:
        quality.write_drift(session, run.id, sums.drift_reports(bundle))
    aggregates = {
        **sums.aggregates(bundle, held_out),
        **sums.notes.aggregates(part.run_before),
        "caveats": bundle.report.get("caveats", []),
        "refused": bundle.report.get("refused", {}),
    }
    publish(
        database,
        run.id,
        n_customers=sums.n_customers,
        aggregates=aggregates,
        now=now,
        claimed_at=run.started_at,
    )
    remove_parts(database, run.id)
    record_published(database, partial(progress, "Recording who came and left"), now=now)
    with database.read() as session:
        return session.get_one(ScoringRun, run.id)


def _score_ranges(
    scorer: PartScorer,
    ranges: Sequence[tuple[int, int, float]],
    done: Collection[tuple[int, int]],
    settings: Settings,
    progress: Progress,
) -> RunSums:
    """Score the customers of all ranges but of those that an earlier attempt has done; return the sums of all."""
    sums = RunSums.of_nobody(scorer.bundle)
    left = [(low, high) for low, high, _ in ranges if (low, high) not in done]
    with closing(scorer.in_order(left, settings.scoring_processes)) as scored:
        for low, high, share in ranges:
            # In the order of the ranges, so that sums are the same to the last bit.
            sums.merge(scorer.restore(low, high) if (low, high) in done else next(scored))
            progress("Scoring customers", share)
    return sums


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
