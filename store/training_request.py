"""What a training can be asked for: the same over HTTP, on the command line and in the queue."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["TrainingRequest"]


class TrainingRequest(BaseModel):
    """The choices of one training; every other setting is the deployment's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon_days: int = Field(
        default=90, ge=1, le=1825, description="Days ahead that churn looks: no purchase within them is churn."
    )
    activity_days: int | None = Field(
        default=None,
        ge=1,
        le=7300,
        description="A customer is judged who purchased within so many days; empty means twice the horizon.",
    )
    as_of: date | None = Field(
        default=None,
        ge=date(1900, 1, 1),
        lt=date(2100, 1, 1),
        description="Train as if it were midnight of this day; empty means the end of the log.",
    )
    trials: int = Field(default=25, ge=1, le=10_000, description="Settings of the classifier that the search tries.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of everything random.")
    time_limit_seconds: int = Field(
        default=900, ge=1, le=86_400, description="Safety stop of the search; reaching it is recorded in the report."
    )

    targets: tuple[str, ...] | None = Field(
        default=None,
        max_length=100,
        description="Names of the targets in force to train for; empty means all of them.",
    )
    leave_out: tuple[str, ...] = Field(
        default=(), max_length=1000, description="Features and attributes that no model may use."
    )
    keep: tuple[str, ...] = Field(
        default=(), max_length=1000, description="Features and attributes to use although the leak guard names them."
    )

    @property
    def activity_window_days(self) -> int:
        """The activity window in force."""
        return 2 * self.horizon_days if self.activity_days is None else self.activity_days
