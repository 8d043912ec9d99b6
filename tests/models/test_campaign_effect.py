"""The effect of a campaign, against scipy's intervals and simulated experiments."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from models.campaign_effect import (
    ArmTally,
    CampaignEffect,
    find_save_rate,
    measure_effect,
    welch_difference,
)
from models.exceptions import InputError
from models.share_intervals import needed_sample


def tally(came: int, n: int, *, value: float = 0.0, squares: float = 0.0, **others: float) -> ArmTally:
    zeros = {"open": 0, "contacted": 0, "contacts": 0, "cost": 0.0}
    return ArmTally(arm="a", n=n, came=came, value=value, squares=squares, **{**zeros, **others})  # type: ignore[arg-type]


def of_values(values: np.ndarray) -> ArmTally:
    return tally(0, len(values), value=float(values.sum()), squares=float((values**2).sum()))


def test_the_interval_of_the_values_is_scipys_of_welchs_test() -> None:
    rng = np.random.default_rng(5)
    ours, theirs = rng.gamma(0.3, 80.0, 400), rng.gamma(0.2, 90.0, 90)
    found = welch_difference(of_values(ours), of_values(theirs))
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.estimate == pytest.approx(ours.mean() - theirs.mean())


def test_of_values_that_do_not_vary_the_interval_is_a_point_and_of_one_there_is_none() -> None:
    fives, twos = of_values(np.full(3, 5.0)), of_values(np.full(4, 2.0))
    found = welch_difference(fives, twos)
    assert found is not None
    assert (found.low, found.high) == (3.0, 3.0)
    assert welch_difference(of_values(np.full(1, 5.0)), twos) is None


def test_the_save_rate_is_one_less_the_ratio_of_those_who_left_with_scipys_interval_of_it() -> None:
    contacted, held_out = tally(420, 900), tally(30, 100)
    found = find_save_rate(contacted, held_out)
    assert found is not None
    returned, returned_held_out = 420 / 900, 30 / 100
    assert found.rate.estimate == pytest.approx((returned - returned_held_out) / (1 - returned_held_out))
    theirs = stats.contingency.relative_risk(480, 900, 70, 100).confidence_interval()
    assert (1 - found.rate.high, 1 - found.rate.low) == pytest.approx((theirs.low, theirs.high))
    assert (found.n_contacted, found.n_held_out) == (900, 100)


def test_the_interval_of_the_save_rate_holds_the_truth_in_95_experiments_of_100() -> None:
    rng = np.random.default_rng(3)
    left, left_held_out = rng.binomial(900, 0.63, 4_000), rng.binomial(100, 0.7, 4_000)
    held = 0
    for some, others in zip(left.tolist(), left_held_out.tolist(), strict=True):
        found = find_save_rate(tally(900 - some, 900), tally(100 - others, 100))
        assert found is not None
        held += found.rate.low <= 0.1 <= found.rate.high
    assert held / 4_000 == pytest.approx(0.95, abs=0.012)


def test_where_nobody_left_there_is_no_save_rate() -> None:
    assert find_save_rate(tally(5, 5), tally(3, 6)) is None
    assert find_save_rate(tally(5, 6), tally(6, 6)) is None
    assert find_save_rate(tally(0, 0), tally(0, 0)) is None


def test_an_effect_counts_money_by_margin_less_the_cost_of_the_contacts() -> None:
    arm = tally(60, 100, value=5_000.0, squares=400_000.0, contacted=80, contacts=90, cost=45.0, open=7)
    held_out = tally(20, 50, value=1_500.0, squares=100_000.0, open=3)
    found = measure_effect(held_out, [arm], margin=0.4, assumed_save_rate=0.1)
    (effect,) = found.arms
    assert effect.difference is not None
    assert effect.value_difference is not None
    assert effect.gained is not None
    assert effect.net is not None
    assert effect.difference.estimate == pytest.approx(0.2)
    assert effect.value_difference.estimate == pytest.approx(20.0)
    assert effect.gained.estimate == pytest.approx(0.4 * 20.0 * 100)
    assert effect.net.low == pytest.approx(effect.gained.low - 45.0)
    assert found.open == 10
    assert found.save_rate is not None
    assert found.save_rate.rate.estimate == pytest.approx(0.2 / 0.6)


def test_without_an_observed_difference_the_sample_is_that_of_the_assumed_save_rate() -> None:
    found = measure_effect(tally(30, 100), [tally(270, 900)], margin=1.0, assumed_save_rate=0.1)
    sample = found.arms[0].sample
    assert sample is not None
    assert sample.is_assumed
    assert sample.difference == pytest.approx(0.07)
    assert (sample.contacted, sample.held_out) == needed_sample(0.37, 0.3, ratio=9.0)
    assert not sample.is_enough
    assert sample.held_out_missing == sample.held_out - 100
    assert measure_effect(tally(3, 10), [tally(3, 10)], margin=1.0, assumed_save_rate=None).arms[0].sample is None


def test_arms_without_customers_have_no_rates_and_no_comparison() -> None:
    found = measure_effect(tally(0, 0, open=4), [tally(0, 0, open=9), tally(1, 2)], margin=1.0, assumed_save_rate=0.1)
    assert found.held_out.rate is None
    assert [arm.difference for arm in found.arms] == [None, None]
    assert found.arms[1].rate is not None
    assert found.save_rate is None


def test_an_effect_reads_back_from_json() -> None:
    arms = [tally(60, 100, value=5_000.0, squares=4e5, contacted=80, contacts=90, cost=45.0), tally(0, 0, open=2)]
    found = measure_effect(tally(20, 50, value=9.0, squares=9.0), arms, margin=0.4, assumed_save_rate=0.1)
    assert CampaignEffect.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(InputError, match="arm 'a': expected no more outcomes"):
        tally(3, 2)
