"""From a log to a bundle: the purchase model, a model of each target, cut-offs, and a report of what they are worth."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

from features.build import FeaturePlan
from features.event_log import EventLog
from features.targets import CHURN, DEFAULT_TARGETS, Target, TargetSet
from features.windows import Snapshot
from models.btyd import PURCHASE_MODELS
from models.bundle import Bundle
from models.clv import ClvTerms
from models.exceptions import ModelError
from models.model_inputs import ModelInputs
from models.outlook import PurchaseOutlook
from models.purchase_model import BTYD_FEATURES
from models.scoring import score
from models.segments import Cutoffs, SegmentPolicy, find_cutoffs
from store.ingest.labels import Labels
from store.settings import Settings
from store.training_request import TrainingRequest
from training.churn_window import resolved
from training.dataset import Rows, all_labelled, build_dataset
from training.evaluate_clv import holdout_report
from training.exceptions import TrainingError
from training.fit_outlook import fit_outlook
from training.fit_target import (
    Candidates,
    ChampionSettings,
    FittedTarget,
    candidate_features,
    fit_by_cross_validation,
    fit_by_dataset,
    require_known_names,
)
from training.progress import Progress, silent
from training.purchase_choice import PurchaseChoice, choose_purchase_model
from training.purchase_forecast import ForecastTrees
from training.splits import Splits, plan_splits
from training.supplied_labels import KnownLabels, dated_dataset
from training.target_check import log_days, refusal

__all__ = ["LabelledTarget", "Training", "fit_bundle"]

_TWO_YEARS = 730
_CHOSEN_ON_THE_TEST = (
    "Which purchase model is used was chosen on the days that targets are tested on; that flatters a little those that "
    "read its P(alive) or expected purchases."
)
_NO_CLV = "Without purchases there is no clv and no value at risk; lists are ranked by probability alone."


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTarget:
    """A target whose labels were supplied in a file.

    Attributes
    ----------
    name : str
        Of the target, such as "churn".
    labels : Labels
    label_column : str
        An attribute of the same name is never a feature.
    source : dict
        What the report says of the file: its name, hash and columns; JSON-safe.
    """

    name: str
    labels: Labels
    label_column: str
    source: dict[str, Any]


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
    history = _History.of(log, settings, request, today)
    request, horizon_note = resolved(request, history.log)
    story.note(customers=log.n_customers, events=len(history.log.value), history_days=history.days)
    asked = _asked(targets, request, labelled, history)

    if asked[0].kind != "label":
        # Before anything is fitted: what asks too much of the history says so.
        plan_splits(**_span(history, asked[0]))
    workshop = _Workshop(history, request, asked, labelled, progress)
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
    bundle = replace(bundle, cutoffs=_cutoffs(bundle, policy, history.log, end))
    progress("Finding cut-offs", 1.0)
    story.step("cut-offs")
    metrics = {
        "target": {"name": leading.model.name, **{key: leading.report[key] for key in ("auc", "log_loss")}},
        "champion": leading.champion,
    }
    return Training(bundle, metrics, story.told)


def _cutoffs(bundle: Bundle, policy: SegmentPolicy, log: EventLog, end: Snapshot) -> Cutoffs:
    scores = score(bundle, policy, bundle.cutoffs, log, {}, end)
    return find_cutoffs(policy, **scores.for_cutoffs())


@dataclass(frozen=True, slots=True, eq=False)
class _History:
    """What is known before the instant that the models speak of, and how far back it goes.

    Attributes
    ----------
    log : EventLog
    has_purchases : bool
    first_day, end_day : int
        Local days of the first event that counts, and after the last, at whose midnight the log ends. With purchases
        only these count. Without any event both are the day that attributes are looked at.
    """

    log: EventLog
    has_purchases: bool
    first_day: int
    end_day: int

    @classmethod
    def of(cls, log: EventLog, settings: Settings, request: TrainingRequest, today: datetime) -> _History:
        calendar = log.calendar
        if request.as_of is not None:
            as_of = Snapshot.at_midnight((request.as_of - date(1970, 1, 1)).days, calendar)
        else:
            as_of = Snapshot.at(settings.as_of or today, calendar)
        # What lies ahead of an instant that was asked for is not known then.
        if request.as_of is not None or settings.as_of is not None:
            log = log.before(as_of.as_of)
        first_day, end_day = log_days(log) or (as_of.last_day + 1, as_of.last_day + 1)
        return cls(log, log.last_purchase_day() is not None, first_day, end_day)

    @property
    def days(self) -> int:
        return self.end_day - self.first_day

    @property
    def end(self) -> Snapshot:
        return Snapshot.at_midnight(self.end_day, self.log.calendar)


def _asked(
    targets: TargetSet, request: TrainingRequest, labelled: LabelledTarget | None, history: _History
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


class _Workshop:
    """What the targets of one training share: models of purchases and references, each fitted once."""

    def __init__(
        self,
        history: _History,
        request: TrainingRequest,
        asked: list[Target],
        labelled: LabelledTarget | None,
        progress: Progress,
    ) -> None:
        self._history = history
        self._request = request
        self._labelled = labelled
        self._progress = progress
        self._inputs: dict[int, ModelInputs] = {}
        # What labels tell needs no purchases; too few of them must not stand in its way.
        self._may_lack_clv = all(target.kind == "label" for target in asked)
        # The label's own column is no feature of any target.
        own = () if labelled is None else (labelled.label_column,)
        self._leave_out = (*request.leave_out, *own)
        self.notes: list[str] = []

    @property
    def at_end(self) -> ModelInputs:
        """What makes features for scoring."""
        return self._inputs_at(self._history.end_day)

    def fit(self, target: Target, champion: ChampionSettings | None) -> FittedTarget:
        """Fit one target, by what the log says came about or by labels that were supplied."""
        if target.kind != "label":
            return self._fit_on_log(target, champion)
        if self._labelled is None or self._labelled.name != target.name:
            raise TrainingError(
                f"Its labels come in a file: regulars train --target {target.name} --labels FILE --customer-id COL "
                "--label COL --positive VALUE"
            )
        return self._fit_supplied(target, self._labelled.labels, champion)

    def _fit_on_log(self, target: Target, champion: ChampionSettings | None) -> FittedTarget:
        history = self._history
        splits = self._splits(target)
        # One model of purchases, fitted before the test snapshot, gives the features and baselines of the evaluation.
        at_test = self._inputs_at(splits.test)
        dataset = build_dataset(history.log, splits, target, at_test, progress=self._progress)
        _require_rate(target, dataset.train)
        return fit_by_dataset(
            dataset,
            # Its BTYD features are of the model that will give them when customers are scored.
            lambda: all_labelled(history.log, splits, target, self._final_like(at_test)),
            target,
            self._candidates(at_test),
            self._request,
            champion=champion,
            progress=self._progress,
        )

    def _fit_supplied(self, target: Target, supplied: Labels, champion: ChampionSettings | None) -> FittedTarget:
        log, end_day = self._history.log, self._history.end_day
        labels = KnownLabels.of(log, supplied, end_day=end_day)
        self._note_labels_left_out(labels)
        has_test_days = len(labels.days) > 1
        # What is measured must not know of the days that test it.
        at_test = self._inputs_at(labels.first_test_day if has_test_days else labels.days[0])
        rows = labels.rows(log, at_test)
        _require_rate(target, rows)
        if has_test_days:
            return fit_by_dataset(
                dated_dataset(labels, rows, target),
                lambda: labels.rows(log, self._final_like(at_test)),
                target,
                self._candidates(at_test),
                self._request,
                champion=champion,
                progress=self._progress,
            )
        if self._history.days and not labels.has_dates:
            self.notes.append(
                "The labels have no dates, so features were computed at the end of the log, and may know what came "
                "after the label. Give the column of the dates with --date where there is one."
            )
        return fit_by_cross_validation(
            rows,
            lambda: labels.rows(log, self._final_like(at_test)),
            [log.customer_ids[i] for i in labels.customers.tolist()],
            Snapshot.at_midnight(labels.days[0], log.calendar).date.isoformat(),
            target,
            self._candidates(at_test),
            self._request,
            champion=champion,
            progress=self._progress,
        )

    def _candidates(self, inputs: ModelInputs) -> Candidates:
        history = self._history
        return candidate_features(
            inputs.reference, history.log.attributes, history_days=history.days, leave_out=self._leave_out
        )

    def _note_labels_left_out(self, labels: KnownLabels) -> None:
        if labels.unknown:
            self.notes.append(f"{labels.unknown:,} labels of customers of whom nothing is known were left out.")
        if labels.ahead:
            self.notes.append(
                f"{labels.ahead:,} labels that look ahead from after {self._history.end.date.isoformat()}, where "
                "what is known ends, were left out."
            )

    @cached_property
    def choice(self) -> PurchaseChoice | None:
        """Which purchase model foretells the horizon before the end of the log best; None without purchases."""
        history = self._history
        if not history.has_purchases:
            return None
        try:
            return choose_purchase_model(
                history.log,
                end_day=history.end_day,
                holdout_days=self._request.horizon,
                asked=self._request.clv_model,
                trees=self._trees_of_holdout,
                progress=self._progress,
            )
        except (TrainingError, ModelError) as error:
            if not self._may_lack_clv:
                raise
            self.notes.append(f"The purchase model could not be checked: {error}")
            return None

    def outlook(self, terms: ClvTerms) -> PurchaseOutlook | None:
        """Learn what is to be expected of purchases; None without a model of them."""
        inputs = self.at_end
        if inputs.purchases is None:
            return None
        return fit_outlook(
            self._history.log,
            end_day=self._history.end_day,
            horizon_days=self._request.horizon,
            activity_days=self._request.activity_window_days,
            purchases=inputs.purchases,
            inputs=inputs,
            terms=terms,
            choice=self.choice,
            trees=ForecastTrees(inputs, self._request.seed, self._leave_out),
        )

    def clv_report(self, outlook: PurchaseOutlook | None) -> dict[str, Any] | None:
        """Measure forecasts on the horizon before the end of the log; None without purchases, or with too few."""
        if outlook is None or self.choice is None:
            return None
        at_holdout = self._inputs_at(self._start_of_holdout).purchases
        if at_holdout is None:
            return None
        report = holdout_report(
            self._history.log,
            end_day=self._history.end_day,
            choice=self.choice,
            purchases=at_holdout,
            trees=self._trees_of_holdout,
            progress=self._progress,
        )
        in_use = (outlook.purchases.btyd, outlook.purchases.gamma_gamma)
        of_fits = [f"The {model.name} in use: {note}" for model in in_use for note in model.certificate_.notes]
        return {
            **report,
            "notes": [*report["notes"], *(note for note in of_fits if note.split(": ", 1)[1] not in report["notes"])],
            "final": {model.name: {"params": model.params_, **model.certificate_.to_dict()} for model in in_use},
        }

    @cached_property
    def _trees_of_holdout(self) -> ForecastTrees:
        log = self._history.log
        start = Snapshot.at_midnight(self._start_of_holdout, log.calendar)
        # Before a purchase model is chosen.
        inputs = ModelInputs.fit(log, start, self._request.horizon, btyd=None)
        return ForecastTrees(inputs, self._request.seed, self._leave_out)

    @property
    def _start_of_holdout(self) -> int:
        return self._history.end_day - self._request.horizon

    def _splits(self, target: Target) -> Splits:
        return plan_splits(**_span(self._history, target))

    def _inputs_at(self, day: int) -> ModelInputs:
        """Fit what makes features on what is known at the midnight of a local day."""
        if day not in self._inputs:
            log = self._history.log
            self._progress("Fitting purchase model", 0.0)
            self._inputs[day] = self._fit_inputs(log, Snapshot.at_midnight(day, log.calendar))
            self._progress("Fitting purchase model", 1.0)
        return self._inputs[day]

    def _fit_inputs(self, log: EventLog, snapshot: Snapshot) -> ModelInputs:
        horizon_days = self._request.horizon
        btyd = PURCHASE_MODELS[self.choice.name] if self.choice else next(iter(PURCHASE_MODELS.values()))
        try:
            return ModelInputs.fit(log, snapshot, horizon_days, btyd=btyd)
        except ModelError as error:
            if not self._may_lack_clv:
                raise
            self.notes.append(f"The purchases give no clv: {error}")
            return ModelInputs.fit(log, snapshot, horizon_days, btyd=None)

    def _final_like(self, evaluated: ModelInputs) -> ModelInputs:
        """Return the inputs for scoring, with at least the features that the evaluated model chose among."""
        final = self.at_end
        return replace(final, plan=FeaturePlan.of([*evaluated.plan.features, *final.plan.features]))


def _span(history: _History, target: Target) -> dict[str, int]:
    """Return what the plan of a target's snapshots depends on."""
    return {
        "first_day": history.first_day,
        "end_day": history.end_day,
        "horizon_days": target.horizon,
        "activity_days": target.activity,
    }


def _require_rate(target: Target, rows: Rows) -> None:
    """Raise `TrainingError` for a propensity that comes about too seldom, or too often, to single anybody out by."""
    if (why := refusal(target, float(rows.y.mean()))) is not None:
        raise TrainingError(why)


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


def _caveats(history: _History, outlook: PurchaseOutlook | None) -> list[str]:
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
