"""Measures of intervals: worked by hand, and what they are on average for true forecasts."""

import numpy as np
import pytest
from scipy.stats import norm, poisson

from models.exceptions import InputError
from models.predictive import Interval
from models.predictive.interval import tails
from models.predictive.interval_metrics import (
    coverage,
    expected_tenths,
    interval_score,
    pit_deviation,
    pit_tenths,
    randomised_coverage,
    randomised_pit,
)

INTERVAL = Interval(np.array([1.0, 1.0, 1.0, 1.0]), np.array([3.0, 3.0, 3.0, 3.0]))


def test_the_interval_score_is_width_plus_ten_times_the_miss_by_hand() -> None:
    # 80 %: 2 / (1 - .8) = 10. Two inside, one .5 below, one 2 above.
    assert interval_score([1.0, 2.0, 0.5, 5.0], INTERVAL) == pytest.approx((2 + 2 + (2 + 5) + (2 + 20)) / 4)


def test_end_points_are_covered() -> None:
    assert coverage([1.0, 3.0, 0.9, 3.1], INTERVAL) == 0.5


def test_no_interval_scores_better_on_average_than_the_true_quantiles() -> None:
    outcome = np.random.default_rng(1).normal(size=20_000)

    def score(low: float, high: float) -> float:
        ends = Interval(np.full(20_000, float(norm.ppf(low))), np.full(20_000, float(norm.ppf(high))))
        return interval_score(outcome, ends)

    assert score(0.1, 0.9) < min(score(0.05, 0.95), score(0.15, 0.85), score(0.2, 0.99))


def test_the_randomised_transform_of_true_counts_is_uniform() -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.7, 100_000)
    pit = randomised_pit(poisson.cdf(counts - 1, 0.7), poisson.cdf(counts, 0.7), rng.random(100_000))

    # Four standard errors of a tenth: 4 sqrt(.1 x .9 / n) = .0038.
    assert pit_tenths(pit) == pytest.approx(np.full(10, 0.1), abs=0.0038)
    assert randomised_coverage(pit) == pytest.approx(0.8, abs=0.0051)


def test_expected_tenths_are_the_average_of_randomised_ones() -> None:
    rng = np.random.default_rng(1)
    counts = np.array([0, 0, 1, 2, 5])
    below, at_most = poisson.cdf(counts - 1, 0.7), poisson.cdf(counts, 0.7)
    average = np.mean([pit_tenths(randomised_pit(below, at_most, rng.random(5))) for _ in range(4_000)], axis=0)

    assert expected_tenths(below, at_most) == pytest.approx(average, abs=0.012)


def test_a_number_without_a_step_is_in_one_tenth() -> None:
    steps = [0.0, 0.1, 0.55, 1.0]

    assert expected_tenths(steps, steps).tolist() == pit_tenths(steps).tolist()
    assert (expected_tenths(steps, steps) * 4).tolist() == [1, 1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_the_deviation_is_that_of_the_worst_tenth_in_points() -> None:
    assert pit_deviation([0.1] * 8 + [0.16, 0.04]) == pytest.approx(6)


def test_nothing_is_known_of_nobody() -> None:
    assert np.isnan(pit_tenths([])).all()
    assert np.isnan(expected_tenths([], [])).all()


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, float("nan"), 80.0])
def test_levels_that_are_no_probabilities_are_refused(level: float) -> None:
    with pytest.raises(InputError, match="level: expected a probability between 0 and 1"):
        tails(level)


def test_as_many_uniforms_as_outcomes_are_demanded() -> None:
    with pytest.raises(InputError, match="expected one uniform number for each of 2 outcomes"):
        randomised_pit([0.1, 0.2], [0.2, 0.3], [0.5])


def test_two_columns_of_one_length_are_demanded() -> None:
    with pytest.raises(InputError, match="expected two columns of one length"):
        randomised_pit([0.1, 0.2], [0.2], [0.5, 0.5])
