"""Scores, of one customer or of many, computed now or stored by a run."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from service.explained import ClvExplanation, ExplainedScore, Explanation
from service.modelled_targets import horizon_of
from service.parameters import CustomerId
from service.published_list import PublishedList
from service.scorer import ScoredCustomers
from store.tables import Score as Stored

__all__ = [
    "ClvReasonOut",
    "ClvReasonsOut",
    "MadeWith",
    "Probability",
    "PropensityOut",
    "ReasonOut",
    "Score",
    "ScoreNumbers",
    "ScoresAnswer",
    "ScoresRequest",
    "StoredScore",
    "computed_fields",
    "numbers_of",
]

_NUMBERS_EXAMPLE: dict[str, Any] = {
    "segment": "at_risk",
    "segments": ["at_risk", "high_value"],
    "eligible": True,
    "frequency": 7,
    "recency": 310,
    "T": 407,
    "monetary_value": 52.4,
    "days_since_last_purchase": 97,
    "p_alive": 0.81,
    "expected_purchases": 1.3,
    "expected_purchases_low": 0.0,
    "expected_purchases_high": 3.0,
    "expected_average_value": 50.1,
    "clv": 214.6,
    "clv_low": 0.0,
    "clv_high": 480.2,
    "purchase_within_30d": 0.24,
    "purchase_within_60d": 0.41,
    "purchase_within_90d": 0.52,
    "purchase_within_180d": 0.68,
    "purchase_likely_in_days": 84,
    "churn_probability": 0.48,
    "value_at_risk": 103.0,
    "upsell_propensity": 0.18,
}
_REASONS_EXAMPLE: dict[str, Any] = {
    "base_value": 0.9,
    "reasons": [
        {
            "feature": "days_since_last_purchase",
            "value": 97.0,
            "contribution": 0.61,
            "text": "it has been 97 days since the last purchase",
        },
        {
            "feature": "frequency",
            "value": 7.0,
            "contribution": -1.42,
            "text": "the customer has come back to buy on 7 days",
        },
    ],
    "all_other_features": -0.21,
    "raw_margin": -0.12,
    "sentence": "It has been 97 days since the last purchase. What speaks for staying is that the customer has come "
    "back to buy on 7 days.",
    "note": None,
    "caveats": ["With 546 days of history, season can't be told from trend."],
    "clv_reasons": {
        "reference": "the typical active customer, who came back to buy on 3 days over 210 days, for USD 34.20 a day "
        "on average, most recently 45 days ago",
        "reference_clv": 92.5,
        "reasons": [
            {
                "feature": "frequency",
                "value": 7.0,
                "typical": 3.0,
                "contribution": 140.3,
                "text": "the customer has come back to buy on 7 days, more often than is typical",
            },
            {
                "feature": "days_since_last_purchase",
                "value": 97.0,
                "typical": 45.0,
                "contribution": -60.1,
                "text": "it has been 97 days since the last purchase, longer than is typical",
            },
        ],
        "sentence": "USD 214.60 is expected of the customer, USD 122.10 more than of the typical active customer.",
    },
    "propensities": {
        "upsell": {
            "description": "orders worth more than 1.25 times what was expected, on average",
            "horizon_days": 90,
            "probability": 0.18,
            "base_value": -1.6,
            "reasons": [
                {
                    "feature": "value_change_90d",
                    "value": 41.5,
                    "contribution": 0.31,
                    "text": "USD 41.50 more was spent in the last 90 days than in the 90 before",
                }
            ],
            "all_other_features": -0.18,
            "raw_margin": -1.47,
            "sentence": "USD 41.50 more was spent in the last 90 days than in the 90 before.",
        }
    },
}
_MADE_WITH_EXAMPLE: dict[str, Any] = {
    "customer_id": "04711",
    "as_of": "1998-07-01T00:00:00Z",
    "model_version": 3,
    "policy_version": 1,
    "currency": "USD",
}

Probability = Annotated[float, Field(ge=0, le=1)]


class MadeWith(BaseModel):
    """Whose score it is, and what it was made with."""

    customer_id: str = Field(description="The business's own id.")
    as_of: datetime = Field(description="The instant that the score speaks of; only events before it were read.")
    model_version: int = Field(description="The model that gave it.")
    policy_version: int = Field(description="The segment policy that gave the segments.")
    currency: str = Field(description="ISO 4217 code of all amounts.")


class ScoreNumbers(BaseModel):
    """The numbers of one score; null stands for "does not apply", never for nought."""

    segment: str = Field(description="The primary segment: the first that applies.")
    segments: list[str] = Field(description="All segments, in the order of the policy.")
    eligible: bool = Field(
        description="Whether the customer is active: only these are judged by the leading model, that of churn if any."
    )
    frequency: int | None = Field(description="Repeat purchase days: distinct purchase days less one.")
    recency: int | None = Field(description="Days from the first to the last purchase day.")
    T: int | None = Field(description="Days from the first purchase day to the last day observed.")
    monetary_value: float | None = Field(
        description="Mean value of the repeat purchase days, in `currency`; null for one-time buyers."
    )
    days_since_last_purchase: int | None = Field(description="Days from the last purchase day to the last observed.")
    p_alive: Probability | None = Field(
        description="P(alive) of the purchase model; by BG/NBD 1 for one-time buyers, which says nothing of health."
    )
    expected_purchases: float | None = Field(description="Purchase days expected within the horizon of the model.")
    expected_purchases_low: float | None = Field(
        description="Lower bound of an interval for the purchase days to come, which holds in at least 8 cases of 10."
    )
    expected_purchases_high: float | None = Field(description="Upper bound of that interval.")
    expected_average_value: float | None = Field(description="Expected value of a purchase day, in `currency`.")
    clv: float | None = Field(
        description="Discounted margin expected over the clv horizon, in `currency`; null without purchases."
    )
    clv_low: float | None = Field(
        description="Lower bound of an interval for what will come over the clv horizon, in `currency`, that holds in "
        "at least 8 cases of 10; 0 where no purchase at all is that probable."
    )
    clv_high: float | None = Field(description="Upper bound of that interval.")
    purchase_within_30d: Probability | None = Field(
        description="Chance of a purchase within 30 days; null for a customer whom no model of inactivity judges."
    )
    purchase_within_60d: Probability | None = Field(description="Within 60 days.")
    purchase_within_90d: Probability | None = Field(description="Within 90 days.")
    purchase_within_180d: Probability | None = Field(description="Within 180 days.")
    purchase_likely_in_days: int | None = Field(
        description="Days until the chance of a purchase reaches one half; null where it doesn't within a year, and "
        "for customers who have no such chances either, as `purchase_within_30d` says."
    )
    churn_probability: Probability | None = Field(
        description="Calibrated probability of leaving within the horizon: no purchase, or what else the target is."
    )
    value_at_risk: float | None = Field(description="churn_probability times clv, in `currency`.")
    upsell_propensity: Probability | None = Field(description="Null while the model has no upsell target.")


_NUMBERS = tuple(ScoreNumbers.model_fields)


def numbers_of(score: ExplainedScore) -> dict[str, Any]:
    """Return the fields of `ScoreNumbers` of a score."""
    columns = score.columns
    fields = {name: columns[name] for name in _NUMBERS}
    fields["segments"] = columns["segments"].split()
    return fields


class ReasonOut(BaseModel):
    """One feature's part in a probability."""

    feature: str = Field(description="Name of the feature, as in the catalogue.")
    value: float | str | None = Field(
        description="The customer's own value, a number or the name of a category; null where there is none."
    )
    contribution: float = Field(description="Log-odds that it adds; above 0 speaks for leaving, or for the propensity.")
    text: str = Field(description="The value as a clause that a person can say.")


class PropensityOut(BaseModel):
    """How probable it is that something comes about for a customer, and why.

    base_value plus the contributions of `reasons` plus `all_other_features` is raw_margin (within 1e-6).
    """

    description: str = Field(description="What has to come about.")
    horizon_days: int | None = Field(description="Within so many days; null where a file of labels says what came.")
    probability: Probability = Field(description="Calibrated probability that it comes about.")
    base_value: float = Field(description="Log-odds from which the contributions start.")
    reasons: list[ReasonOut] = Field(description="The features that weigh most, largest contribution first.")
    all_other_features: float = Field(description="Sum of the contributions of all other features, in log-odds.")
    raw_margin: float = Field(description="Log-odds before calibration.")
    sentence: str = Field(description="The reasons as a person would say them.")


class ClvReasonOut(BaseModel):
    """One input's part in a clv."""

    feature: str = Field(description="frequency, recency, days_since_last_purchase or monetary_value.")
    value: float | None = Field(description="The customer's own; null for the value of repeat purchases without any.")
    typical: float | None = Field(description="That of the reference customer.")
    contribution: float = Field(description="What it adds to the clv of the reference customer, in `currency`.")
    text: str = Field(description="The value as a clause that a person can say.")


class ClvReasonsOut(BaseModel):
    """Why a clv is what it is: exact Shapley values in currency.

    reference_clv plus the contributions of the four inputs is clv.
    """

    reference: str = Field(description="The customer compared with, in words.")
    reference_clv: float = Field(description="That customer's clv.")
    reasons: list[ClvReasonOut] = Field(description="The four inputs, the one that weighs most first.")
    sentence: str = Field(description="The reasons as a person would say them.")


class Score(ScoreNumbers, MadeWith):
    """One customer's score, with its reasons.

    base_value plus the contributions of `reasons` plus `all_other_features` is raw_margin (within 1e-6); the churn
    probability is raw_margin calibrated, which keeps its order.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_MADE_WITH_EXAMPLE, **_NUMBERS_EXAMPLE, **_REASONS_EXAMPLE}]}
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
            "examples": [{"scoring_run_id": 12, **_MADE_WITH_EXAMPLE, **_NUMBERS_EXAMPLE, **_REASONS_EXAMPLE}]
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
                **_explained(published.explained(stored)),
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
                    "scores": [{**_MADE_WITH_EXAMPLE, **_NUMBERS_EXAMPLE, **_REASONS_EXAMPLE}],
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
        **_explained(score),
        "caveats": made_with.model.caveats,
        "receipt": receipt,
    }


def _explained(score: ExplainedScore) -> dict[str, Any]:
    nothing: dict[str, Any] = {"base_value": None, "reasons": [], "all_other_features": None, "raw_margin": None}
    return {
        **numbers_of(score),
        **(nothing if score.churn is None else _log_odds(score.churn)),
        "sentence": None if score.churn is None else score.churn.sentence,
        "note": score.note,
        "clv_reasons": None if score.clv is None else _clv_reasons(score.clv),
        "propensities": {
            name: None if told is None else _propensity(told) for name, told in score.propensities.items()
        },
    }


def _propensity(told: Explanation) -> dict[str, Any]:
    """Return the fields of `PropensityOut`."""
    return {
        "description": told.target.describe(),
        "horizon_days": horizon_of(told.target),
        "probability": told.probability,
        "sentence": told.sentence,
        **_log_odds(told),
    }


def _clv_reasons(told: ClvExplanation) -> dict[str, Any]:
    """Return the fields of `ClvReasonsOut`."""
    return {
        "reference": told.reference_phrase,
        "reference_clv": told.reference.clv,
        "reasons": [
            {"feature": feature, "value": value, "typical": typical, "contribution": contribution, "text": text}
            for feature, value, typical, contribution, text in told.reasons
        ],
        "sentence": told.sentence,
    }


def _log_odds(told: Explanation) -> dict[str, Any]:
    """Return the fields that add up."""
    return {
        "base_value": told.base_value,
        "reasons": [
            {"feature": feature, "value": value, "contribution": contribution, "text": text}
            for feature, _, value, contribution, text in told.reasons
        ],
        "all_other_features": told.all_other_features,
        "raw_margin": told.raw_margin,
    }
