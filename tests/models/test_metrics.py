"""Metrics of a binary target against scikit-learn, and where the data doesn't define them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from models.exceptions import InputError
from models.metrics import (
    auc,
    average_precision,
    binary_report,
    brier,
    calibration_curve,
    calibration_error,
    lift_at,
    log_loss,
)


@pytest.fixture(params=["distinct", "heavily tied"])
def pairs(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    p = rng.beta(2, 5, 997)
    if request.param == "heavily tied":
        p = np.round(p, 1)
    return (rng.random(p.size) < p).astype(float), p


def test_ranking_and_probability_metrics_equal_those_of_sklearn(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pairs
    assert auc(y, p) == pytest.approx(sklearn_metrics.roc_auc_score(y, p), abs=1e-12)
    assert average_precision(y, p) == pytest.approx(sklearn_metrics.average_precision_score(y, p), abs=1e-12)
    assert log_loss(y, p) == pytest.approx(sklearn_metrics.log_loss(y, p), abs=1e-12)
    assert brier(y, p) == pytest.approx(sklearn_metrics.brier_score_loss(y, p), abs=1e-12)


def test_log_loss_of_an_impossible_event_is_finite_and_equals_that_of_sklearn() -> None:
    y, p = np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.5])
    assert log_loss(y, p) == pytest.approx(sklearn_metrics.log_loss(y, p), abs=1e-9)


def test_calibration_curve_equals_that_of_sklearn_with_quantile_bins() -> None:
    rng = np.random.default_rng(7)
    p = rng.random(1000)
    y = (rng.random(1000) < p**2).astype(float)
    observed, predicted = sklearn_metrics_curve(y, p)
    curve = calibration_curve(y, p, bins=10)
    np.testing.assert_allclose(curve.observed, observed, atol=1e-12)
    np.testing.assert_allclose(curve.predicted, predicted, atol=1e-12)
    assert calibration_error(y, p) == pytest.approx(float(np.abs(observed - predicted).mean()), abs=1e-12)


def sklearn_metrics_curve(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.calibration import calibration_curve as sklearn_curve

    observed, predicted = sklearn_curve(y, p, n_bins=10, strategy="quantile")
    return np.asarray(observed), np.asarray(predicted)


def test_calibration_error_of_a_constant_probability_is_its_distance_from_the_rate() -> None:
    y = np.array([1.0, 0.0, 0.0, 0.0] * 25)
    assert calibration_error(y, np.full(100, 0.4)) == pytest.approx(0.15, abs=1e-12)


def test_bins_differ_by_at_most_one_row_and_are_no_more_than_the_rows() -> None:
    p = np.linspace(0.1, 0.9, 23)
    y = (p > 0.5).astype(float)
    assert calibration_curve(y, p).count.tolist() == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
    assert calibration_curve(y[:3], p[:3]).count.tolist() == [1, 1, 1]


def test_lift_of_the_top_tenth_counts_events_against_the_rate() -> None:
    score = np.arange(100.0)
    y = np.zeros(100)
    y[[99, 98, 95, 10, 20, 30, 40, 50]] = 1.0
    assert lift_at(y, score) == pytest.approx((3 / 10) / (8 / 100), abs=1e-12)
    assert lift_at(y, score, share=1.0) == pytest.approx(1.0, abs=1e-12)
    assert lift_at(np.array([0.0, 1.0, 0.0]), np.array([1.0, 2.0, 0.0])) == pytest.approx(3.0, abs=1e-12)


def test_lift_takes_the_rows_asked_for_and_not_one_more_by_rounding() -> None:
    score = np.arange(30.0)
    y = (score >= 27).astype(float)
    assert lift_at(y, score, share=0.1) == pytest.approx(10.0, abs=1e-12)


def test_a_constant_score_tells_nothing() -> None:
    y = np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    constant = np.full(5, 0.3)
    assert auc(y, constant) == 0.5
    assert average_precision(y, constant) == pytest.approx(0.4, abs=1e-12)
    assert lift_at(y, constant) == pytest.approx(1.0, abs=1e-12)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.1, 0.2, 0.5, 0.9])), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_no_figure_depends_on_the_order_of_the_rows(rows: list[tuple[float, float]], shuffler: object) -> None:
    shuffled = list(rows)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    before, after = (
        binary_report(np.array([y for y, _ in each]), np.array([p for _, p in each])) for each in (rows, shuffled)
    )
    for name, value in before.items():
        assert dict(after)[name] == (None if value is None else pytest.approx(value, abs=1e-12)), name


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_with_one_class_what_is_not_defined_is_none_and_the_rest_is_finite(outcome: float) -> None:
    report = binary_report(np.full(20, outcome), np.linspace(0.1, 0.9, 20))
    assert report["auc"] is None
    assert (report["average_precision"] is None) == (outcome == 0.0)
    assert (report["lift_at_10"] is None) == (outcome == 0.0)
    assert report["rate"] == outcome
    for name in ("log_loss", "brier", "calibration_error"):
        value = dict(report)[name]
        assert isinstance(value, float), name
        assert np.isfinite(value), name


def test_a_report_of_no_rows_says_so_with_none() -> None:
    report = binary_report(np.array([]), np.array([]))
    assert report["n"] == 0
    assert {value for name, value in report.items() if name != "n"} == {None}


def test_a_report_has_the_keys_of_the_evaluation() -> None:
    assert list(binary_report(np.array([0.0, 1.0]), np.array([0.2, 0.7]))) == [
        "n",
        "rate",
        "auc",
        "average_precision",
        "log_loss",
        "brier",
        "calibration_error",
        "lift_at_10",
    ]


def test_what_is_illegal_is_refused_with_what_was_expected() -> None:
    y, p = np.array([0.0, 1.0]), np.array([0.2, 0.7])
    with pytest.raises(InputError, match="at least one row"):
        auc(np.array([]), np.array([]))
    with pytest.raises(InputError, match="probabilities between 0 and 1, got -3 to 2"):
        brier(y, np.array([-3.0, 2.0]))
    with pytest.raises(InputError, match="1 not finite"):
        auc(y, np.array([np.nan, 1.0]))
    with pytest.raises(InputError, match=r"outcomes of 0 and 1, got 0\.5 in row 1"):
        log_loss(np.array([0.0, 0.5]), p)
    with pytest.raises(InputError, match="one outcome a row"):
        auc(np.zeros(3), p)
    with pytest.raises(InputError, match="at least 1 bin"):
        calibration_error(y, p, bins=0)
    with pytest.raises(InputError, match="a share above 0"):
        lift_at(y, p, share=0.0)
