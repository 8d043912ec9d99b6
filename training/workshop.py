"""What the targets of one training share: models of purchases and references, each fitted once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from features.build import FeaturePlan
from features.event_log import EventLog
from features.targets import Target
from features.windows import Snapshot
from models.btyd import PURCHASE_MODELS
from models.clv import ClvTerms
from models.exceptions import ModelError
from models.model_inputs import ModelInputs
from models.outlook import PurchaseOutlook
from store.ingest.labels import Labels
from store.training_request import TrainingRequest
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
)
from training.history import History
from training.progress import Progress
from training.purchase_choice import PurchaseChoice, choose_purchase_model
from training.purchase_forecast import ForecastTrees
from training.splits import Splits
from training.supplied_labels import KnownLabels, dated_dataset
from training.target_check import refusal

__all__ = ["LabelledTarget", "Workshop"]


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


class Workshop:
    """What the targets of one training share: models of purchases and references, each fitted once."""

    def __init__(
        self,
        history: History,
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
        if labels.differing:
            self.notes.append(
                f"{labels.differing:,} labels that differ under several ids of one customer were left out."
            )
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
        return self._history.plan_splits(target)

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


def _require_rate(target: Target, rows: Rows) -> None:
    """Raise `TrainingError` for a propensity that comes about too seldom, or too often, to single anybody out by."""
    if (why := refusal(target, float(rows.y.mean()))) is not None:
        raise TrainingError(why)
