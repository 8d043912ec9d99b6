"""From a log to a bundle: the purchase model, a model of each target, cut-offs, and a report of what they are worth."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from features.event_log import EventLog
from features.targets import CHURN, DEFAULT_TARGETS, Target, TargetSet
from models.bundle import Bundle
from models.clv import ClvTerms
from models.exceptions import ModelError
from models.outlook import PurchaseOutlook
from models.purchase_model import BTYD_FEATURES
from models.scoring import score
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs, find_cutoffs
from store.settings import Settings
from store.training_request import TrainingRequest
from training.churn_window import resolved
from training.exceptions import TrainingError
from training.fit_target import (
    ChampionSettings,
    FittedTarget,
    require_known_names,
)
from training.history import History
from training.progress import Progress, silent
from training.workshop import LabelledTarget, Workshop

__all__ = ["Training", "fit_bundle"]

_TWO_YEARS = 730
_CHOSEN_ON_THE_TEST = (
    "Which purchase model is used was chosen on the days that targets are tested on; that flatters a little those that "
    "read its P(alive) or expected purchases."
)
_NO_CLV = "Without purchases there is no clv and no value at risk; lists are ranked by probability alone."


@dataclass(frozen=True, slots=True)
class Training:
    """What a training made, before it is registered.

    Attributes
    ----------
    bundle : Bundle
    test_metrics : dict
        `{"target": {"name", "auc", "log_loss"}, "champion": auc and log_loss with "version", or None}`, of the leading
        target.
    story : dict
        Counts and seconds of each step; not part of the bundle.
    """

    bundle: Bundle
    test_metrics: dict[str, Any]
    story: dict[str, Any]


def fit_bundle(
    log: EventLog,
    settings: Settings,
    request: TrainingRequest,
    *,
    today: datetime,
    policy: SegmentPolicy,
    targets: TargetSet = DEFAULT_TARGETS,
    labelled: LabelledTarget | None = None,
    champion: ChampionSettings | None = None,
    progress: Progress = silent,
) -> Training:
    """Fit and evaluate everything on a log: the same log and choices give the same bundle, byte for byte.

    Parameters
    ----------
    log : EventLog
    settings : Settings
        Currency, margin, discount rate and the like.
    request : TrainingRequest
    today : datetime
        Aware; the instant that attributes are looked at, for a business without events and without an `as_of`.
    policy : SegmentPolicy
        Cut-offs are found under it.
    targets : TargetSet
    labelled : LabelledTarget, optional
        Takes the place of the target of its name.
    champion : ChampionSettings, optional
        Evaluated beside the new one, on the same rows.
    progress : Progress

    Raises
    ------
    TrainingError
        Too little history, or too few customers.
    """
    story = _Story()
    history = History.of(log, settings, request, today)
    request, horizon_note = resolved(request, history.log)
    story.note(customers=log.n_customers, events=len(history.log.value), history_days=history.days)
    asked = _asked(targets, request, labelled, history)

    if asked[0].kind != "label":
        # Before anything is fitted: what asks too much of the history says so.
        history.plan_splits(asked[0])
    workshop = Workshop(history, request, asked, labelled, progress)
    require_known_names((*request.leave_out, *request.keep), workshop.at_end.reference)
    fitted: dict[str, FittedTarget] = {}
    refused: dict[str, str] = {}
    for target in asked:
        try:
            fitted[target.name] = workshop.fit(target, champion)
        except (TrainingError, ModelError) as error:
            if target.is_churn or len(asked) == 1:
                raise
            refused[target.name] = str(error)
            continue
        story.step(target.name)
    if not fitted:
        raise TrainingError(" ".join(refused.values()))

    leading = next(iter(fitted.values()))
    outlook = workshop.outlook(
        ClvTerms(
            horizon_days=float(settings.clv_horizon_days),
            yearly_discount_rate=settings.yearly_discount_rate,
            margin=settings.margin,
        )
    )
    clv_report = workshop.clv_report(outlook)
    story.step("purchase model")
    caveats = _caveats(history, outlook)
    report = {
        "clv": None if clv_report is None else {key: value for key, value in clv_report.items() if key != "notes"},
        "targets": {name: found.report for name, found in fitted.items()},
        "refused": refused,
        "labels": None if labelled is None else labelled.source,
        "settings": {
            **request.model_dump(mode="json"),
            "activity_days": leading.model.target.activity_days,
            "horizon_days": request.horizon,
        },
        "caveats": caveats,
        "notes": [
            *_notes(fitted, caveats),
            *([horizon_note] if horizon_note else ()),
            *workshop.notes,
            *(f"No model of {name}: {why}" for name, why in refused.items()),
            *(clv_report["notes"] if clv_report else ()),
            *([_CHOSEN_ON_THE_TEST] if clv_report and request.clv_model is None and _reads_purchases(fitted) else ()),
        ],
    }
    end = history.end
    bundle = Bundle(
        snapshot_date=end.date.isoformat(),
        currency=settings.currency,
        timezone=settings.timezone,
        horizon_days=request.horizon,
        reference=workshop.at_end.reference,
        outlook=outlook,
        targets={name: found.model for name, found in fitted.items()},
        policy=policy,
        cutoffs=Cutoffs(at_risk_value=0.0, high_value_clv=0.0),
        report=report,
    )
    progress("Finding cut-offs", 0.0)
    at_end = score(bundle, policy, bundle.cutoffs, history.log, {}, end)
    bundle = replace(
        bundle,
        cutoffs=find_cutoffs(policy, **at_end.for_cutoffs()),
        distributions=at_end.distributions(),
    )
    progress("Finding cut-offs", 1.0)
    story.step("cut-offs")
    metrics = {
        "target": {"name": leading.model.name, **{key: leading.report[key] for key in ("auc", "log_loss")}},
        "champion": leading.champion,
    }
    return Training(bundle, metrics, story.told)


def _asked(
    targets: TargetSet, request: TrainingRequest, labelled: LabelledTarget | None, history: History
) -> list[Target]:
    """Return the targets that this business can be asked about, churn first, with their horizons and windows."""
    known = {target.name: target for target in targets.targets}
    if labelled is not None:
        known = {**known, labelled.name: Target(name=labelled.name, kind="label")}
    if request.targets is not None:
        if missing := [name for name in request.targets if name not in known]:
            raise TrainingError(
                f"There is no target {', '.join(missing)}. Targets in force: {', '.join(known)}. Bring others into "
                "force by: regulars targets import FILE"
            )
        known = {name: target for name, target in known.items() if name in request.targets}
    if not history.has_purchases:
        known = {name: target for name, target in known.items() if not target.is_about_purchases}
    if not history.days:
        known = {name: target for name, target in known.items() if target.kind == "label"}
    if not known:
        raise TrainingError(
            "There are no orders to learn from before the instant that the models speak of. Run: regulars ingest "
            "events FILE, or choose a later --as-of; or supply labels: regulars train --target churn --labels FILE."
        )
    resolved = [target.with_defaults(request.horizon, request.activity_days) for target in known.values()]
    return sorted(resolved, key=lambda target: target.name != CHURN)


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


def _reads_purchases(fitted: Mapping[str, FittedTarget]) -> bool:
    return any(set(BTYD_FEATURES) & set(found.model.classifier.feature_names_) for found in fitted.values())


def _caveats(history: History, outlook: PurchaseOutlook | None) -> list[str]:
    """Say what every forecast of the model has to be read with."""
    if outlook is None:
        return [_NO_CLV]
    caveats = [
        "The yearly clv can't be checked against events yet; the purchase model is checked over a hold-out only."
    ]
    if history.days < _TWO_YEARS:
        caveats.append(f"With {history.days} days of history, season can't be told from trend.")
    return caveats


def _notes(fitted: Mapping[str, FittedTarget], caveats: list[str]) -> list[str]:
    notes = [
        "The figures are those of the evaluated model; the one in use was then refitted with the same settings on all "
        "labelled rows, test included.",
        *caveats,
    ]
    for name, found in fitted.items():
        if found.report["search"]["stopped_by_time"]:
            notes.append(f"The time limit stopped the search for {name}; another machine may find other settings.")
        notes += [f"{name}: {leak['why']}" for leak in found.report["leaks"]]
    return notes
