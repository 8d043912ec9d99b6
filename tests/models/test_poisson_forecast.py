"""Boosted trees on top of a purchase model: what they learn, what they leave alone, and what they refuse to read."""

import dataclasses

import numpy as np
import pytest

from models.amount_metrics import poisson_deviance
from models.exceptions import FitError, InputError, NotFittedError
from models.poisson_forecast import SMALL_TREES, PoissonForecast
from models.propensity import PropensityModel

NAMES = ("silence", "visits", "channel")


def shop(n: int, seed: int, season: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, purchase days and what was expected: those who visit often buy twice of it, channel 2 half."""
    rng = np.random.default_rng(seed)
    visits, channel = rng.poisson(2.0, n).astype(float), rng.integers(0, 4, n).astype(float)
    X = np.column_stack([rng.uniform(0, 300, n), visits, channel])
    X[rng.random(n) < 0.1, 0] = np.nan
    expected = rng.gamma(1.0, 3.0, n) + 0.1
    true_mean = season * expected * np.where(visits > 2, 2.0, 1.0) * np.where(channel == 2, 0.5, 1.0)
    return X, rng.poisson(true_mean).astype(float), expected


def fitted(n: int = 4_000, seed: int = 3, season: float = 1.0) -> PoissonForecast:
    X, y, expected = shop(n, seed, season)
    return PoissonForecast(seed=7, num_threads=1).fit(X, y, expected, feature_names=NAMES, categorical=("channel",))


def test_factors_that_depend_on_features_are_found_again_in_other_customers() -> None:
    X, y, expected = shop(4_000, seed=11)
    predicted = fitted().predict(X, expected)
    factor = predicted / expected
    visits, channel = X[:, 1], X[:, 2]
    often = factor[(visits > 2) & (channel != 2)].mean() / factor[(visits <= 2) & (channel != 2)].mean()
    # Small trees with a penalty stay on the near side of what holds.
    assert 1.8 < often < 2.05
    rarely = factor[(visits <= 2) & (channel == 2)].mean() / factor[(visits <= 2) & (channel != 2)].mean()
    assert 0.48 < rarely < 0.6
    assert poisson_deviance(y, predicted) < 0.85 * poisson_deviance(y, expected)


def test_the_level_of_the_period_learnt_from_is_left_to_the_purchase_model() -> None:
    X, _, expected = shop(2_000, seed=11)
    quiet, busy = fitted(season=0.5).predict(X, expected), fitted(season=3.0).predict(X, expected)
    assert busy.sum() == pytest.approx(quiet.sum(), rel=0.03)
    assert quiet.sum() == pytest.approx(expected.sum(), rel=0.05)


def test_a_customer_of_whom_more_is_expected_than_of_any_before_is_foretold_more() -> None:
    X, _, _ = shop(1, seed=1)
    model = fitted()
    assert model.predict(X, np.array([1_000.0])) == pytest.approx(100.0 * model.predict(X, np.array([10.0])), rel=1e-12)


def test_a_customer_given_up_by_the_purchase_model_is_foretold_a_little() -> None:
    X, _, _ = shop(1, seed=1)
    model = fitted()
    lost = model.predict(X, np.array([0.0]))
    assert lost == model.predict(X, np.array([0.05]))
    assert 0.0 < lost[0] < 0.2


def test_the_text_gives_the_same_predictions_settings_and_text_again() -> None:
    model, (X, _, expected) = fitted(), shop(500, seed=5)
    again = PoissonForecast.from_text(model.to_text())
    np.testing.assert_array_equal(again.predict(X, expected), model.predict(X, expected))
    assert again.to_text() == model.to_text()
    assert (again.params, again.seed) == (dataclasses.replace(SMALL_TREES), 7)
    assert (again.feature_names_, again.categorical_) == (NAMES, ("channel",))


def test_the_same_rows_and_seed_give_the_same_text() -> None:
    assert fitted().to_text() == fitted().to_text()


def test_one_customer_alone_gets_the_number_of_the_batch() -> None:
    model, (X, _, expected) = fitted(), shop(50, seed=5)
    alone = [model.predict(X[[i]], expected[[i]])[0] for i in range(50)]
    np.testing.assert_array_equal(alone, model.predict(X, expected))
    assert model.predict(np.empty((0, 3)), np.empty(0)).shape == (0,)


def test_too_few_rows_to_split_leave_everything_to_the_purchase_model() -> None:
    X, _, expected = shop(60, seed=5)
    model = PoissonForecast(seed=0, num_threads=1).fit(X, np.ones(60), expected, feature_names=NAMES)
    np.testing.assert_allclose(model.predict(X, expected), expected, rtol=1e-12)
    again = PoissonForecast.from_text(model.to_text())
    np.testing.assert_array_equal(again.predict(X, expected), model.predict(X, expected))


def test_what_is_not_legal_is_refused_with_what_was_expected() -> None:
    X, y, expected = shop(300, seed=5)
    model = PoissonForecast(seed=0, num_threads=1)
    with pytest.raises(NotFittedError, match="call fit, or from_text"):
        model.predict(X, expected)
    with pytest.raises(NotFittedError, match="call fit, or from_text"):
        model.to_text()
    with pytest.raises(FitError, match=r"none of 300 customers purchased .* longer horizon"):
        model.fit(X, np.zeros(300), expected, feature_names=NAMES)
    with pytest.raises(InputError, match="at least one row"):
        model.fit(X[:0], y[:0], expected[:0], feature_names=NAMES)
    with pytest.raises(InputError, match=r"y of shape \(300,\), one number a row, got \(299,\)"):
        model.fit(X, y[1:], expected, feature_names=NAMES)
    with pytest.raises(InputError, match=r"expected of 0 or more, got -1.0 in row 0"):
        model.fit(X, y, -np.ones(300), feature_names=NAMES)
    with pytest.raises(InputError, match="seed must be a whole number"):
        PoissonForecast(seed=-1, num_threads=1).fit(X, y, expected, feature_names=NAMES)


def test_text_of_another_kind_or_broken_off_is_refused() -> None:
    text = fitted(600).to_text()
    with pytest.raises(InputError, match="break off"):
        PoissonForecast.from_text(text[: text.index("end of parameters")])
    with pytest.raises(InputError, match="tree 1 is not where"):
        PoissonForecast.from_text(text.replace("Tree=1\n", "Tree=1 \n"))
    with pytest.raises(InputError, match="with a binary objective"):
        PropensityModel.from_text(text)
    with pytest.raises(InputError, match="with a poisson objective"):
        PoissonForecast.from_text(text.replace("objective=poisson", "objective=binary"))


def test_the_level_stays_that_of_the_purchase_model_where_it_has_given_most_customers_up() -> None:
    rng = np.random.default_rng(0)
    n = 6_000
    expected = np.where(rng.random(n) < 0.75, rng.uniform(0, 0.02, n), rng.gamma(1.0, 1.0, n))
    X = np.column_stack([rng.normal(size=n), expected])
    y = rng.poisson(expected * np.exp(0.3 * X[:, 0] - 0.045))
    forecast = PoissonForecast(seed=0, num_threads=1).fit(X, y, expected, feature_names=("pace", "expected"))
    assert np.maximum(expected, 0.05).sum() > 1.1 * expected.sum()
    assert forecast.predict(X, expected).sum() == pytest.approx(expected.sum(), rel=0.02)
    read = PoissonForecast.from_text(forecast.to_text())
    np.testing.assert_array_equal(read.predict(X, expected), forecast.predict(X, expected))
