"""The training job: from events, attributes and labels to a registered bundle with a report that others can check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from features.targets import CHURN, DEFAULT_TARGETS, Target, TargetSet
from models.bundle import save_bundle
from models.segment_policy import SegmentPolicy
from store import policies, registry, runs, target_sets
from store.engine import Database
from store.events import read_log
from store.settings import Settings
from store.tables import TrainingRun
from store.training_request import TrainingRequest
from training.exceptions import TrainingError
from training.execution import executing
from training.fit import ClassifierSettings
from training.fit_bundle import fit_bundle
from training.fit_target import ChampionSettings
from training.progress import Progress, silent
from training.supplied_labels import under_own_ids
from training.workshop import LabelledTarget

__all__ = ["run_training", "train"]

_LABELS = "labels"


def train(
    database: Database,
    settings: Settings,
    request: TrainingRequest,
    *,
    now: Callable[[], datetime],
    labelled: LabelledTarget | None = None,
    progress: Progress = silent,
) -> int:
    """Queue a training, run it at once in this process, and return the version; if it raises, the run is failed."""
    content = request.model_dump(mode="json")
    if labelled is not None:
        content[_LABELS] = labelled.source
    with database.write() as session:
        run_id = runs.queue_training(session, content, now=now()).id
        claimed = runs.claim(session, TrainingRun, now=now(), run_id=run_id)
    if claimed is None:
        raise TrainingError(f"Training run {run_id} was taken by a worker. See: regulars models list")
    with executing(database, claimed, now=now):
        return run_training(database, settings, claimed, now=now, labelled=labelled, progress=progress)


def run_training(
    database: Database,
    settings: Settings,
    run: TrainingRun,
    *,
    now: Callable[[], datetime],
    labelled: LabelledTarget | None = None,
    progress: Progress = silent,
) -> int:
    """Execute a claimed training run: fit, save, register; the first version becomes champion.

    Parameters
    ----------
    database : Database
    settings : Settings
    run : TrainingRun
    now : callable
    labelled : LabelledTarget, optional
        A target whose labels were supplied in a file.
    progress : Progress

    Returns
    -------
    int
        The version registered.

    Raises
    ------
    TrainingError
        There is too little to learn from; or the run was begun with a file of labels, and its process is gone.
    RunLostError
        Another process has taken the run since.
    """
    content = dict(run.settings)
    if content.pop(_LABELS, None) is not None and labelled is None:
        raise TrainingError(
            "This training was begun with a file of labels, which only the command that named it can read. Run it "
            "again: regulars train --labels FILE"
        )
    request = TrainingRequest.model_validate(content)
    with database.write() as session:
        policy_version, policy = policies.ensure_policy(session, SegmentPolicy().to_dict(), now=now())
        _, in_force = target_sets.ensure_target_set(session, DEFAULT_TARGETS.to_dict(), now=now())
        champion = _champion(session)
    targets = TargetSet.from_dict(in_force)
    log = read_log(
        database,
        LocalCalendar(settings.timezone),
        lambda done: progress("Reading events", done),
        properties_of=targets.events_with_properties,
    )
    if labelled is not None:
        # By the ids of today, whatever they were when the file was written.
        labelled = replace(labelled, labels=under_own_ids(database, labelled.labels))
    training = fit_bundle(
        log,
        settings,
        request,
        targets=targets,
        labelled=labelled,
        today=now(),
        policy=SegmentPolicy.from_dict(policy),
        champion=champion,
        progress=progress,
    )
    name, bundle_hash = save_bundle(training.bundle, settings.bundle_dir)
    with database.write() as session:
        runs.hold_run(session, TrainingRun, run.id, claimed_at=run.started_at)
        version = registry.register(
            session,
            bundle=name,
            bundle_hash=bundle_hash,
            report=training.bundle.report,
            test_metrics=training.test_metrics,
            training_run_id=run.id,
            now=now(),
        ).version
        policies.write_cutoffs(
            session, training.bundle.cutoffs.to_dict(), model_version=version, policy_version=policy_version
        )
        if "champion" not in registry.aliases(session):
            registry.promote(session, version, now=now())
            runs.queue_scoring(session, now=now())
        finished = session.get_one(TrainingRun, run.id)
        finished.status, finished.finished_at = "completed", now()
        finished.story = {**training.story, "model_version": version}
    return version


def _champion(session: Session) -> ChampionSettings | None:
    version = registry.aliases(session).get("champion")
    if version is None:
        return None
    targets = registry.find_version(session, str(version)).report["targets"]
    told = targets.get(CHURN) or next(iter(targets.values()))
    if "classifier_settings" not in told:
        return None  # registered by a release whose bundles are not read any more
    return ChampionSettings(
        version, Target.from_dict(told["target"]), ClassifierSettings.from_dict(told["classifier_settings"])
    )
