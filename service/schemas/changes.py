"""Why the scores of a customer moved between two instants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from models.change_reasons import Change
from models.score_changes import CLV, change_in_words
from models.scoring import Scores
from service.schemas.score_numbers import Probability
from service.scorer import Movement

__all__ = ["ChangeOut", "ChangeReasonOut", "ChangesAnswer", "changes_of"]


class ChangeReasonOut(BaseModel):
    """One input's part in the movement of a score."""

    model_config = ConfigDict(from_attributes=True)

    feature: str = Field(description="Name of the feature, as in the catalogue.")
    before: float | str | None = Field(description="Its value at the earlier instant; null where there was none.")
    now: float | str | None = Field(description="Its value at the later one.")
    contribution: float = Field(
        description="What it adds to the movement: log-odds, or an amount in `currency` for clv; above 0 raised it."
    )
    text: str = Field(description="The two values as a clause that a person can say.")


class ChangeOut(BaseModel):
    """The movement of one score: the contributions of `reasons` plus `all_other_features` is `now` less `before`."""

    before: float = Field(description="The score at the earlier instant: log-odds, or clv in `currency`.")
    now: float = Field(description="The score at the later one.")
    probability_before: Probability | None = Field(description="Its calibrated probability then; null for clv.")
    probability_now: Probability | None = Field(description="Its calibrated probability later.")
    reasons: list[ChangeReasonOut] = Field(description="The inputs that moved it most, largest contribution first.")
    all_other_features: float = Field(description="Sum of the contributions of all other features.")
    sentence: str = Field(description="The reasons as a person would say them.")


_NOTHING = (
    "Nothing can be compared: no model judges the customer at both instants, and no purchase was known by the first."
)


class ChangesAnswer(BaseModel):
    """Why the scores of one customer moved between two instants, both by the model that serves now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "04711",
                    "since": "1998-04-01T00:00:00Z",
                    "until": "1998-07-01T00:00:00Z",
                    "model_version": 3,
                    "currency": "USD",
                    "changes": {
                        "churn": {
                            "before": -0.9,
                            "now": 0.4,
                            "probability_before": 0.29,
                            "probability_now": 0.6,
                            "reasons": [
                                {
                                    "feature": "days_since_last_purchase",
                                    "before": 12.0,
                                    "now": 103.0,
                                    "contribution": 1.1,
                                    "text": "days since last purchase went from 12 to 103",
                                }
                            ],
                            "all_other_features": 0.2,
                            "sentence": "The risk of leaving rose, mainly because days since last purchase went from "
                            "12 to 103.",
                        }
                    },
                }
            ]
        }
    )

    customer_id: str = Field(description="The business's own id.")
    since: datetime = Field(description="The earlier instant: only events before it were read for it.")
    until: datetime = Field(description="The later instant.")
    model_version: int = Field(description="The model that gave the scores of both.")
    currency: str = Field(description="ISO 4217 code of all amounts.")
    changes: dict[str, ChangeOut] = Field(
        description="By target, where its model judges the customer at both instants; and as `clv` where a purchase "
        "was known by the earlier one."
    )
    note: str | None = Field(default=None, description="Why there are no changes; null where there are some.")

    @classmethod
    def of(cls, customer_id: str, movement: Movement) -> Self:
        """Return what moved the scores of a customer."""
        return cls(
            customer_id=customer_id,
            since=movement.since,
            until=movement.until,
            model_version=movement.model.version,
            currency=movement.model.bundle.currency,
            changes=changes_of(movement.changes, movement.before, movement.now),
            note=None if movement.changes else _NOTHING,
        )


def changes_of(changes: Mapping[str, Change], before: Scores, now: Scores) -> dict[str, ChangeOut]:
    """Return what moved the scores of one customer, as `score_changes` found it."""
    currency = now.bundle.currency
    return {
        name: ChangeOut(
            before=change.before,
            now=change.now,
            probability_before=None if name == CLV else float(before.targets[name].probability[0]),
            probability_now=None if name == CLV else float(now.targets[name].probability[0]),
            reasons=[ChangeReasonOut.model_validate(reason) for reason in change.reasons],
            all_other_features=change.other,
            sentence=change_in_words(name, change, currency),
        )
        for name, change in changes.items()
    }
