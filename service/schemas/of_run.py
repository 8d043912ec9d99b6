"""The run that an answer shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from service.published_list import PublishedList

__all__ = ["RUN_EXAMPLE", "OfRun", "run_fields"]

RUN_EXAMPLE: dict[str, Any] = {
    "scoring_run_id": 12,
    "as_of": "1998-07-01T00:00:00Z",
    "model_version": 3,
    "policy_version": 1,
    "currency": "USD",
}


class OfRun(BaseModel):
    """The run that an answer shows."""

    scoring_run_id: int = Field(description="The published run, or the one that the cursor belongs to.")
    as_of: datetime = Field(description="The instant that its scores speak of, but for rows with one of their own.")
    model_version: int = Field(description="The model that gave them.")
    policy_version: int = Field(description="The segment policy that gave the segments.")
    currency: str = Field(description="ISO 4217 code of all amounts.")


def run_fields(published: PublishedList) -> dict[str, Any]:
    """Return the fields of `OfRun`."""
    run = published.run
    return {
        "scoring_run_id": run.id,
        "as_of": run.as_of,
        "model_version": run.model_version,
        "policy_version": run.policy_version,
        "currency": published.aggregates.currency,
    }
