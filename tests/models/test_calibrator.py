"""The calibrator: order kept to the tails, known distortions undone, defined for the smallest data."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from models.calibrator import Calibrator
from models.exceptions import InputError, NotFittedError
from models.metrics import log_loss


@st.composite
def fitted_calibrators(draw: st.DrawFn) -> Calibrator:
    """Fit on anything: few or many rows, one class, no relation, inverse or perfectly separable outcomes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    margin = rng.normal(
        draw(st.floats(-8, 8)), draw(st.sampled_from([0.0, 1e-3, 1.0, 10.0])), draw(st.integers(1, 400))
    )
    steepness = draw(st.sampled_from([-100.0, -1.0, 0.0, 0.3, 1.0, 5.0, 1000.0]))
    y = (rng.random(margin.size) < expit(steepness * (margin - draw(st.floats(-5, 5))))).astype(float)
    return Calibrator().fit(margin, y)


@settings(max_examples=60, deadline=None)
@given(fitted_calibrators(), st.lists(st.integers(-30_000, 30_000), min_size=2, max_size=200, unique=True))
def test_a_higher_margin_always_gets_a_higher_probability(calibrator: Calibrator, thousandths: list[int]) -> None:
    p = calibrator.predict(np.sort(np.array(thousandths) / 1000.0))
    assert (np.diff(p) > 0).all()
    assert p[0] > 0
    assert p[-1] < 1


def test_order_holds_on_a_fine_grid_and_probability_never_reaches_0_or_1() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 3, 5000)
    calibrator = Calibrator().fit(margin, (rng.random(5000) < expit(4 * margin)).astype(float))
    grid = np.linspace(-30, 30, 60_001)
    assert (np.diff(calibrator.predict(grid)) > 0).all()
    extreme = calibrator.predict(np.array([-1e300, 1e300]))
    assert extreme[0] > 0
    assert extreme[1] < 1


@pytest.mark.parametrize(
    ("name", "distort"),
    [
        ("overconfident", lambda g: 2.5 * g),
        ("shifted", lambda g: g - 1.5),
        ("bent", lambda g: np.where(g > 0, g / 3, 2 * g) + 0.4),
    ],
)
def test_a_known_distortion_of_true_log_odds_is_undone(name: str, distort: object) -> None:
    rng = np.random.default_rng(11)
    true_log_odds = rng.normal(-0.5, 1.2, 40_000)
    y = (rng.random(true_log_odds.size) < expit(true_log_odds)).astype(float)
    margin = distort(true_log_odds)  # type: ignore[operator]
    p = Calibrator().fit(margin, y).predict(margin)
    assert np.abs(p - expit(true_log_odds)).mean() < 0.008, name
    assert np.abs(p - expit(true_log_odds)).max() < 0.06, name


def test_log_loss_on_fresh_rows_is_below_platts_line_and_isotonic_regression_of_sklearn_where_both_fit_badly() -> None:
    rng = np.random.default_rng(3)
    true_log_odds = rng.normal(0.0, 1.5, 22_000)
    y = (rng.random(true_log_odds.size) < expit(true_log_odds)).astype(float)
    margin = np.where(true_log_odds > 0, true_log_odds / 4, 2 * true_log_odds)
    fit, fresh = slice(0, 2000), slice(2000, None)
    ours = Calibrator().fit(margin[fit], y[fit]).predict(margin[fresh])
    platt = LogisticRegression(C=1e6).fit(margin[fit, None], y[fit]).predict_proba(margin[fresh, None])[:, 1]
    isotonic = IsotonicRegression(y_min=1e-3, y_max=1 - 1e-3, out_of_bounds="clip").fit(margin[fit], y[fit])
    assert log_loss(y[fresh], ours) < log_loss(y[fresh], platt) - 0.005
    assert log_loss(y[fresh], ours) < log_loss(y[fresh], isotonic.predict(margin[fresh])) - 0.0005


def test_with_fewer_than_twenty_rows_of_the_rarer_class_it_is_one_line() -> None:
    rng = np.random.default_rng(1)
    margin = rng.normal(size=500)
    y = np.zeros(500)
    y[:19] = 1.0
    assert Calibrator().fit(margin, y).slopes_.shape == (1,)
    y[:27] = 1.0
    assert Calibrator().fit(margin, y).slopes_.shape == (3,)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 5, 1000])
def test_one_class_only_gives_the_smoothed_rate_on_average(n: int, outcome: float) -> None:
    margin = np.random.default_rng(n).normal(1.0, 2.0, n)
    p = Calibrator().fit(margin, np.full(n, outcome)).predict(margin)
    smoothed = (n + 1) / (n + 2)
    assert p.mean() == pytest.approx(smoothed if outcome else 1 - smoothed, abs=1e-5)


def test_mean_probability_equals_the_rate_as_maximum_likelihood_asks() -> None:
    rng = np.random.default_rng(8)
    margin = rng.normal(1.0, 1.0, 4000)
    y = (rng.random(4000) < expit(0.4 * margin - 2)).astype(float)
    assert Calibrator().fit(margin, y).predict(margin).mean() == pytest.approx(y.mean(), abs=1e-4)


def test_margins_that_all_agree_give_the_rate() -> None:
    y = np.array([1.0] * 30 + [0.0] * 70)
    p = Calibrator().fit(np.full(100, -2.0), y).predict(np.array([-2.0]))
    assert p[0] == pytest.approx(0.3, abs=0.01)


def test_a_single_row_gets_the_probability_it_gets_in_a_crowd() -> None:
    rng = np.random.default_rng(4)
    margin = rng.normal(size=3000)
    calibrator = Calibrator().fit(margin, (rng.random(3000) < expit(margin)).astype(float))
    crowd = calibrator.predict(margin)
    alone = [calibrator.predict(margin[i : i + 1])[0] for i in range(300)]
    np.testing.assert_array_equal(crowd[:300], alone)


def test_json_gives_the_same_calibrator_to_the_last_bit() -> None:
    rng = np.random.default_rng(6)
    margin = rng.normal(size=2000)
    calibrator = Calibrator().fit(margin, (rng.random(2000) < expit(margin / 3)).astype(float))
    restored = Calibrator.from_dict(json.loads(json.dumps(calibrator.to_dict())))
    assert restored.to_dict() == calibrator.to_dict()
    np.testing.assert_array_equal(restored.predict(margin), calibrator.predict(margin))


def test_log_odds_beyond_ten_are_bent_and_below_are_not() -> None:
    calibrator = Calibrator.from_dict({"knots": [], "slopes": [1.0], "centre": 0.0, "intercept": 0.0})
    p = calibrator.predict(np.array([9.9, 11.0, -11.0]))
    np.testing.assert_allclose(logit(p), [9.9, 10 + np.log(2), -10 - np.log(2)], atol=1e-9)


def test_what_is_illegal_is_refused_with_what_was_expected() -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        Calibrator().predict(np.zeros(1))
    with pytest.raises(NotFittedError, match="call fit"):
        Calibrator().to_dict()
    with pytest.raises(InputError, match="at least one row"):
        Calibrator().fit(np.array([]), np.array([]))
    with pytest.raises(InputError, match="1 not finite"):
        Calibrator().fit(np.array([0.0, np.nan]), np.array([0.0, 1.0]))
    with pytest.raises(InputError, match="expected knots, slopes"):
        Calibrator.from_dict({"knots": []})
    for state in (
        {"knots": [], "slopes": [-1.0], "centre": 0.0, "intercept": 0.0},
        {"knots": [1.0, 0.0], "slopes": [1.0, 1.0, 1.0], "centre": 0.0, "intercept": 0.0},
        {"knots": [], "slopes": [1.0, 1.0], "centre": 0.0, "intercept": 0.0},
    ):
        with pytest.raises(InputError, match="ascending knots and one more slope"):
            Calibrator.from_dict(state)
