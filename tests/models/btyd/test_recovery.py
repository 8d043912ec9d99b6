"""Known parameters of 100,000 simulated customers come back within three of the certificate's standard errors."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.btyd import (
    BetaGeoModel,
    BuyTillYouDieModel,
    FitCertificate,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    ParetoModel,
)

CUSTOMERS = 100_000

Column = NDArray[np.float64]


def observed_until(random: np.random.Generator) -> Column:
    """Customers who came over 200 days in weekly cohorts, up to 100 days ago."""
    return np.floor(random.uniform(100, 301, CUSTOMERS) / 7) * 7


def lost_at_a_purchase(
    first: int, *, r: float, alpha: float, a: float, b: float, seed: int
) -> tuple[Column, Column, Column]:
    """Buy, and perhaps be lost after each purchase; with ``first`` 1 after the one that begins, too."""
    random = np.random.default_rng(seed)
    T = observed_until(random)
    rate, drop_out = random.gamma(r, 1 / alpha, CUSTOMERS), random.beta(a, b, CUSTOMERS)
    x, recency, clock = np.zeros(CUSTOMERS), np.zeros(CUSTOMERS), np.zeros(CUSTOMERS)
    buying = np.flatnonzero(random.random(CUSTOMERS) >= drop_out * first)
    while buying.size:
        clock[buying] += random.exponential(1 / rate[buying])
        buying = buying[clock[buying] <= T[buying]]
        x[buying] += 1
        recency[buying] = clock[buying]
        buying = buying[random.random(buying.size) > drop_out[buying]]
    return x, recency, T


def dead_at_any_time(*, r: float, alpha: float, s: float, beta: float, seed: int) -> tuple[Column, Column, Column]:
    random = np.random.default_rng(seed)
    T = observed_until(random)
    rate, death = random.gamma(r, 1 / alpha, CUSTOMERS), random.gamma(s, 1 / beta, CUSTOMERS)
    end = np.minimum(random.exponential(1 / death), T)
    x = random.poisson(rate * end).astype(np.float64)
    # The last of x purchases at random in a time is at its largest of x uniform shares.
    recency = np.where(x > 0, end * random.random(CUSTOMERS) ** (1 / np.maximum(x, 1)), 0.0)
    return x, recency, T


def assert_recovered(params: dict[str, float], certificate: FitCertificate, truth: dict[str, float]) -> None:
    assert certificate.converged
    assert certificate.n_sample == 20_000
    for name, value in truth.items():
        error = certificate.standard_errors[name]
        assert error is not None
        assert abs(params[name] - value) < 3 * error
        assert error < 0.1 * value


BETA_GEOMETRIC = {"r": 0.6, "alpha": 30.0, "a": 0.7, "b": 2.5}


@pytest.mark.parametrize(("model", "first"), [(BetaGeoModel(), 0), (ModifiedBetaGeoModel(), 1)], ids=["bg", "mbg"])
def test_drop_out_at_purchases_is_recovered(model: BuyTillYouDieModel, first: int) -> None:
    model.fit(*lost_at_a_purchase(first, **BETA_GEOMETRIC, seed=2005))

    assert_recovered(model.params_, model.certificate_, BETA_GEOMETRIC)


def test_death_at_any_time_is_recovered() -> None:
    truth = {"r": 0.6, "alpha": 30.0, "s": 0.8, "beta": 90.0}

    model = ParetoModel().fit(*dead_at_any_time(**truth, seed=1987))

    assert_recovered(model.params_, model.certificate_, truth)


def test_spend_is_recovered() -> None:
    truth = {"p": 5.0, "q": 4.0, "v": 40.0}
    random = np.random.default_rng(2013)
    x = random.geometric(0.4, CUSTOMERS).astype(float)
    nu = random.gamma(truth["q"], 1 / truth["v"], CUSTOMERS)

    model = GammaGammaModel().fit(x, random.gamma(truth["p"] * x, 1 / (nu * x)))

    assert_recovered(model.params_, model.certificate_, truth)


def test_the_starts_tried_on_a_sample_end_where_those_tried_on_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    history = lost_at_a_purchase(0, **BETA_GEOMETRIC, seed=7)
    sampled = BetaGeoModel().fit(*history)
    monkeypatch.setattr("models.btyd.base.CUSTOMERS_FOR_STARTS", CUSTOMERS)

    on_all = BetaGeoModel().fit(*history)

    assert on_all.certificate_.n_sample is None
    assert sampled.params_ == pytest.approx(on_all.params_, rel=1e-9)
