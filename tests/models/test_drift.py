"""Drift: the index as worked out by hand, counts whatever the portions, nothing found where nothing has moved."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from models.drift import DriftReport, DriftSums, TrainingDistribution
from models.exceptions import InputError
from models.stability_index import ACT, drift_between, population_stability_index

FloatArray = NDArray[np.float64]

NAMES = ("days_since_last_purchase", "frequency", "attribute.Plan")
PLANS = ("basic", "pro")
CATEGORIES = {"attribute.Plan": PLANS}
N = 10_000


def customers(n: int, seed: int, *, later: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return what a classifier reads of some customers, and its raw margins."""
    rng = np.random.default_rng(seed)
    days = rng.gamma(2.0, 20.0, n) + later
    days[rng.random(n) < 0.1] = np.nan
    values = np.column_stack([days, rng.poisson(1.5, n), rng.integers(0, 2, n)]).astype(np.float64)
    return values, rng.normal(size=n) + later / 40.0


def training(n: int = N, seed: int = 0) -> TrainingDistribution:
    values, margin = customers(n, seed)
    return TrainingDistribution.of(NAMES, values, margin, expit(margin), customers=2 * n, categories=CATEGORIES)


def report(seed: int, n: int = N, *, later: float = 0.0) -> DriftReport:
    sums = DriftSums(training(), NAMES, CATEGORIES)
    values, margin = customers(n, seed, later=later)
    sums.add(values, margin, expit(margin), customers=2 * n)
    return sums.report(trained_as_of="2024-01-01", base_rate=0.5, edges=expit(sums.margin_edges).tolist())


def test_the_index_is_as_worked_out_by_hand() -> None:
    # Of 50, 30, 20 and 20, 30, 150, half a customer more in each bin: 50.5, 30.5, 20.5 of 101.5 and 20.5, 30.5, 150.5
    # of 201.5.
    p = [50.5 / 101.5, 30.5 / 101.5, 20.5 / 101.5]
    q = [20.5 / 201.5, 30.5 / 201.5, 150.5 / 201.5]
    expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert expected == pytest.approx(1.4432, abs=5e-5)
    assert population_stability_index([50, 30, 20], [20, 30, 150]) == pytest.approx(expected, rel=1e-14)


def test_the_index_is_the_same_both_ways_and_0_for_equal_counts() -> None:
    one, other = [5, 0, 9, 40], [7, 3, 0, 11]
    assert population_stability_index(one, other) == pytest.approx(population_stability_index(other, one), rel=1e-14)
    assert population_stability_index(one, one) == 0.0


def test_bins_that_both_leave_empty_are_none_and_an_empty_side_has_no_index() -> None:
    assert population_stability_index([5, 0, 9], [50, 0, 9]) == population_stability_index([5, 9], [50, 9])
    assert drift_between([5, 9], [0, 0]) == {"psi": 0.0, "by_chance": None, "level": "stable"}


@pytest.mark.parametrize(("one", "other"), [([1, 2], [1, 2, 3]), ([1, -1], [1, 1]), ([[1]], [[1]])])
def test_counts_that_are_not_of_the_same_bins_are_refused(one: list[int], other: list[int]) -> None:
    with pytest.raises(InputError, match="expected counts of 0 or more in the same bins"):
        population_stability_index(one, other)


def test_what_chance_makes_of_few_customers_is_no_drift() -> None:
    # Twice chi-square of 1 degree of freedom at .95, 3.841, by 20.
    found = drift_between([10, 10], [14, 6])
    assert found["by_chance"] == pytest.approx(3.841459 / 10, rel=1e-6)
    assert found["psi"] > 0.1
    assert found["level"] == "stable"
    assert drift_between([1000, 1000], [1400, 600])["level"] == "watch"
    assert drift_between([1000, 1000], [1700, 300])["level"] == "act"


def test_the_index_stays_below_what_is_said_of_chance_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(5)
    bins = np.full(10, 0.1)
    found = [drift_between(rng.multinomial(3_000, bins), rng.multinomial(2_000, bins)) for _ in range(1_000)]
    below = np.mean([each["psi"] <= (each["by_chance"] or 0.0) for each in found])
    assert 0.93 <= below <= 0.97


def test_two_equal_populations_of_10_000_are_less_than_a_hundredth_apart() -> None:
    found = report(seed=1)
    indices = [found["score"]["psi"], found["judged_drift"]["psi"], *(row["psi"] for row in found["features"])]
    assert max(indices) < 0.01
    assert {row["level"] for row in found["features"]} == {"stable"}


def test_a_shifted_population_is_to_be_acted_on_and_what_moved_most_comes_first() -> None:
    found = report(seed=1, later=40.0)
    first = found["features"][0]
    assert (first["feature"], first["level"]) == ("days_since_last_purchase", "act")
    assert first["psi"] > ACT
    assert found["score"]["level"] == "act"
    assert [row["level"] for row in found["features"][1:]] == ["stable", "stable"]
    assert found["mean_probability"] is not None
    assert found["mean_probability"] > (found["mean_probability_at_training"] or 1.0)


def test_bins_are_tenths_of_training_with_one_for_what_is_missing_and_one_a_category() -> None:
    known = training()
    days = known.counts["days_since_last_purchase"]
    assert len(days) == 11
    assert sum(days) == N
    # A tenth is missing; the rest is spread evenly.
    assert 850 <= days[-1] <= 1_150
    assert max(days[:-1]) - min(days[:-1]) <= 1
    assert len(known.counts["attribute.Plan"]) == len(PLANS) + 1
    values, _ = customers(N, 0)
    # Few distinct values have a bin each.
    frequency = values[:, 1]
    assert known.counts["frequency"][:3] == tuple(int((frequency == x).sum()) for x in range(3))


def test_counts_do_not_depend_on_portions_and_order() -> None:
    values, margin = customers(1_000, 3)
    probability = expit(margin)

    def counted(parts: list[slice]) -> DriftSums:
        whole = DriftSums(training(), NAMES, CATEGORIES)
        for part in parts:
            some = DriftSums(training(), NAMES, CATEGORIES)
            some.add(values[part], margin[part], probability[part], customers=len(margin[part]))
            whole.merge(some)
        return whole

    one = counted([slice(0, 1_000)])
    many = counted([slice(700, 1_000), slice(0, 300), slice(300, 700)])
    assert one.counted() == many.counted()
    assert (one.customers, one.judged, one.millionths) == (many.customers, many.judged, many.millionths)


def test_the_distribution_goes_through_json() -> None:
    known = training(500)
    assert TrainingDistribution.from_dict(json.loads(json.dumps(known.to_dict()))) == known


def test_bins_of_other_features_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected bins of the features of the model.* Train again"):
        DriftSums(training(500), NAMES[:2], CATEGORIES)


def test_nobody_judged_gives_a_report_without_means() -> None:
    sums = DriftSums(training(500), NAMES, CATEGORIES)
    sums.add(np.empty((0, 3)), np.empty(0), np.empty(0), customers=7)
    found = sums.report(trained_as_of="2024-01-01", base_rate=0.5, edges=[])
    assert (found["mean_probability"], found["judged"], found["customers"]) == (None, 0, 7)
    assert {row["psi"] for row in found["features"]} == {0.0}
