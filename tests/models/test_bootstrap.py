"""Intervals of differences by customer: against DeLong, the normal approximation, and plain resampling by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from models.bootstrap import Resampling, auc_difference_interval, log_loss_difference_interval
from models.exceptions import InputError
from models.metrics import auc, auc_difference, log_loss, log_losses

N = 3_000


@pytest.fixture(scope="module")
def told() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes, the probabilities they follow, and blurred ones with ties."""
    rng = np.random.default_rng(4)
    log_odds = rng.normal(-0.5, 1, N)
    y = (rng.random(N) < expit(log_odds)).astype(float)
    return y, expit(log_odds), np.round(expit(log_odds + rng.normal(0, 0.7, N)), 2).clip(0.01, 0.99)


def _resampling(draws: int = 1_000, seed: int = 1) -> Resampling:
    return Resampling.of(np.arange(N), draws=draws, seed=seed)


def test_the_interval_of_the_auc_agrees_with_delong_where_every_row_is_a_customer(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    interval = auc_difference_interval(*told, _resampling())
    by_delong = auc_difference(*told)
    assert interval is not None
    assert by_delong is not None
    difference, error = by_delong
    # The standard error of a quantile at 2.5 % of 1,000 draws is .085 standard deviations.
    np.testing.assert_allclose(interval, [difference - 1.96 * error, difference + 1.96 * error], atol=0.3 * error)


def test_the_interval_of_the_log_loss_agrees_with_the_normal_approximation_of_a_mean(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    y, p, other = told
    excess = log_losses(y, p) - log_losses(y, other)
    error = excess.std(ddof=1) / np.sqrt(N)
    interval = log_loss_difference_interval(y, p, other, _resampling())
    assert interval is not None
    assert interval[1] < 0
    assert excess.mean() == pytest.approx(log_loss(y, p) - log_loss(y, other))
    np.testing.assert_allclose(interval, [excess.mean() - 1.96 * error, excess.mean() + 1.96 * error], atol=0.3 * error)


def test_intervals_equal_those_of_rows_taken_one_by_one_with_ties_repeated_customers_and_folds() -> None:
    rng = np.random.default_rng(8)
    customer = np.array([f"c{number}" for number in rng.integers(0, 40, 120)])
    fold = np.arange(120) % 2
    y = (rng.random(120) < 0.4).astype(float)
    p, other = np.round(rng.uniform(0.05, 0.95, (2, 120)), 1)
    resampling = Resampling.of(customer, draws=60, seed=3, fold=fold)
    _, owner = np.unique(customer, return_inverse=True)
    by_auc, by_loss = [], []
    draws = np.random.default_rng(3)
    n_customers = owner.max() + 1
    for _ in range(60):
        drawn = draws.integers(n_customers, size=n_customers)
        rows = np.concatenate([np.flatnonzero(owner == number) for number in drawn])
        parts = [rows[fold[rows] == number] for number in (0, 1)]
        by_auc.append(np.mean([(auc(y[part], p[part]) or 0) - (auc(y[part], other[part]) or 0) for part in parts]))
        by_loss.append(np.mean([log_loss(y[part], p[part]) - log_loss(y[part], other[part]) for part in parts]))
    for ours, by_hand in (
        (auc_difference_interval(y, p, other, resampling), by_auc),
        (log_loss_difference_interval(y, p, other, resampling), by_loss),
    ):
        assert ours is not None
        np.testing.assert_allclose(ours, np.quantile(by_hand, [0.025, 0.975]), atol=1e-12)


def test_an_interval_of_the_same_customers_twice_is_as_wide_as_of_once(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    y, p, other = (np.tile(column, 2) for column in told)
    by_customer = Resampling.of(np.tile(np.arange(N), 2), draws=200, seed=1)
    by_row = Resampling.of(np.arange(2 * N), draws=200, seed=1)
    once = auc_difference_interval(*told, _resampling(200))
    same, too_narrow = (auc_difference_interval(y, p, other, resampling) for resampling in (by_customer, by_row))
    assert once is not None
    assert same is not None
    assert too_narrow is not None
    np.testing.assert_allclose(same, once, atol=1e-12)
    assert np.diff(too_narrow) < 0.85 * np.diff(once)


def test_the_same_seed_gives_the_same_interval_and_another_nearly(
    told: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    first, again, other = (auc_difference_interval(*told, _resampling(200, seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_a_prediction_does_not_differ_from_itself(told: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    y, p, _ = told
    assert auc_difference_interval(y, p, p, _resampling(20)) == (0.0, 0.0)
    assert log_loss_difference_interval(y, p, p, _resampling(20)) == (0.0, 0.0)


def test_a_single_event_or_none_gives_no_interval_of_the_auc() -> None:
    for events in (0, 1):
        y = np.arange(20) < events
        resampling = Resampling.of(np.arange(20), draws=10, seed=1)
        assert auc_difference_interval(y.astype(float), np.arange(20.0), np.zeros(20), resampling) is None


def test_draws_without_an_event_are_left_out() -> None:
    # Two events of three rows: about one draw in eleven has one class only.
    y, score = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.9, 0.4, 0.6, 0.1])
    interval = auc_difference_interval(y, score, -score, Resampling.of(np.arange(4), draws=200, seed=1))
    assert interval is not None
    assert np.isfinite(interval).all()


def test_draws_and_folds_that_do_not_fit_the_rows_are_refused() -> None:
    with pytest.raises(InputError, match=r"at least one draw from at least one row.*got 0 draws"):
        Resampling.of(np.arange(3), draws=0, seed=1)
    with pytest.raises(InputError, match=r"at least one draw from at least one row"):
        Resampling.of(np.arange(0), draws=5, seed=1)
    with pytest.raises(InputError, match=r"a fold each; .*folds of shape \(2,\)"):
        Resampling.of(np.arange(3), draws=5, seed=1, fold=np.zeros(2, dtype=np.int64))
