"""The segment policy: read, written, and refused in words."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

import pytest

from models.exceptions import InputError
from models.segment_policy import MeasuredSaveRate, SegmentPolicy


def test_policy_survives_json_and_toml() -> None:
    policy = SegmentPolicy(min_churn_probability=0.25, min_upsell_propensity=0.4)
    assert SegmentPolicy.from_dict(policy.to_dict()) == policy
    assert SegmentPolicy.from_toml(policy.to_toml()) == policy
    assert SegmentPolicy.from_toml(SegmentPolicy().to_toml()) == SegmentPolicy()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("max_share = 0", "max_share: expected above 0 and at most 1, got 0"),
        ("save_rat = .1", "not TOML"),
        ("# nothing", "expected some of its keys, got none"),
        ("save_rat = 0.1", "unknown save_rat; expected some of contact_cost"),
        ('save_rate = "high"', "expected a number for save_rate"),
        ("save_rate = true", "expected a number for save_rate"),
        ("contact_cost = nan", "contact_cost: expected 0 or more, got nan"),
    ],
)
def test_a_wrong_policy_is_refused_in_words(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        SegmentPolicy.from_toml(text)


MEASURED = MeasuredSaveRate(
    campaign='Autumn "calls" 客',
    low=0.05,
    high=0.2,
    n_contacted=900,
    n_held_out=100,
    outcome_days=90,
    as_of="2024-01-01",
)


def test_a_policy_says_where_its_save_rate_was_measured_and_reads_back_from_toml_and_json() -> None:
    policy = SegmentPolicy(save_rate=0.12, save_rate_measured=MEASURED, held_out_share=0.2, recent_contact_days=0)
    assert SegmentPolicy.from_toml(policy.to_toml()) == policy
    assert SegmentPolicy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    old = {name: value for name, value in SegmentPolicy().to_dict().items() if name in ("save_rate", "max_share")}
    assert SegmentPolicy.from_dict(old) == SegmentPolicy()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"held_out_share": 0.91}, "held_out_share: expected 0 to 0.9, got 0.91"),
        ({"held_out_share": -0.1}, "held_out_share"),
        ({"recent_contact_days": 2.5}, "recent_contact_days: expected a whole number from 0 to 3650, got 2.5"),
        ({"recent_contact_days": -1}, "recent_contact_days"),
        ({"save_rate": 0.3, "save_rate_measured": asdict(MEASURED)}, "a rate within the interval measured"),
        ({"save_rate_measured": {"campaign": "x"}}, "save_rate_measured: expected a table of as_of, campaign"),
        ({"save_rate_measured": {**asdict(MEASURED), "low": 0.5}}, "expected low up to high"),
    ],
)
def test_a_policy_about_contacts_that_cannot_be_meant_is_refused(content: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        SegmentPolicy.from_dict(content)
