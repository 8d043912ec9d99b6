"""The median of how many purchases come, against the definition and a simulation of it."""

import numpy as np
import pytest

from models.btyd import PURCHASE_MODELS, BetaGeoModel, BuyTillYouDieModel
from models.median_purchases import median_of_poisson, median_purchases

# Fader, Hardie & Lee 2005, in days.
CDNOW = BetaGeoModel.from_params(r=0.243, alpha=7 * 4.414, a=0.793, b=2.426)
BUSY = BetaGeoModel.from_params(r=1.4, alpha=9.6, a=0.02, b=11.6)


def histories(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    T = rng.integers(0, 400, n).astype(float)
    frequency = np.minimum(rng.geometric(0.05, n) - 1.0, T)
    recency = np.where(frequency > 0, np.maximum(np.floor(T * rng.random(n) ** 0.2), frequency), 0.0)
    return frequency, np.minimum(recency, T), T


@pytest.mark.parametrize("model", [CDNOW, BUSY], ids=["cdnow", "busy"])
@pytest.mark.parametrize("horizon", [0.0, 7.0, 90.0, 365.0])
def test_it_is_the_least_number_that_half_the_probability_does_not_exceed(
    model: BuyTillYouDieModel, horizon: float
) -> None:
    frequency, recency, T = histories(200)
    median = median_purchases(model, horizon, frequency, recency, T)
    counts = np.arange(int(2 * model.expected_purchases(horizon, frequency, recency, T).max()) + 3)
    probabilities = model.probability_of_n_purchases(counts, horizon, frequency, recency, T)
    at_most = np.cumsum(probabilities, axis=1)
    by_definition = np.argmax(at_most >= 0.5, axis=1)
    np.testing.assert_array_equal(median, by_definition)


def test_no_customers_have_no_medians_and_one_alone_has_that_of_the_batch() -> None:
    frequency, recency, T = histories(40)
    batch = median_purchases(BUSY, 90.0, frequency, recency, T)
    alone = [median_purchases(BUSY, 90.0, frequency[[i]], recency[[i]], T[[i]])[0] for i in range(40)]
    np.testing.assert_array_equal(alone, batch)
    assert median_purchases(BUSY, 90.0, [], [], []).shape == (0,)


def test_every_purchase_model_has_medians() -> None:
    frequency, recency, T = histories(300)
    for kind in PURCHASE_MODELS.values():
        median = median_purchases(kind().fit(frequency, recency, T), 90.0, frequency, recency, T)
        assert (median == np.floor(median)).all()
        assert median.max() > 0


def test_medians_of_poisson_are_those_of_a_large_sample() -> None:
    means = np.array([0.0, 0.3, 1.0, 4.2, 33.3])
    drawn = np.median(np.random.default_rng(0).poisson(means, (100_001, 5)), axis=0)
    np.testing.assert_array_equal(median_of_poisson(means), drawn)
