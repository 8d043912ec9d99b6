"""Training and scoring runs: what is queued, what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

__all__ = ["RunOut", "ScoringRequest", "ScoringRunOut", "TrainingRunOut"]

_FIRST_AS_OF, _LAST_AS_OF = datetime(1970, 1, 2, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

RunStatus = Literal["queued", "running", "completed", "failed"]


def _in_utc(as_of: datetime) -> datetime:
    if not _FIRST_AS_OF <= as_of < _LAST_AS_OF:
        raise ValueError("expected an instant from 1970-01-02 to 2099-12-31")
    return as_of.astimezone(UTC)


class ScoringRequest(BaseModel):
    """The choices of one scoring of all customers."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"as_of": None}]})

    as_of: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = Field(
        None, description="The instant that the scores speak of, with its offset; null for the setting, or now."
    )


class RunOut(BaseModel):
    """What every run tells."""

    id: int = Field(description="The run's number.")
    status: RunStatus = Field(description="A worker takes queued runs, one after another.")
    requested_at: datetime = Field(description="When it was asked for.")
    started_at: datetime | None = Field(description="When a worker took it.")
    heartbeat_at: datetime | None = Field(description="Last sign of life of the worker.")
    finished_at: datetime | None = Field(description="When it ended.")
    error: str | None = Field(description="What went wrong, of a failed run.")


class TrainingRunOut(RunOut):
    """One training run."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": 7,
                    "status": "queued",
                    "requested_at": "2026-03-01T06:00:00Z",
                    "started_at": None,
                    "heartbeat_at": None,
                    "finished_at": None,
                    "error": None,
                    "settings": {"horizon_days": 90, "trials": 25, "seed": 0},
                    "story": None,
                }
            ]
        },
    )

    settings: dict[str, Any] = Field(description="What it was asked for.")
    story: dict[str, Any] | None = Field(description="Inputs, counts and timings, of a run that has ended.")


class ScoringRunOut(RunOut):
    """One scoring run."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": 12,
                    "status": "completed",
                    "requested_at": "2026-03-01T06:00:00Z",
                    "started_at": "2026-03-01T06:00:01Z",
                    "heartbeat_at": "2026-03-01T06:00:20Z",
                    "finished_at": "2026-03-01T06:00:21Z",
                    "error": None,
                    "as_of": "2026-03-01T06:00:01Z",
                    "model_version": 3,
                    "policy_version": 1,
                    "n_customers": 23570,
                }
            ]
        },
    )

    as_of: datetime | None = Field(description="The instant that its scores speak of; null until it is settled.")
    model_version: int | None = Field(description="The model that it scores with; null until it starts.")
    policy_version: int | None = Field(description="The segment policy that it uses; null until it starts.")
    n_customers: int | None = Field(description="Customers scored; null until it is complete.")
