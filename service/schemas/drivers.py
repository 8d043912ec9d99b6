"""What drives the scores of a model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from features.catalogue import find_feature
from models.driver_report import Direction, FeatureDriver
from models.driver_words import direction_in_words, summary
from service.published_drivers import PublishedDrivers
from service.schemas.of_run import OfRun, run_fields

__all__ = ["CategoryOut", "DriverOut", "DriversAnswer", "FeatureDriverOut", "GroupDriverOut"]

_SIZE_EXAMPLE: dict[str, Any] = {
    "mean_size": 0.61,
    "mean_contribution": -0.05,
    "mean_towards": 0.28,
    "mean_against": -0.33,
    "towards": 0.42,
    "against": 0.58,
}
_FEATURE_EXAMPLE: dict[str, Any] = {
    "feature": "days_since_last_purchase",
    "driver": "inactivity",
    "description": "Days from the last purchase day to the last day observed.",
    **_SIZE_EXAMPLE,
    "among_strongest": 5101,
    "direction": "higher",
    "turns_at": 45.0,
    "words": "Higher values speak for leaving, from 45 days on",
    "missing": None,
    "categories": None,
}


class DriverOut(BaseModel):
    """How much something does to the scores of a segment, in log-odds."""

    driver: str = Field(description="Group that it belongs to: inactivity, frequency, value, price, …")
    mean_size: float = Field(description="Mean absolute contribution.")
    mean_contribution: float = Field(description="Mean contribution; above 0 it pushes towards the target on balance.")
    mean_towards: float = Field(description="What it pushes towards the target, as a mean over all customers.")
    mean_against: float = Field(description="What it pushes against the target, as a mean over all customers.")
    towards: float = Field(description="Share of customers whom it pushes towards the target.")
    against: float = Field(description="Share of customers whom it pushes against the target.")


class GroupDriverOut(DriverOut):
    """A group of features; its contribution to a customer is the sum of theirs."""

    features: list[str] = Field(description="The features of the group that the model reads.")
    strongest_of: int = Field(description="Customers of whom it is the strongest group.")


class CategoryOut(BaseModel):
    """One category, or the customers without a value."""

    category: str = Field(description="Its name; empty for customers without a value.")
    customers: int = Field(description="How many there are.")
    mean_contribution: float = Field(description="What it adds to their log-odds on average.")


class FeatureDriverOut(DriverOut):
    """One feature."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FEATURE_EXAMPLE]})

    feature: str = Field(description="Name in the catalogue.")
    description: str = Field(description="What it is.")
    among_strongest: int = Field(description="Customers among whose three strongest reasons it is.")
    direction: Direction | None = Field(
        description="Which values push towards the target; null where neither high nor low ones do, and for categories."
    )
    turns_at: float | None = Field(
        description="The value from which on the mean contribution has the other sign; null where it has one sign only."
    )
    words: str = Field(description="Direction and turning point as a person would say them.")
    missing: CategoryOut | None = Field(description="Customers without a value; null where all have one.")
    categories: list[CategoryOut] | None = Field(
        description="Of a feature with categories: each that occurs, the one that pushes most towards the target first."
    )

    @classmethod
    def of(cls, row: FeatureDriver, *, target: str, currency: str) -> FeatureDriverOut:
        """Return a stored row with its words."""
        declared = find_feature(row["feature"])
        return cls.model_validate(
            {
                **row,
                "description": row["feature"] if declared is None else declared.description,
                "words": direction_in_words(row, target=target, currency=currency),
            }
        )


class DriversAnswer(OfRun):
    """What drives one model's scores of one segment; the largest mean size first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "scoring_run_id": 12,
                    "as_of": "1998-07-01T00:00:00Z",
                    "model_version": 3,
                    "policy_version": 1,
                    "currency": "USD",
                    "target": "churn",
                    "targets": ["churn", "upsell"],
                    "segment": "all",
                    "segments": ["all", "at_risk", "steady"],
                    "customers": 6214,
                    "summary": "Inactivity weighs most, then frequency and value.",
                    "mean_contribution": -0.05,
                    "drivers": [
                        {
                            "driver": "inactivity",
                            "features": ["days_since_last_purchase"],
                            **_SIZE_EXAMPLE,
                            "strongest_of": 4120,
                        }
                    ],
                    "features": [_FEATURE_EXAMPLE],
                    "unused": [],
                }
            ]
        }
    )

    target: str = Field(description="What the model predicts.")
    targets: list[str] = Field(description="All targets of the run.")
    segment: str = Field(description="Whose scores; `all` is everybody whom the model judges.")
    segments: list[str] = Field(description="All segments that there are reports of.")
    customers: int = Field(description="How many of them the model judges.")
    summary: str = Field(description="What weighs most, in one sentence.")
    mean_contribution: float | None = Field(
        description="Mean of raw_margin less base_value, to which the groups' means add up; null without customers."
    )
    drivers: list[GroupDriverOut] = Field(description="Groups of features, with exact sums.")
    features: list[FeatureDriverOut] = Field(description="Single features that contribute to anybody here.")
    unused: list[str] = Field(description="Features of the model that contribute to nobody here.")

    @classmethod
    def of(cls, found: PublishedDrivers) -> DriversAnswer:
        """Return a report as an answer."""
        report, fields = found.report, run_fields(found.published)
        return cls.model_validate(
            {
                **fields,
                **report,
                "target": found.target,
                "targets": found.targets,
                "segment": found.segment,
                "segments": found.segments,
                "summary": summary(report),
                "features": [
                    FeatureDriverOut.of(row, target=found.target, currency=fields["currency"])
                    for row in report["features"]
                ],
            }
        )
