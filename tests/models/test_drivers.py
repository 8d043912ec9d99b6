"""Driver reports: sums as slow and exact arithmetic gives them, whatever the portions that customers come in."""

from __future__ import annotations

import json
import math
import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.catalogue import find_feature
from models.driver_report import EVERYBODY
from models.drivers import DriverSums, find_edges
from models.exceptions import InputError
from models.propensity import LightGBMParams, PropensityModel

FloatArray = NDArray[np.float64]

# Two of one driver, one of another, and one with categories.
NAMES = ("days_since_last_purchase", "frequency", "purchase_days_90d", "attribute.Plan")
PLANS = ("basic", "pro")
EDGES = {
    "days_since_last_purchase": (10.0, 40.0, 90.0),
    "frequency": (1.0, 2.0),
    "purchase_days_90d": (1.0,),
}
SEGMENTS = ("at_risk", "steady")


def sums(names: tuple[str, ...] = NAMES) -> DriverSums:
    return DriverSums(names, {"attribute.Plan": PLANS}, EDGES, SEGMENTS)


def customers(n: int, seed: int = 0) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Contributions, values and members: some values missing, some categories unseen, some contributions 0."""
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [rng.integers(0, 120, n), rng.poisson(1.0, n), rng.poisson(0.5, n), rng.integers(-1, 3, n)]
    ).astype(np.float64)
    values[rng.random((n, 4)) < 0.1] = np.nan
    contributions = rng.normal(size=(n, 4)) * (rng.random((n, 4)) < 0.9)
    return contributions, values, rng.random((n, 2)) < [0.3, 0.6]


def slow_feature(name: str, contributions: FloatArray, values: FloatArray, i: int) -> dict[str, Any]:
    """What the report should say of one feature, from exactly rounded sums."""
    column, n = contributions[:, i], len(contributions)
    strongest = sum(
        i in sorted((f for f in range(4) if row[f] != 0), key=lambda f, row=row: (-abs(row[f]), f))[:3]  # type: ignore[misc]
        for row in contributions.tolist()
    )
    told = {
        "feature": name,
        "mean_size": math.fsum(abs(column)) / n,
        "mean_contribution": math.fsum(column) / n,
        "mean_towards": math.fsum(column[column > 0]) / n,
        "mean_against": math.fsum(column[column < 0]) / n,
        "towards": sum(column > 0) / n,
        "against": sum(column < 0) / n,
        "among_strongest": strongest,
    }
    is_missing = np.isnan(values[:, i]) | (name.startswith("attribute") & ~np.isin(values[:, i], (0.0, 1.0)))
    if is_missing.any():
        told["missing"] = {"category": "", **slow_mean(column[is_missing])}
    if name.startswith("attribute"):
        told["categories"] = sorted(
            (
                {"category": plan, **slow_mean(column[values[:, i] == code])}
                for code, plan in enumerate(PLANS)
                if (values[:, i] == code).any()
            ),
            key=lambda row: -row["mean_contribution"],
        )
    return told


def slow_mean(column: FloatArray) -> dict[str, Any]:
    return {"customers": len(column), "mean_contribution": math.fsum(column) / len(column)}


@pytest.mark.parametrize("segment", [EVERYBODY, *SEGMENTS])
def test_a_report_is_what_exactly_rounded_sums_of_plain_python_give(segment: str) -> None:
    contributions, values, member = customers(500)
    found = sums()
    found.add(contributions, values, member)
    report = found.report(segment)
    rows = np.ones(500, dtype=np.bool_) if segment == EVERYBODY else member[:, SEGMENTS.index(segment)]
    contributions, values = contributions[rows], values[rows]

    assert report["customers"] == rows.sum()
    assert report["mean_contribution"] == pytest.approx(math.fsum(contributions.ravel()) / rows.sum(), rel=1e-11)
    assert [row["mean_size"] for row in report["features"]] == sorted(
        (row["mean_size"] for row in report["features"]), reverse=True
    )
    by_name = {row["feature"]: row for row in report["features"]}
    for i, name in enumerate(NAMES):
        for key, expected in slow_feature(name, contributions, values, i).items():
            told = by_name[name][key]  # type: ignore[literal-required]
            assert told == (pytest.approx(expected, rel=1e-11) if isinstance(expected, float) else _near(expected)), key
    for group in report["drivers"]:
        members = [NAMES.index(name) for name in group["features"]]
        of_group = contributions[:, members].sum(axis=1)
        assert group["mean_size"] == pytest.approx(math.fsum(abs(of_group)) / rows.sum(), rel=1e-11)
        assert group["towards"] == pytest.approx(sum(of_group > 0) / rows.sum())
        others = [
            [NAMES.index(name) for name in other["features"]] for other in report["drivers"] if other is not group
        ]
        sizes = np.abs(np.column_stack([contributions[:, some].sum(axis=1) for some in others]))
        assert group["strongest_of"] == (abs(of_group) > sizes.max(axis=1)).sum()


def _near(expected: Any) -> Any:
    """Compare what nests with a tolerance for its numbers."""
    if isinstance(expected, list):
        return [_near(item) for item in expected]
    if isinstance(expected, dict):
        return {key: _near(item) for key, item in expected.items()}
    return pytest.approx(expected, rel=1e-11) if isinstance(expected, float) else expected


def test_features_of_one_driver_are_told_as_one_group_in_which_opposites_cancel() -> None:
    found = sums()
    contributions = np.array([[0.0, 1.0, -1.0, 0.0], [0.0, 2.0, -1.5, 0.25]])
    found.add(contributions, np.zeros((2, 4)), np.zeros((2, 2), dtype=np.bool_))
    report = found.report()
    assert [(row["driver"], row["features"]) for row in report["drivers"][:2]] == [
        ("frequency", ["frequency", "purchase_days_90d"]),
        ("attributes", ["attribute.Plan"]),
    ]
    assert report["drivers"][0]["mean_size"] == 0.25
    assert [row["mean_size"] for row in report["features"]] == [1.5, 1.25, 0.125]
    assert report["unused"] == ["days_since_last_purchase"]


def test_the_means_of_the_groups_add_up_to_mean_raw_margin_less_base_value_of_a_fitted_classifier() -> None:
    rng = np.random.default_rng(5)
    names = ("days_since_last_purchase", "frequency", "T", "mean_order_value", "value_90d", "purchase_days_90d")
    X = rng.normal(size=(3_000, 6))
    X[rng.random(X.shape) < 0.05] = np.nan
    y = (np.nan_to_num(X[:, 0]) - np.nan_to_num(X[:, 1] * X[:, 3]) + rng.normal(size=3_000) > 0).astype(np.float64)
    params = LightGBMParams(num_rounds=30, num_leaves=15, max_depth=4, min_data_in_leaf=20)
    classifier = PropensityModel(params=params, seed=1, num_threads=1).fit(X, y, feature_names=names)
    contributions, base_value = classifier.contributions(X)
    member = (X[:, :1] > 0.5) | np.isnan(X[:, :1])
    found = DriverSums(names, {}, find_edges(X, names), ("some",))
    found.add(contributions, X, member)
    for segment, rows in ((EVERYBODY, slice(None)), ("some", member[:, 0])):
        report = found.report(segment)
        expected = math.fsum(classifier.raw_margin(X[rows]) - base_value) / len(X[rows])
        of_groups = math.fsum(row["mean_contribution"] for row in report["drivers"])
        of_features = math.fsum(row["mean_contribution"] for row in report["features"])
        assert of_groups == pytest.approx(expected, abs=1e-9)
        assert of_features == pytest.approx(expected, abs=1e-9)
        assert report["mean_contribution"] == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 60), st.lists(st.integers(0, 60), max_size=5), st.integers(0, 50))
def test_the_portions_that_customers_come_in_and_their_order_change_nothing(n: int, cuts: list[int], seed: int) -> None:
    contributions, values, member = customers(n, seed)
    whole = sums()
    whole.add(contributions, values, member)
    order = np.random.default_rng(seed).permutation(n)
    in_parts = sums()
    for start, end in pairwise(sorted({0, n, *(cut for cut in cuts if cut < n)})):
        some = order[start:end]
        in_parts.add(contributions[some], values[some], member[some])
    assert in_parts.reports() == whole.reports()


@given(st.integers(0, 50))
def test_merging_is_associative_and_gives_what_one_sum_of_all_gives(seed: int) -> None:
    contributions, values, member = customers(90, seed)

    def of(*parts: slice) -> DriverSums:
        found = sums()
        for part in parts:
            found.add(contributions[part], values[part], member[part])
        return found

    a, b, c = slice(0, 20), slice(20, 70), slice(70, 90)
    left, right, tail = of(a), of(a), of(b)
    left.merge(of(b))
    left.merge(of(c))
    tail.merge(of(c))
    right.merge(tail)
    assert left.reports() == right.reports() == of(slice(None)).reports()


def test_a_million_customers_whose_contributions_cancel_sum_within_1e_9() -> None:
    rng = np.random.default_rng(3)
    n = 1_000_000
    # The mean is a ten-millionth of what is summed up.
    half = rng.normal(size=n // 2) * 1e3
    column = np.concatenate([half, -half + 1e-4 * rng.random(n // 2)])
    rng.shuffle(column)
    found = DriverSums(NAMES[:1], {}, {}, ())
    for start in range(0, n, 70_001):
        some = column[start : start + 70_001, None]
        found.add(some, some, np.empty((len(some), 0), dtype=np.bool_))
    (row,) = found.report()["features"]
    assert row["mean_contribution"] == pytest.approx(math.fsum(column) / n, rel=1e-11)
    assert row["mean_size"] == pytest.approx(math.fsum(np.abs(column)) / n, rel=1e-11)


def test_nothing_is_kept_of_a_single_customer() -> None:
    contributions, values, member = customers(20_000)
    found = sums()
    found.add(contributions, values, member)
    tracemalloc.start()
    found.add(contributions, values, member)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 20_000
    assert found.report()["customers"] == 40_000


def test_directions_and_turning_points_are_those_that_were_planted() -> None:
    rng = np.random.default_rng(7)
    n = 4_000
    days, frequency, recent = rng.uniform(0, 100, n), rng.poisson(2.0, n).astype(np.float64), rng.normal(size=n)
    values = np.column_stack([days, frequency, recent])
    contributions = np.column_stack(
        [
            np.where(days >= 45, 0.8, -0.6) + rng.normal(scale=0.1, size=n),
            -0.5 * (frequency - 2.5) + rng.normal(scale=0.2, size=n),
            recent**2 - 1.0,
        ]
    )
    names = ("days_since_last_purchase", "frequency", "value_change_90d")
    found = DriverSums(names, {}, {**find_edges(values, names), names[0]: (15, 30, 45, 60)}, ())
    found.add(contributions, values, np.empty((n, 0), dtype=np.bool_))
    told = {row["feature"]: (row["direction"], row["turns_at"]) for row in found.report()["features"]}
    assert told == {
        "days_since_last_purchase": ("higher", 45.0),
        "frequency": ("lower", 3.0),
        "value_change_90d": (None, None),
    }


def test_a_report_survives_being_stored_as_json() -> None:
    found = sums()
    found.add(*customers(50))
    reports = found.reports()
    assert json.loads(json.dumps(reports, allow_nan=False)) == reports


def test_a_segment_of_nobody_has_an_empty_report() -> None:
    found = sums()
    contributions, values, member = customers(20)
    found.add(contributions, values, member & False)
    assert found.report("steady") == {
        "customers": 0,
        "mean_contribution": None,
        "drivers": [],
        "features": [],
        "unused": [],
    }
    assert found.report()["customers"] == 20


def test_edges_are_values_that_occur_and_part_the_rows_evenly() -> None:
    X = np.random.default_rng(0).normal(size=(21_000, 1))
    (edges,) = find_edges(X, ["gap_mean"]).values()
    assert len(edges) == 20
    assert set(edges) <= set(X[:, 0])
    assert list(np.bincount(np.searchsorted(edges, X[:, 0], side="right"))) == [1_000] * 21


def test_a_value_that_most_rows_share_leaves_the_edges_to_the_others() -> None:
    X = np.concatenate([np.zeros(9_000), np.linspace(1.0, 2.0, 1_000)])[:, None]
    (edges,) = find_edges(X, ["value_30d"]).values()
    assert (edges[0], len(edges)) == (1.0, 20)
    assert list(np.bincount(np.searchsorted(edges, X[:, 0], side="right")))[1:] == [50] * 20


def test_few_distinct_values_have_a_bin_each_and_one_value_has_no_edge() -> None:
    X = np.array([[3.0, 5.0, np.nan], [1.0, 5.0, np.nan], [2.0, np.nan, np.nan], [1.0, 5.0, np.nan]])
    found = find_edges(X, ["frequency", "orders", "gap_mean"])
    assert found == {"frequency": (2.0, 3.0), "orders": (), "gap_mean": ()}
    assert find_edges(X, ["frequency", "orders", "gap_mean"], categorical=["frequency"]).keys() == {
        "orders",
        "gap_mean",
    }


def test_edges_of_very_many_rows_are_found_on_some_of_them() -> None:
    (edges,) = find_edges(np.arange(1_000_000.0)[:, None], ["T"]).values()
    assert edges[0] == pytest.approx(1_000_000 / 21, rel=1e-3)


def test_illegal_input_is_refused() -> None:
    found = sums()
    contributions, values, member = customers(5)
    with pytest.raises(InputError, match=r"shapes \(5, 4\), \(5, 4\), \(5, 2\); got \(5, 3\)"):
        found.add(contributions[:, :3], values, member)
    with pytest.raises(InputError, match="20 not finite"):
        found.add(contributions * np.nan, values, member)
    with pytest.raises(InputError, match=r"one of the segments all, at_risk, steady, got 'vip'"):
        found.report("vip")
    with pytest.raises(InputError, match="features of the catalogue, got 'horoscope'"):
        sums(("horoscope",))
    with pytest.raises(InputError, match="differ from each other, got frequency, frequency"):
        sums(("frequency", "frequency"))
    with pytest.raises(InputError, match=r"edges of 'frequency' that ascend, got \[2.0, 1.0\]"):
        DriverSums(("frequency",), {}, {"frequency": (2.0, 1.0)}, ())
    with pytest.raises(InputError, match="same features, categories, edges and segments"):
        found.merge(DriverSums(NAMES, {"attribute.Plan": PLANS}, {**EDGES, "frequency": (1.0, 3.0)}, SEGMENTS))


def test_every_feature_here_is_of_the_driver_that_the_tests_take_it_for() -> None:
    assert [getattr(find_feature(name), "driver", None) for name in NAMES] == [
        "inactivity",
        "frequency",
        "frequency",
        "attributes",
    ]
