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
    value_difference,
)
from models.exceptions import InputError
from models.share_intervals import needed_sample, ratio_interval


def tally(came: int, n: int, *, value: float = 0.0, squares: float = 0.0, **others: float) -> ArmTally:
    zeros = {"open": 0, "contacted": 0, "contacts": 0, "cost": 0.0}
    return ArmTally(arm="a", n=n, came=came, value=value, squares=squares, **{**zeros, **others})  # type: ignore[arg-type]


def of_values(values: np.ndarray) -> ArmTally:
    return tally(0, len(values), value=float(values.sum()), squares=float((values**2).sum()))


def test_the_interval_of_the_values_is_scipys_of_students_test() -> None:
    rng = np.random.default_rng(5)
    ours, theirs = rng.gamma(0.3, 80.0, 400), rng.gamma(0.2, 90.0, 90)
    found = value_difference(of_values(ours), of_values(theirs))
    expected = stats.ttest_ind(ours, theirs).confidence_interval()
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.estimate == pytest.approx(ours.mean() - theirs.mean())


def test_where_hardly_anybody_bought_there_is_no_interval_of_the_values() -> None:
    few = np.zeros(900)
    few[:5] = 40.0
    nobody = of_values(np.zeros(100))
    assert value_difference(of_values(few), nobody) is None
    few[:12] = 40.0
    assert value_difference(of_values(few), nobody) is not None
    few[0] = 4_000.0  # nearly all of it is one customer's
    assert value_difference(of_values(few), nobody) is None
    assert value_difference(nobody, nobody) is None
    assert value_difference(of_values(np.full(1, 5.0)), of_values(np.full(40, 2.0))) is None


@pytest.mark.parametrize(("share", "n", "n_held_out"), [(0.03, 900, 100), (0.1, 180, 20), (0.3, 900, 100)])
def test_of_campaigns_that_do_nothing_few_are_said_to_have_gained(share: float, n: int, n_held_out: int) -> None:
    rng = np.random.default_rng(3)
    gained = lost = told = 0
    for _ in range(1_000):
        arms = [of_values((rng.random(size) < share) * rng.lognormal(4.0, 1.0, size)) for size in (n, n_held_out)]
        found = value_difference(*arms)
        if found is not None:
            told, gained, lost = told + 1, gained + (found.low > 0.0), lost + (found.high < 0.0)
    assert told > 300
    # The mean of a few who spend much is skewed, so that what is missed lies on the careful side.
    assert gained <= 0.025 * told
    assert lost <= 0.08 * told


def test_the_save_rate_is_one_less_the_ratio_of_those_who_left_with_the_interval_of_it() -> None:
    contacted, held_out = tally(420, 900), tally(30, 100)
    found = find_save_rate(contacted, held_out)
    assert found is not None
    returned, returned_held_out = 420 / 900, 30 / 100
    assert found.rate.estimate == pytest.approx((returned - returned_held_out) / (1 - returned_held_out))
    ratio = ratio_interval(480, 900, 70, 100)
    assert (1 - found.rate.high, 1 - found.rate.low) == pytest.approx((ratio.low, ratio.high))
    assert (found.n_contacted, found.n_held_out) == (900, 100)


@pytest.mark.parametrize(("rate", "n", "n_held_out"), [(0.01, 900, 100), (0.01, 2_700, 300), (0.05, 900, 100)])
def test_a_campaign_that_does_nothing_is_seldom_said_to_save_anybody_though_hardly_anybody_returns(
    rate: float, n: int, n_held_out: int
) -> None:
    rng = np.random.default_rng(4)
    came, came_held_out = rng.binomial(n, rate, 2_000), rng.binomial(n_held_out, rate, 2_000)
    said = 0
    for some, others in zip(came.tolist(), came_held_out.tolist(), strict=True):
        found = find_save_rate(tally(some, n), tally(others, n_held_out))
        assert found is not None
        said += found.rate.low > 0.0
    assert said / 2_000 <= 0.03


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


@pytest.mark.parametrize("came", [270, 280, 250])
def test_while_a_difference_may_be_chance_the_sample_is_that_of_the_assumed_save_rate(came: int) -> None:
    found = measure_effect(tally(30, 100), [tally(came, 900)], margin=1.0, assumed_save_rate=0.1)
    sample = found.arms[0].sample
    assert sample is not None
    assert sample.is_assumed
    assert sample.difference == pytest.approx(0.07)
    assert (sample.contacted, sample.held_out) == needed_sample(0.37, 0.3, ratio=9.0)
    assert not sample.is_enough
    assert sample.held_out_missing == sample.held_out - 100
    assert measure_effect(tally(3, 10), [tally(3, 10)], margin=1.0, assumed_save_rate=None).arms[0].sample is None


def test_a_handful_of_customers_is_never_enough() -> None:
    found = measure_effect(tally(0, 1), [tally(3, 3)], margin=1.0, assumed_save_rate=None).arms[0].sample
    assert found is not None
    assert not found.is_enough
    assert (found.contacted, found.held_out) == (30, 30)


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
