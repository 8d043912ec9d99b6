"""What a training can be asked for: the same over HTTP, on the command line and in the queue."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

from store.exceptions import StoreError

__all__ = ["AUTO", "DEFAULT_HORIZON_DAYS", "MOST_HORIZON_DAYS", "HorizonDays", "TrainingRequest"]

AUTO: Literal["auto"] = "auto"
DEFAULT_HORIZON_DAYS = 90
MOST_HORIZON_DAYS = 1825

_Days = Annotated[int, Field(ge=1, le=MOST_HORIZON_DAYS)]
_DAYS: TypeAdapter[int] = TypeAdapter(_Days)


def _days_or_auto(value: object) -> int | Literal["auto"]:
    # Either at a time, not as a union: a union complains of both, each under a name of its own.
    if value == AUTO:
        return AUTO
    wrong = ValueError(f"expected a whole number of days from 1 to {MOST_HORIZON_DAYS}, or 'auto'")
    # To pydantic true is 1, and "+5" a number.
    if isinstance(value, bool) or (isinstance(value, str) and not value.isdecimal()):
        raise wrong
    try:
        return _DAYS.validate_python(value)
    except ValidationError as error:
        raise wrong from error


HorizonDays = Annotated[
    int | Literal["auto"], PlainValidator(_days_or_auto, json_schema_input_type=_Days | Literal["auto"])
]


class TrainingRequest(BaseModel):
    """The choices of one training; every other setting is the deployment's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon_days: HorizonDays = Field(
        default=DEFAULT_HORIZON_DAYS,
        description="Days ahead that churn looks: no purchase within them is churn; auto takes what the log proposes.",
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
    clv_model: str | None = Field(
        default=None,
        max_length=100,
        description="The purchase model to use, such as bg_nbd; empty means the one that foretells a hold-out best.",
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
    def horizon(self) -> int:
        """`horizon_days` where they are a number, as `training.churn_window.resolved` makes them."""
        if self.horizon_days == AUTO:
            raise StoreError("horizon_days: expected a number of days, got auto; resolve the request by its log first")
        return self.horizon_days

    @property
    def activity_window_days(self) -> int:
        """The activity window in force."""
        return 2 * self.horizon if self.activity_days is None else self.activity_days
