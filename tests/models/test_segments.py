"""The segment policy: who is in which segment, where it cuts, and when a member leaves."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exceptions import InputError
from models.segment_policy import MeasuredSaveRate, SegmentPolicy
from models.segments import SEGMENTS, Cutoffs, assign_segments, find_cutoffs

FREE = SegmentPolicy(contact_cost=0.0, max_share=1.0)


def assign(
    policy: SegmentPolicy,
    cutoffs: Cutoffs,
    churn_probability: list[float],
    clv: list[float],
    *,
    eligible: list[bool] | None = None,
    T: list[float] | None = None,
    at_risk: list[bool] | None = None,
) -> list[tuple[str, set[str]]]:
    n = len(clv)
    primary, member = assign_segments(
        policy,
        cutoffs,
        eligible=np.array(eligible or [True] * n),
        churn_probability=np.array(churn_probability),
        clv=np.array(clv),
        upsell_propensity=None,
        T=np.array(T or [400.0] * n),
        horizon_days=90,
        memberships={} if at_risk is None else {"at_risk": np.array(at_risk)},
    )
    return [
        (SEGMENTS[p], {name for name, is_in in zip(SEGMENTS, row, strict=True) if is_in})
        for p, row in zip(primary, member, strict=True)
    ]


def test_each_segment_is_entered_by_its_rule() -> None:
    cutoffs = Cutoffs(at_risk_value=0.0, high_value_clv=100.0)
    found = assign(
        SegmentPolicy(),
        cutoffs,
        churn_probability=[0.5, 0.5, 0.1, 0.1, 0.1, np.nan, np.nan],
        clv=[50.0, 15.0, 150.0, 50.0, 50.0, 80.0, np.nan],
        eligible=[True, True, True, True, True, False, False],
        T=[400, 400, 400, 89, 90, 500, np.nan],
    )
    assert found == [
        ("at_risk", {"at_risk"}),
        ("steady", {"steady"}),  # .1 x .5 x 15 is below the cost of a contact
        ("high_value", {"high_value"}),
        ("new", {"new"}),
        ("steady", {"steady"}),
        ("dormant", {"dormant"}),
        ("prospect", {"prospect"}),
    ]


def test_a_customer_may_be_in_several_segments_and_the_first_is_primary() -> None:
    cutoffs = Cutoffs(at_risk_value=0.0, high_value_clv=100.0)
    assert assign(FREE, cutoffs, [0.9], [200.0], T=[10]) == [("at_risk", {"at_risk", "high_value", "new"})]


def test_at_most_max_share_of_the_eligible_are_at_risk_highest_value_first() -> None:
    policy = SegmentPolicy(contact_cost=0.0, max_share=0.2)
    n = 50
    probability, clv = np.full(n, 0.5), np.arange(1.0, n + 1)
    cutoffs = find_cutoffs(policy, eligible=np.ones(n, bool), churn_probability=probability, clv=clv)
    found = assign(policy, cutoffs, probability.tolist(), clv.tolist())
    assert [clv[i] for i, (_, segments) in enumerate(found) if "at_risk" in segments] == list(np.arange(41.0, 51.0))


def test_of_equal_values_at_the_cut_none_is_at_risk_so_that_the_share_is_never_exceeded() -> None:
    policy = SegmentPolicy(contact_cost=0.0, max_share=0.2)
    probability, clv = np.full(10, 0.5), np.array([9.0] + [5.0] * 9)
    cutoffs = find_cutoffs(policy, eligible=np.ones(10, bool), churn_probability=probability, clv=clv)
    found = assign(policy, cutoffs, probability.tolist(), clv.tolist())
    assert ["at_risk" in segments for _, segments in found] == [True] + [False] * 9


def test_high_value_is_the_smallest_group_that_holds_half_of_the_clv() -> None:
    clv = np.array([40.0, 30.0, 20.0, 10.0])
    cutoffs = find_cutoffs(FREE, eligible=np.ones(4, bool), churn_probability=np.full(4, 0.1), clv=clv)
    assert cutoffs.high_value_clv == 30.0


def test_a_member_leaves_only_after_crossing_the_threshold_by_the_margin() -> None:
    cutoffs = Cutoffs(at_risk_value=10.0, high_value_clv=1e9)
    for probability, was_in, is_in in [
        (0.3, False, True),
        (0.29, False, False),
        (0.29, True, True),
        (0.26, True, False),
    ]:
        [(_, segments)] = assign(FREE, cutoffs, [probability], [1000.0], at_risk=[was_in])
        assert ("at_risk" in segments) is is_in, (probability, was_in)


@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(0, 1), st.floats(0, 1e6), st.floats(0, 5000) | st.just(float("nan"))),
        min_size=1,
        max_size=40,
    ),
    st.booleans(),
)
def test_everyone_is_somewhere_and_the_dormant_are_nowhere_else(
    rows: list[tuple[bool, float, float, float]], was_in: bool
) -> None:
    T = np.array([row[3] for row in rows])
    eligible = np.array([row[0] for row in rows]) & ~np.isnan(T)
    probability = np.array([row[1] for row in rows])
    clv = np.array([row[2] for row in rows])
    cutoffs = find_cutoffs(SegmentPolicy(), eligible=eligible, churn_probability=probability, clv=clv)
    found = assign(
        SegmentPolicy(),
        cutoffs,
        probability.tolist(),
        clv.tolist(),
        eligible=eligible.tolist(),
        T=T.tolist(),
        at_risk=[was_in] * len(rows),
    )
    for (primary, segments), is_eligible in zip(found, eligible, strict=True):
        assert primary in segments
        if not is_eligible:
            assert segments in ({"dormant"}, {"prospect"})
    if not was_in:
        assert sum("at_risk" in segments for _, segments in found) <= max(1, int(0.2 * eligible.sum()))


def test_without_an_upsell_target_nobody_is_upsell_ready_and_with_one_twice_the_base_rate_is_asked() -> None:
    for base_rate, asked in ((None, None), (0.1, 0.2)):
        cutoffs = find_cutoffs(
            SegmentPolicy(),
            eligible=np.ones(1, bool),
            churn_probability=np.zeros(1),
            clv=np.ones(1),
            upsell_base_rate=base_rate,
        )
        assert cutoffs.upsell_propensity == asked


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
