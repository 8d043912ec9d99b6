"""Propensities: what else than leaving the model judges customers by, and the list of one target."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from features.targets import Target
from service.modelled_targets import horizon_of
from service.published_list import PublishedList
from service.schemas.lists import RankedList
from service.schemas.of_run import RUN_EXAMPLE, OfRun, run_fields

__all__ = ["PropensitiesAnswer", "PropensityList", "PropensityTarget", "target_fields"]

_TARGET_EXAMPLE: dict[str, Any] = {
    "target": "upsell",
    "description": "orders worth more than 1.25 times what was expected, on average",
    "horizon_days": 90,
    "base_rate": 0.11,
    "makes_segment": True,
    "customers": 9031,
}


class PropensityTarget(BaseModel):
    """One target that is not churn: what a model says may come about."""

    target: str = Field(description="Its name.")
    description: str = Field(description="What has to come about.")
    horizon_days: int | None = Field(description="Within so many days; null where a file of labels says what came.")
    base_rate: float = Field(description="Share of customers for whom it came about, at training.")
    makes_segment: bool = Field(description="False where the model says no more than its baseline.")
    customers: int = Field(description="Customers whom the model judges.")


def target_fields(target: Target, published: PublishedList) -> dict[str, Any]:
    """Return the fields of `PropensityTarget`."""
    totals = published.aggregates.targets[target.name]
    return {
        "target": target.name,
        "description": target.describe(),
        "horizon_days": horizon_of(target),
        "base_rate": totals.base_rate,
        "makes_segment": totals.makes_segment,
        "customers": totals.customers,
    }


class PropensitiesAnswer(OfRun):
    """All propensities of the published run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**RUN_EXAMPLE, "propensities": [_TARGET_EXAMPLE]}]})

    propensities: list[PropensityTarget] = Field(description="One a target of the model, churn apart.")
    refused: dict[str, str] = Field(description="Targets that training refused, and why.")

    @classmethod
    def of(cls, published: PublishedList) -> PropensitiesAnswer:
        """Return the targets of a run."""
        targets = [PropensityTarget(**target_fields(t, published)) for t in published.propensities.values()]
        return cls(propensities=targets, refused=dict(published.aggregates.refused), **run_fields(published))


class PropensityList(RankedList, PropensityTarget):
    """One page of everybody whom the model of a propensity judges, the highest propensity first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **RUN_EXAMPLE,
                    **_TARGET_EXAMPLE,
                    "ranked_by": "upsell_propensity",
                    "rows": [],
                    "next_cursor": None,
                    "looked_at": None,
                }
            ]
        }
    )

    ranked_by: str = Field(description="The target's name with `_propensity` after it, the highest first.")
