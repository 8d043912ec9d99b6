"""When a measured save rate replaces the assumed one, and why not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from models.campaign_effect import ArmTally, CampaignEffect, measure_effect
from models.save_rate import MIN_CUSTOMERS, judge_save_rate, with_measured
from models.segment_policy import SegmentPolicy

FIT: dict[str, Any] = {"segment": "at_risk", "outcome_event": None, "outcome_days": 90, "horizon_days": 90}


def effect(came: int, n: int, came_held_out: int, n_held_out: int, *, still_open: int = 0) -> CampaignEffect:
    zeros = {"value": 0.0, "squares": 0.0, "contacted": 0, "contacts": 0, "cost": 0.0}
    arm = ArmTally(arm="called", n=n, came=came, open=still_open, **zeros)  # type: ignore[arg-type]
    held_out = ArmTally(arm="quiet", n=n_held_out, came=came_held_out, open=0, **zeros)  # type: ignore[arg-type]
    return measure_effect(held_out, [arm], margin=1.0, assumed_save_rate=0.1)


GOOD = effect(500, 900, 30, MIN_CUSTOMERS)


def test_a_rate_that_is_measured_well_enough_goes_into_the_policy_with_its_source() -> None:
    verdict = judge_save_rate(GOOD, **FIT)
    assert verdict.save_rate is not None
    assert "by 900 contacted and 100 held out" in verdict.why
    policy = with_measured(
        SegmentPolicy(max_share=0.5),
        verdict.save_rate,
        campaign="Autumn",
        outcome_days=90,
        as_of=datetime(2024, 1, 1, tzinfo=UTC),
    )
    assert policy.save_rate == pytest.approx((500 / 900 - 0.3) / 0.7)
    assert policy.max_share == 0.5
    assert policy.save_rate_measured is not None
    assert (policy.save_rate_measured.campaign, policy.save_rate_measured.n_held_out) == ("Autumn", 100)
    assert policy.save_rate_measured.low < policy.save_rate < policy.save_rate_measured.high


@pytest.mark.parametrize(
    ("found", "given", "why"),
    [
        (GOOD, {"segment": "new"}, "not for the customers at risk"),
        (GOOD, {"segment": None}, "not for the customers at risk"),
        (GOOD, {"outcome_event": "Visited"}, "not a purchase"),
        (GOOD, {"horizon_days": 60}, "within 90 days, but churn within 60"),
        (GOOD, {"horizon_days": None}, "churn within no horizon"),
        (effect(500, 900, 30, 100, still_open=3), {}, "the windows of 3 customers are still open"),
        (effect(500, 900, 30, 99), {}, "the smaller arm has 99 customers of the 100 it takes"),
        (effect(900, 900, 30, 100), {}, "nobody of an arm left"),
        (effect(300, 900, 30, 100), {}, "can't be told from none at all"),
        (effect(100, 900, 60, 100), {}, "can't be told from none at all"),
    ],
)
def test_a_rate_that_is_not_keeps_the_policy_as_it_is_and_says_why(
    found: CampaignEffect, given: dict[str, Any], why: str
) -> None:
    verdict = judge_save_rate(found, **(FIT | given))
    assert verdict.save_rate is None
    assert verdict.why.startswith("The save rate stays as it is")
    assert why in verdict.why
