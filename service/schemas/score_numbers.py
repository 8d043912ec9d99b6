"""The numbers of one score."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from service.explained import ExplainedScore

__all__ = ["NUMBERS_EXAMPLE", "Probability", "ScoreNumbers", "numbers_of"]

NUMBERS_EXAMPLE: dict[str, Any] = {
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
Probability = Annotated[float, Field(ge=0, le=1)]


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
