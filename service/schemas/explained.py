"""The reasons of a score, and all that is told of it with them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from service.explained import ClvExplanation, ExplainedScore, Explanation
from service.modelled_targets import horizon_of
from service.schemas.score_numbers import Probability, numbers_of

__all__ = [
    "REASONS_EXAMPLE",
    "ClvReasonOut",
    "ClvReasonsOut",
    "PropensityOut",
    "ReasonOut",
    "explained_fields",
]

REASONS_EXAMPLE: dict[str, Any] = {
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


def explained_fields(score: ExplainedScore) -> dict[str, Any]:
    """Return the fields of a score that are its own, computed or stored."""
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
