"""Metrics of predicted amounts against scikit-learn and scipy, and where the data doesn't define them."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from models.amount_metrics import holdout_errors, poisson_deviance, spearman, total_error
from models.exceptions import InputError


def test_spearman_equals_that_of_scipy_with_ties() -> None:
    rng = np.random.default_rng(2)
    a = rng.poisson(1.0, 500).astype(float)
    b = a + rng.poisson(2.0, 500).astype(float)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_holdout_errors_of_a_case_worked_by_hand() -> None:
    errors = holdout_errors(np.array([0.0, 2.0, 4.0]), np.array([1.0, 2.0, 1.0]))
    assert errors["mae"] == pytest.approx(4 / 3, abs=1e-12)
    assert errors["rmse"] == pytest.approx(np.sqrt(10 / 3), abs=1e-12)
    assert errors["bias"] == pytest.approx(-2 / 3, abs=1e-12)
    assert errors["spearman"] == pytest.approx(0.0, abs=1e-12)


def test_rank_correlation_with_a_constant_is_not_defined() -> None:
    assert holdout_errors(np.array([1.0, 2.0]), np.array([3.0, 3.0]))["spearman"] is None
    assert spearman(np.array([1.0]), np.array([1.0])) is None


def test_poisson_deviance_equals_that_of_sklearn_and_predictions_of_nothing_count_as_a_thousandth() -> None:
    rng = np.random.default_rng(2)
    predicted = rng.gamma(1.0, 2.0, 500) + 0.001
    actual = rng.poisson(predicted).astype(float)
    expected = sklearn_metrics.mean_poisson_deviance(actual, predicted)
    assert poisson_deviance(actual, predicted) == pytest.approx(expected, rel=1e-12)
    assert poisson_deviance(actual, actual) == pytest.approx(0.002 * np.mean(actual == 0), rel=1e-9)
    # 2 [3 log(3 / .001) - (3 - .001)] by hand.
    assert poisson_deviance(np.array([3.0]), np.array([0.0])) == pytest.approx(42.0402054, abs=1e-7)
    with pytest.raises(InputError, match="counts of 0 or more, got -1"):
        poisson_deviance(np.array([-1.0]), np.array([1.0]))


def test_the_error_of_a_total_has_a_sign_and_is_not_defined_where_nothing_came() -> None:
    assert total_error(np.array([1.0, 3.0]), np.array([2.0, 1.0])) == pytest.approx(-0.25)
    assert total_error(np.array([1.0, 3.0]), np.array([5.0, 0.0])) == pytest.approx(0.25)
    assert total_error(np.zeros(2), np.ones(2)) is None


def test_what_is_illegal_is_refused_with_what_was_expected() -> None:
    with pytest.raises(InputError, match="same length"):
        holdout_errors(np.zeros(3), np.zeros(2))
    with pytest.raises(InputError, match="finite amounts"):
        spearman(np.array([np.inf]), np.array([1.0]))
