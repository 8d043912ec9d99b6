"""Who is in which segment, where a policy cuts, and when a member leaves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.segment_policy import SegmentPolicy
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
