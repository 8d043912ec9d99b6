"""Whether scores came true, and how far customers have moved since training."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.stability_index import Level
from service.run_quality import PartQuality, QualityOverview, RunQuality, Status

__all__ = [
    "AmountQualityOut",
    "CurveOut",
    "DriftOut",
    "FeatureDriftOut",
    "IntervalQualityOut",
    "LeftOutOut",
    "ListedOut",
    "PartQualityOut",
    "QualityAnswer",
    "RunQualityOut",
    "TargetDriftOut",
    "TestFiguresOut",
]

_DRIFT_EXAMPLE: dict[str, Any] = {"psi": 0.031, "by_chance": 0.004, "level": "stable"}
_PART_EXAMPLE: dict[str, Any] = {
    "kind": "target",
    "name": "churn",
    "scoring_run_id": 12,
    "as_of": "1998-04-02T00:00:00Z",
    "model_version": 3,
    "status": "not_due",
    "due_at": "1998-07-01T00:00:00Z",
    "why": "Not due until 1998-07-01 00:00 UTC, when its horizon has passed.",
}


class DriftOut(BaseModel):
    """How far one distribution is from another: population stability index over about ten bins."""

    psi: float = Field(description="0 where nothing has changed; from .1 worth watching, from .25 worth acting on.")
    by_chance: float | None = Field(
        description="What it stays below in 95 of 100 cases where nothing has changed, with so many customers; null "
        "with one bin."
    )
    level: Level = Field(description="`stable` too where chance alone makes as much.")


class FeatureDriftOut(DriftOut):
    """Drift of one feature."""

    feature: str = Field(description="Name in the catalogue.")
    missing: float = Field(description="Share of the customers judged who have no value.")
    missing_at_training: float = Field(description="That share at training.")


class TargetDriftOut(BaseModel):
    """Drift of what one target's model reads and says, between the day that it was trained for and a run."""

    target: str = Field(description="What the model predicts.")
    trained_as_of: str | None = Field(
        description="Where the log of its training ended; null for a model trained before distributions were kept."
    )
    customers: int | None = Field(None, description="Customers of the run.")
    customers_at_training: int | None = Field(None, description="Customers at training.")
    judged: int | None = Field(None, description="Customers whom the model judged in the run.")
    judged_at_training: int | None = Field(None, description="Customers whom it judged at training.")
    judged_drift: DriftOut | None = Field(None, description="Drift of the share that is judged.")
    mean_probability: float | None = Field(None, description="Mean of the run's probabilities.")
    mean_probability_at_training: float | None = Field(None, description="Their mean at training.")
    base_rate_at_training: float | None = Field(
        None, description="Share of the training rows for whom the target came about."
    )
    score: DriftOut | None = Field(None, description="Drift of the raw margin, which is that of the probability too.")
    score_edges: list[float] = Field([], description="Probabilities at which the bins of the score begin.")
    score_shares: list[float] = Field([], description="Share of the run's judged customers in each bin.")
    score_shares_at_training: list[float] = Field([], description="Share in each bin at training.")
    features: list[FeatureDriftOut] = Field([], description="Features of the model, the one that moved most first.")


class CurveOut(BaseModel):
    """Groups of equal size by rising probability: what was said of them, and what came about."""

    predicted: list[float] = Field(description="Mean probability of each group.")
    observed: list[float] = Field(description="Share of each for whom the target came about.")
    counts: list[int] = Field(description="Customers in each group.")
    low: list[float] = Field(description="Lower end of the 95 % interval of each share.")
    high: list[float] = Field(description="Upper end of it.")


class TestFiguresOut(BaseModel):
    """The figures that the model had on its test rows when it was trained."""

    n: int | None = Field(description="Rows.")
    rate: float | None = Field(description="Share for whom the target came about.")
    auc: float | None = Field(description="AUC.")
    log_loss: float | None = Field(description="Log loss.")
    brier: float | None = Field(description="Brier score.")
    calibration_error: float | None = Field(description="Expected calibration error.")
    lift_at_10: float | None = Field(description="Lift of the top tenth.")


class ListedOut(BaseModel):
    """What came of the customers on the at-risk list of the run. Whoever was contacted may have returned for it."""

    customers: int = Field(description="Customers on the list.")
    churned: int = Field(description="Those of them who churned.")
    precision: float | None = Field(description="Their share; null for an empty list.")
    low: float | None = Field(description="Lower end of its 95 % interval.")
    high: float | None = Field(description="Upper end of it.")
    base_rate: float | None = Field(description="Share of all who were judged that churned.")
    value_at_risk: float = Field(description="Value at risk on the list, as the run said.")
    value_at_risk_of_churned: float = Field(description="That of those who churned.")
    value_at_risk_of_returned: float = Field(description="That of those who returned.")
    clv_of_returned: float = Field(description="clv of those who returned, as the run said.")
    spent_by_returned: float = Field(description="What those who returned spent within the horizon.")


class AmountQualityOut(BaseModel):
    """An amount expected, and what came, over all customers compared."""

    expected: float = Field(description="Sum of what was expected.")
    actual: float = Field(description="Sum of what came.")
    error: float | None = Field(description="By which share too much was expected; null where nothing came.")
    mae: float = Field(description="Mean absolute error of a customer.")
    rmse: float = Field(description="Root mean squared error of a customer.")
    bias: float = Field(description="Mean of expected less actual.")
    spearman: float | None = Field(description="Rank correlation; null where one side is the same for all.")


class IntervalQualityOut(BaseModel):
    """How often purchase days came to lie within their interval."""

    level: float = Field(description="Share of customers that the intervals are to hold at least.")
    within: float = Field(description="Share within.")
    below: float = Field(description="Share below.")
    above: float = Field(description="Share above.")


class LeftOutOut(BaseModel):
    """Customers who could not be compared."""

    gone: int = Field(description="Erased or merged since, or what the run said of them was not kept.")
    later: int = Field(description="Who have scores under the run that speak of a later instant only.")


class PartQualityOut(BaseModel):
    """What came of what one run said of a target, or of its forecast of purchases. Figures are null until compared."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PART_EXAMPLE]})

    kind: Literal["target", "forecast"] = Field(description="Whether it is of a target, or of purchases and spending.")
    name: str = Field(description="Of the target; `purchases` of the forecast.")
    scoring_run_id: int = Field(description="The run.")
    as_of: datetime | None = Field(description="The instant that the run speaks of.")
    model_version: int | None = Field(description="The model that it scored with.")
    status: Status = Field(description="`due` once its horizon has passed and until it is compared.")
    due_at: datetime | None = Field(None, description="When its horizon has passed; null where events can't tell.")
    why: str | None = Field(None, description="Why it is not compared; null where it is.")
    computed_at: datetime | None = Field(None, description="When it was compared.")
    known_until: datetime | None = Field(None, description="Where what was stored ended then.")
    horizon_days: int | None = Field(None, description="Days from `as_of` within which it had to come about.")
    in_hindsight: bool | None = Field(
        None, description="Whether the model had learnt from what came after `as_of`: such figures prove nothing."
    )
    left_out: LeftOutOut | None = Field(None, description="Customers who could not be compared.")
    n: int | None = Field(None, description="Customers judged and compared.")
    rate: float | None = Field(None, description="Share for whom the target came about.")
    mean_probability: float | None = Field(None, description="Mean of what was said of them.")
    auc: float | None = Field(None, description="AUC.")
    average_precision: float | None = Field(None, description="Average precision.")
    log_loss: float | None = Field(None, description="Log loss.")
    brier: float | None = Field(None, description="Brier score.")
    calibration_error: float | None = Field(None, description="Expected calibration error over ten groups.")
    lift_at_10: float | None = Field(None, description="Lift of the tenth with the highest probabilities.")
    lift_at_20: float | None = Field(None, description="Lift of the fifth with the highest probabilities.")
    calibration_curve: CurveOut | None = Field(None, description="What was said and what came, by groups.")
    test: TestFiguresOut | None = Field(None, description="The figures on the test rows at training.")
    base_rate_drift: DriftOut | None = Field(None, description="Between the rate of the test rows and this one.")
    listed: ListedOut | None = Field(None, description="Of churn: what came of the at-risk list.")
    customers: int | None = Field(None, description="Of the forecast: customers compared.")
    customers_with_value: int | None = Field(None, description="Those of them whose spending was expected.")
    customers_with_interval: int | None = Field(None, description="Those of them with an interval.")
    purchases: AmountQualityOut | None = Field(None, description="Purchase days within the horizon.")
    spend: AmountQualityOut | None = Field(None, description="Spending within the horizon.")
    interval: IntervalQualityOut | None = Field(None, description="Intervals of purchase days.")

    @classmethod
    def of(cls, part: PartQuality) -> PartQualityOut:
        """Return a part of a run as an answer."""
        return cls.model_validate(
            {
                **part.figures,
                "kind": part.kind,
                "name": part.name,
                "scoring_run_id": part.run.id,
                "as_of": part.run.as_of,
                "model_version": part.run.model_version,
                "status": part.status,
                "due_at": part.due_at,
                "why": part.why,
                "computed_at": None if part.stored is None else part.stored.computed_at,
                "known_until": None if part.stored is None else part.stored.known_until,
            }
        )


class RunQualityOut(BaseModel):
    """One completed scoring run: what came of its parts, and how far its customers had moved since training."""

    scoring_run_id: int = Field(description="The run's number.")
    as_of: datetime | None = Field(description="The instant that its scores speak of.")
    finished_at: datetime | None = Field(description="When it was completed.")
    model_version: int | None = Field(description="The model that it scored with.")
    parts: list[PartQualityOut] = Field(description="Targets, churn first, then the forecast.")
    drift: list[TargetDriftOut] = Field(description="By target; empty for a run made before drift was told.")

    @classmethod
    def of(cls, found: RunQuality) -> RunQualityOut:
        """Return a run as an answer."""
        return cls.model_validate(
            {
                "scoring_run_id": found.run.id,
                "as_of": found.run.as_of,
                "finished_at": found.run.finished_at,
                "model_version": found.run.model_version,
                "parts": [PartQualityOut.of(part) for part in found.parts],
                "drift": [
                    {"target": name, "trained_as_of": None, **(report or {})} for name, report in found.drift.items()
                ],
            }
        )


class QualityAnswer(BaseModel):
    """Whether scores came true, and how far customers have moved since training."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "latest": [],
                    "runs": [
                        {
                            "scoring_run_id": 12,
                            "as_of": "1998-04-02T00:00:00Z",
                            "finished_at": "1998-04-02T06:00:21Z",
                            "model_version": 3,
                            "parts": [_PART_EXAMPLE],
                            "drift": [
                                {
                                    "target": "churn",
                                    "trained_as_of": "1998-03-01",
                                    "score": _DRIFT_EXAMPLE,
                                    "features": [
                                        {
                                            "feature": "frequency",
                                            **_DRIFT_EXAMPLE,
                                            "missing": 0.0,
                                            "missing_at_training": 0.0,
                                        }
                                    ],
                                }
                            ],
                        }
                    ],
                    "next_before": None,
                }
            ]
        }
    )

    latest: list[PartQualityOut] = Field(description="The newest comparison of each target, and of the forecast.")
    runs: list[RunQualityOut] = Field(description="Completed scoring runs, the newest first.")
    next_before: int | None = Field(description="What `before` takes to go on with older runs; null at the end.")

    @classmethod
    def of(cls, found: QualityOverview) -> QualityAnswer:
        """Return an overview as an answer."""
        return cls(
            latest=[PartQualityOut.of(part) for part in found.latest],
            runs=[RunQualityOut.of(run) for run in found.runs],
            next_before=found.next_before,
        )
