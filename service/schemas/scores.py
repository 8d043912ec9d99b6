"""Scores, of one customer or of many, computed now or stored by a run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from service.explained import ExplainedScore
from service.parameters import CustomerId
from service.published_list import PublishedList
from service.schemas.explained import REASONS_EXAMPLE, ClvReasonsOut, PropensityOut, ReasonOut, explained_fields
from service.schemas.score_numbers import NUMBERS_EXAMPLE, ScoreNumbers
from service.scorer import ScoredCustomers
from store.tables import Score as Stored

__all__ = [
    "MadeWith",
    "Score",
    "ScoresAnswer",
    "ScoresRequest",
    "StoredScore",
    "computed_fields",
]

_MADE_WITH_EXAMPLE: dict[str, Any] = {
    "customer_id": "04711",
    "as_of": "1998-07-01T00:00:00Z",
    "model_version": 3,
    "policy_version": 1,
    "currency": "USD",
}


class MadeWith(BaseModel):
    """Whose score it is, and what it was made with."""

    customer_id: str = Field(description="The business's own id.")
    as_of: datetime = Field(description="The instant that the score speaks of; only events before it were read.")
    model_version: int = Field(description="The model that gave it.")
    policy_version: int = Field(description="The segment policy that gave the segments.")
    currency: str = Field(description="ISO 4217 code of all amounts.")


class Score(ScoreNumbers, MadeWith):
    """One customer's score, with its reasons.

    base_value plus the contributions of `reasons` plus `all_other_features` is raw_margin (within 1e-6); the churn
    probability is raw_margin calibrated, which keeps its order.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_MADE_WITH_EXAMPLE, **NUMBERS_EXAMPLE, **REASONS_EXAMPLE}]}
    )

    base_value: float | None = Field(description="Log-odds from which the contributions start.")
    reasons: list[ReasonOut] = Field(description="The features that weigh most, largest contribution first.")
    all_other_features: float | None = Field(description="Sum of the contributions of all other features, in log-odds.")
    raw_margin: float | None = Field(description="Log-odds of churn before calibration.")
    sentence: str | None = Field(description="The reasons as a person would say them.")
    note: str | None = Field(description="Why there is no churn probability; null where there is one.")
    clv_reasons: ClvReasonsOut | None = Field(description="Why the clv is what it is; null without one.")
    caveats: list[str] = Field(description="What every forecast of this model has to be read with.")
    propensities: dict[str, PropensityOut | None] = Field(
        description="What the model says by target, churn apart; null for a customer whom it does not judge."
    )
    receipt: str | None = Field(
        default=None,
        description="By which `GET /v1/receipts/{receipt}` computes the same again, whatever comes later; null of what "
        "is not stored, and of what a run has stored.",
    )

    @classmethod
    def computed(
        cls, customer_id: str, score: ExplainedScore, made_with: ScoredCustomers, receipt: str | None = None
    ) -> Self:
        """Return a score that was computed just now."""
        return cls.model_validate(computed_fields(customer_id, score, made_with, receipt))


class StoredScore(Score):
    """One customer's score as the published run has it: what the lists show."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"scoring_run_id": 12, **_MADE_WITH_EXAMPLE, **NUMBERS_EXAMPLE, **REASONS_EXAMPLE}]
        }
    )

    scoring_run_id: int = Field(description="The run that stored it.")

    @classmethod
    def stored(cls, customer_id: str, stored: Stored, published: PublishedList) -> Self:
        """Return a score of a completed run, or of a customer scored again since."""
        run, aggregates = published.run, published.aggregates
        return cls.model_validate(
            {
                "scoring_run_id": run.id,
                "customer_id": customer_id,
                "as_of": published.as_of(stored),
                "model_version": run.model_version,
                "policy_version": run.policy_version,
                "currency": aggregates.currency,
                "caveats": aggregates.caveats,
                **explained_fields(published.explained(stored)),
            }
        )


class ScoresRequest(BaseModel):
    """Whose scores are wanted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"customer_ids": ["04711", "04712"]}]})

    customer_ids: list[CustomerId] = Field(min_length=1, max_length=1000, description="1 to 1,000 ids.")


class ScoresAnswer(BaseModel):
    """Scores in the order asked, all of one model, one policy and one instant."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **{name: _MADE_WITH_EXAMPLE[name] for name in _MADE_WITH_EXAMPLE if name != "customer_id"},
                    "scores": [{**_MADE_WITH_EXAMPLE, **NUMBERS_EXAMPLE, **REASONS_EXAMPLE}],
                    "unknown": ["04712"],
                }
            ]
        }
    )

    as_of: datetime = Field(description="The instant that the scores speak of.")
    model_version: int = Field(description="The model that gave them.")
    policy_version: int = Field(description="The segment policy that gave the segments.")
    currency: str = Field(description="ISO 4217 code of all amounts.")
    scores: list[Score] = Field(description="One for each id asked that is known, in the order asked.")
    unknown: list[str] = Field(description="The ids that no customer has, in the order asked.")


def computed_fields(
    customer_id: str, score: ExplainedScore, made_with: ScoredCustomers, receipt: str | None
) -> dict[str, Any]:
    """Return the fields of `Score` of a score that was computed just now, as plain values.

    For answers with many: to make models of what is ours, and values of these again, would take as long as to score.
    """
    return {
        "customer_id": customer_id,
        "as_of": made_with.as_of,
        "model_version": made_with.model.version,
        "policy_version": made_with.policy_version,
        "currency": made_with.model.bundle.currency,
        **explained_fields(score),
        "caveats": made_with.model.caveats,
        "receipt": receipt,
    }
