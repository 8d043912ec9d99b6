"""Train a bundle on the stored events, evaluate it, register it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from features.build import build_features
from features.calendar import LocalCalendar
from features.event_log import ORDER, EventLog
from features.windows import Snapshot
from models.bundle import Bundle, TargetModel, save_bundle
from models.clv import ClvTerms
from models.purchase_model import PurchaseModel
from models.scoring import score
from models.segments import Cutoffs, SegmentPolicy, find_cutoffs
from store import policies, registry, runs
from store.engine import Database
from store.events import read_log
from store.settings import Settings
from store.tables import TrainingRun
from store.training_request import TrainingRequest
from training.dataset import Dataset, Rows, build_dataset, labelled_rows, usable_features
from training.evaluate import evaluate_churn, evaluate_clv
from training.exceptions import TrainingError
from training.execution import executing
from training.fit import ClassifierSettings, fit_evaluated, fit_final
from training.progress import Progress, silent
from training.search import search
from training.splits import Splits, plan_splits

__all__ = ["Training", "fit_bundle", "run_training", "train"]

_CLV_MODEL = "bg_nbd"
_TWO_YEARS = 730


@dataclass(frozen=True, slots=True)
class Training:
    """What a training made, before it is registered.

    Attributes
    ----------
    bundle : Bundle
    test_metrics : dict
        `{"target": {"auc", "log_loss"}, "champion": the same with "version", or None}`.
    story : dict
        Counts and seconds of each step; not part of the bundle.
    """

    bundle: Bundle
    test_metrics: dict[str, Any]
    story: dict[str, Any]


def train(
    database: Database,
    settings: Settings,
    request: TrainingRequest,
    *,
    now: Callable[[], datetime],
    progress: Progress = silent,
) -> int:
    """Queue a training, run it at once in this process, and return the version; if it raises, the run is failed."""
    with database.write() as session:
        run_id = runs.queue_training(session, request.model_dump(mode="json"), now=now()).id
        claimed = runs.claim(session, TrainingRun, now=now(), run_id=run_id)
    if claimed is None:
        raise TrainingError(f"Training run {run_id} was taken by a worker. See: regulars models list")
    with executing(database, TrainingRun, run_id, now=now):
        return run_training(database, settings, claimed, now=now, progress=progress)


def run_training(
    database: Database,
    settings: Settings,
    run: TrainingRun,
    *,
    now: Callable[[], datetime],
    progress: Progress = silent,
) -> int:
    """Execute a claimed training run: fit, save, register; the first version becomes champion.

    Returns
    -------
    int
        The version registered.
    """
    request = TrainingRequest.model_validate(run.settings)
    log = read_log(database, LocalCalendar(settings.timezone), lambda done: progress("Reading events", done))
    with database.write() as session:
        policy_version, policy = policies.ensure_policy(session, SegmentPolicy().to_dict(), now=now())
        champion = _champion_settings(session)

    training = fit_bundle(
        log, settings, request, policy=SegmentPolicy.from_dict(policy), champion=champion, progress=progress
    )
    name, bundle_hash = save_bundle(training.bundle, settings.bundle_dir)
    with database.write() as session:
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


def fit_bundle(
    log: EventLog,
    settings: Settings,
    request: TrainingRequest,
    *,
    policy: SegmentPolicy,
    champion: tuple[int, ClassifierSettings] | None = None,
    progress: Progress = silent,
) -> Training:
    """Fit and evaluate everything on a log: the same log and choices give the same bundle, byte for byte.

    Parameters
    ----------
    log : EventLog
    settings : Settings
        Currency, margin, discount rate and the like.
    request : TrainingRequest
    policy : SegmentPolicy
        Cut-offs are found under it.
    champion : (version, settings), optional
        Evaluated beside the new one, on the same rows.
    progress : Progress

    Raises
    ------
    TrainingError
        Too little history, or too few customers.
    """
    story = _Story()
    horizon, activity = request.horizon_days, request.activity_window_days
    calendar = log.calendar
    log = _known(log, settings, request)
    last_day = log.last_purchase_day()
    if last_day is None:
        raise TrainingError(
            "There are no orders to learn from before the instant that the models speak of. Run: regulars ingest "
            "events FILE, or choose a later --as-of."
        )
    first_day, end_day = int(log.day[log.kind == ORDER].min()), last_day + 1
    splits = plan_splits(first_day=first_day, end_day=end_day, horizon_days=horizon, activity_days=activity)
    story.note(customers=log.n_customers, events=len(log.value), history_days=end_day - first_day)

    # One BTYD model, fitted before the test snapshot, gives the features and the baseline of the evaluation.
    progress("Fitting purchase model", 0.0)
    known_at_test = PurchaseModel.fit(build_features(log, Snapshot.at_midnight(splits.test, calendar)))
    progress("Fitting purchase model", 1.0)
    dataset = build_dataset(log, splits, known_at_test, horizon_days=horizon, activity_days=activity, progress=progress)
    story.step("features")
    found = search(
        dataset,
        usable_features(end_day - first_day),
        trials=request.trials,
        seed=request.seed,
        time_limit_seconds=request.time_limit_seconds,
        progress=lambda done: progress("Searching settings", done),
    )
    story.step("search")

    progress("Evaluating", 0.0)
    evaluated = fit_evaluated(found.settings, dataset, seed=request.seed)
    churn_report = evaluate_churn(evaluated, dataset, seed=request.seed)
    test_metrics = {
        "target": {key: churn_report[key] for key in ("auc", "log_loss")},
        "champion": None if champion is None else _champion_metrics(champion, dataset, seed=request.seed),
    }
    clv_report = evaluate_clv(log, end_day=end_day, holdout_days=horizon, model_name=_CLV_MODEL)
    progress("Evaluating", 1.0)
    story.step("evaluation")

    progress("Refitting on all snapshots", 0.0)
    final_settings = found.settings.with_rounds_of(evaluated.classifier)
    end = Snapshot.at_midnight(end_day, calendar)
    purchases = PurchaseModel.fit(build_features(log, end))
    # Its BTYD features are of the model that will give them when customers are scored.
    all_rows = _all_labelled(log, splits, purchases, horizon_days=horizon, activity_days=activity)
    churn = fit_final(final_settings, all_rows, seed=request.seed)
    progress("Refitting on all snapshots", 1.0)
    story.step("refit")

    caveats = _caveats(end_day - first_day)
    report = {
        "clv": {key: value for key, value in clv_report.items() if key != "notes"},
        "targets": {"churn": churn_report},
        "settings": {
            **request.model_dump(mode="json"),
            "activity_days": activity,
            "classifier": final_settings.to_dict(),
            "search": {
                "trials": found.trials,
                "stopped_by_time": found.stopped_by_time,
                "selection_log_loss": found.selection_log_loss,
            },
        },
        "caveats": caveats,
        "notes": _notes(clv_report["notes"], purchases, caveats, found.stopped_by_time),
    }
    bundle = _bundle(
        settings, request, end, purchases, churn, policy, Cutoffs(at_risk_value=0.0, high_value_clv=0.0), report
    )
    scores = score(bundle, policy, bundle.cutoffs, log, {}, end)
    cutoffs = find_cutoffs(policy, eligible=scores.eligible, churn_probability=scores.churn_probability, clv=scores.clv)
    story.step("cut-offs")
    return Training(
        _bundle(settings, request, end, purchases, churn, policy, cutoffs, report), test_metrics, story.told
    )


def _known(log: EventLog, settings: Settings, request: TrainingRequest) -> EventLog:
    """Leave out what happened at or after the instant asked for, or that scores speak of."""
    if request.as_of is not None:
        return log.before(log.calendar.midnight((request.as_of - date(1970, 1, 1)).days))
    return log if settings.as_of is None else log.before(Snapshot.at(settings.as_of, log.calendar).as_of)


class _Story:
    """Counts, and the seconds each step took."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {"seconds": {}}
        self._since = time.perf_counter()

    def note(self, **counts: int) -> None:
        self.told.update(counts)

    def step(self, name: str) -> None:
        now = time.perf_counter()
        self.told["seconds"][name] = round(now - self._since, 3)
        self._since = now


def _champion_settings(session: Session) -> tuple[int, ClassifierSettings] | None:
    version = registry.aliases(session).get("champion")
    if version is None:
        return None
    report = registry.find_version(session, str(version)).report
    return version, ClassifierSettings.from_dict(report["settings"]["classifier"])


def _champion_metrics(champion: tuple[int, ClassifierSettings], dataset: Dataset, *, seed: int) -> dict[str, Any]:
    """Fit the champion's settings on what the challenger's evaluated model was fitted on, and measure them."""
    version, settings = champion
    known = tuple(name for name in settings.features if name in dataset.test.names)
    model = fit_evaluated(ClassifierSettings(settings.kind, known, settings.params), dataset, seed=seed)
    figures = evaluate_churn(model, dataset, seed=seed)
    return {"version": version, "auc": figures["auc"], "log_loss": figures["log_loss"]}


def _all_labelled(
    log: EventLog, splits: Splits, purchases: PurchaseModel, *, horizon_days: int, activity_days: int
) -> Rows:
    days = sorted({*splits.train, *splits.early_stopping, *splits.calibration, splits.test})
    return Rows.stack(
        [labelled_rows(log, day, purchases, horizon_days=horizon_days, activity_days=activity_days) for day in days]
    )


def _caveats(history_days: int) -> list[str]:
    """Say what every forecast of the model has to be read with."""
    caveats = [
        "The yearly clv can't be checked against events yet; the purchase model is checked over a hold-out only."
    ]
    if history_days < _TWO_YEARS:
        caveats.append(f"With {history_days} days of history, season can't be told from trend.")
    return caveats


def _notes(clv_notes: list[str], purchases: PurchaseModel, caveats: list[str], stopped_by_time: bool) -> list[str]:
    notes = [
        "The figures are those of the evaluated model; the one in use was then refitted with the same settings on all "
        "labelled snapshots, test included.",
        *caveats,
    ]
    if stopped_by_time:
        notes.append("The time limit stopped the search; another machine may find other settings.")
    return [*notes, *dict.fromkeys([*clv_notes, *purchases.btyd.certificate_.notes])]


def _bundle(
    settings: Settings,
    request: TrainingRequest,
    end: Snapshot,
    purchases: PurchaseModel,
    churn: TargetModel,
    policy: SegmentPolicy,
    cutoffs: Cutoffs,
    report: dict[str, Any],
) -> Bundle:
    return Bundle(
        snapshot_date=end.date.isoformat(),
        currency=settings.currency,
        timezone=settings.timezone,
        horizon_days=request.horizon_days,
        activity_days=request.activity_window_days,
        purchases=purchases,
        clv_terms=ClvTerms(
            horizon_days=float(settings.clv_horizon_days),
            yearly_discount_rate=settings.yearly_discount_rate,
            margin=settings.margin,
        ),
        churn=churn,
        policy=policy,
        cutoffs=cutoffs,
        report=report,
    )
