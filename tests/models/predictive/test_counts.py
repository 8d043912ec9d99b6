"""Predictive counts: written out by hand, simulated by brute force, and where they might break."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr, ndtri
from scipy.stats import beta, gamma, poisson

from models.btyd import BetaGeoModel
from models.exceptions import InputError, NotFittedError
from models.predictive import Recalibration, purchase_cdf, purchase_interval
from models.predictive.interval_metrics import pit_tenths, randomised_coverage, randomised_pit
from models.predictive.sigma_points import sigma_points
from tests.models.predictive.customers import BTYD, simulate, uncertain

FREQUENCY = np.array([0.0, 2.0, 26.0, 0.0, 400.0, 2.0])
RECENCY = np.array([0.0, 213.0, 216.0, 0.0, 480.0, 100.0])
AGE = np.array([272.0, 272.0, 217.0, 0.0, 500.0, 272.0])
FITTED = uncertain(BTYD, [0.1, 0.15, 0.3, 0.35])


def cdf(btyd: BetaGeoModel, counts: float, horizon: float, recalibration: Recalibration | None = None) -> np.ndarray:
    return purchase_cdf(
        btyd,
        np.full(len(FREQUENCY), counts),
        horizon_days=horizon,
        frequency=FREQUENCY,
        recency=RECENCY,
        T=AGE,
        recalibration=recalibration or Recalibration(),
    )[1]


def by_hand(btyd: BetaGeoModel, counts: int, horizon: float) -> np.ndarray:
    models = sigma_points(btyd)
    result = np.zeros(len(FREQUENCY))
    for model in models:
        alive = model.p_alive(FREQUENCY, RECENCY, AGE)
        result += 1 - alive + alive * model.counts_while_alive(counts, horizon, FREQUENCY, AGE).sum(axis=1)
    return result / len(models)


@pytest.mark.parametrize("counts", [0, 1, 7, 40, 300])
@pytest.mark.parametrize("btyd", [BTYD, FITTED])
def test_the_distribution_mixes_alive_lost_and_parameters_as_by_hand(btyd: BetaGeoModel, counts: int) -> None:
    assert cdf(btyd, counts, 365.0) == pytest.approx(by_hand(btyd, counts, 365.0), abs=2e-9)


def test_the_chance_of_no_purchase_is_the_defining_integral_over_rate_and_drop_out() -> None:
    # x = 2, t_x = 213, T = 272: likelihood of the history, and of that with no purchase in the 90 days after it.
    r, alpha, a, b = BTYD.params_.values()

    def over_rates(until: float) -> float:
        # lambda = y^4 takes the singularity at 0 away.
        def integrand(y: float) -> float:
            return float(4 * y**3 * gamma.pdf(y**4, r, scale=1 / alpha) * y**8 * np.exp(-(y**4) * until))

        return quad(integrand, 0, 1.5, epsabs=0, epsrel=1e-11)[0]

    survives = quad(lambda p: beta.pdf(p, a, b) * (1 - p) ** 2, 0, 1, epsrel=1e-11)[0]
    drops_out = quad(lambda p: beta.pdf(p, a, b) * (1 - p) * p, 0, 1, epsrel=1e-11)[0]
    lost = drops_out * over_rates(213)
    expected = (survives * over_rates(272 + 90) + lost) / (survives * over_rates(272) + lost)

    assert cdf(BTYD, 0, 90.0)[1] == pytest.approx(expected, rel=1e-8)


def test_the_distribution_is_that_of_a_brute_force_simulation_with_uncertain_parameters() -> None:
    rng, n = np.random.default_rng(1), 400_000
    models = sigma_points(FITTED)
    for row in (0, 1, 2):
        model = rng.integers(0, len(models), n)
        r, alpha, a, b = np.array([list(m.params_.values()) for m in models])[model].T
        alive = (
            rng.random(n)
            < np.array([float(m.p_alive(FREQUENCY[row], RECENCY[row], AGE[row])[0]) for m in models])[model]
        )
        would_buy = rng.poisson(rng.gamma(r + FREQUENCY[row], 1 / (alpha + AGE[row])) * 90)
        last = rng.geometric(np.maximum(rng.beta(a, b + FREQUENCY[row]), 1e-300))
        bought = np.where(alive, np.minimum(would_buy, last), 0)
        for count in (0, 1, 3, 8):
            predicted = cdf(FITTED, count, 90.0)[row]
            error = np.sqrt(predicted * (1 - predicted) / n)
            assert (bought <= count).mean() == pytest.approx(predicted, abs=4 * error + 1e-6)


def test_interval_ends_are_the_least_counts_that_reach_the_tails() -> None:
    interval = purchase_interval(FITTED, horizon_days=90, frequency=FREQUENCY, recency=RECENCY, T=AGE)
    table = np.array([by_hand(FITTED, count, 90.0) for count in range(200)])

    assert interval.low.tolist() == np.argmax(table >= 0.1, axis=0).tolist()
    assert interval.high.tolist() == np.argmax(table >= 0.9, axis=0).tolist()


def test_a_recalibrated_distribution_is_mapped_and_its_interval_wider() -> None:
    wider = Recalibration(shift=0.1, stretch=1.5)

    assert cdf(FITTED, 2, 90.0, wider) == pytest.approx(ndtr((ndtri(by_hand(FITTED, 2, 90.0)) - 0.1) / 1.5), abs=1e-7)
    plain = purchase_interval(FITTED, horizon_days=90, frequency=FREQUENCY, recency=RECENCY, T=AGE)
    mapped = purchase_interval(
        FITTED, horizon_days=90, frequency=FREQUENCY, recency=RECENCY, T=AGE, recalibration=wider
    )
    assert (mapped.high >= plain.high).all()
    assert mapped.high[2] > plain.high[2]
    assert mapped.low[2] < plain.low[2]


def test_a_customer_alone_gets_the_very_numbers_of_the_batch() -> None:
    customers = simulate(3_000, horizon=90, seed=1)
    x, recency, T = customers.frequency, customers.recency, customers.T
    batch = purchase_interval(FITTED, horizon_days=365, frequency=x, recency=recency, T=T)
    below, at_most = purchase_cdf(FITTED, customers.bought, horizon_days=90, frequency=x, recency=recency, T=T)

    for i in [*range(20), int(x.argmax())]:
        alone = purchase_interval(FITTED, horizon_days=365, frequency=x[i], recency=recency[i], T=T[i])
        assert (alone.low[0], alone.high[0]) == (batch.low[i], batch.high[i])
        steps = purchase_cdf(
            FITTED, customers.bought[i : i + 1], horizon_days=90, frequency=x[i], recency=recency[i], T=T[i]
        )
        assert (steps[0][0], steps[1][0]) == (below[i], at_most[i])


def test_intervals_hold_for_simulated_customers_as_often_as_they_claim() -> None:
    customers = simulate(40_000, horizon=90, seed=2)
    btyd = BetaGeoModel().fit(customers.frequency, customers.recency, customers.T)
    pit = randomised_pit(
        *purchase_cdf(
            btyd,
            customers.bought,
            horizon_days=90,
            frequency=customers.frequency,
            recency=customers.recency,
            T=customers.T,
        ),
        np.random.default_rng(3).random(40_000),
    )

    # Four standard errors at n = 40,000.
    assert randomised_coverage(pit) == pytest.approx(0.8, abs=0.008)
    assert pit_tenths(pit) == pytest.approx(np.full(10, 0.1), abs=0.006)


def test_few_customers_have_wider_intervals_than_many() -> None:
    customers = simulate(40_000, horizon=90, seed=2)
    many = BetaGeoModel().fit(customers.frequency, customers.recency, customers.T)
    few = uncertain(many, [0.5, 0.5, 0.8, 0.8])

    def mean_width(btyd: BetaGeoModel) -> float:
        interval = purchase_interval(
            btyd, horizon_days=365, frequency=[0, 1, 2, 3], recency=[0, 9, 20, 30], T=[30, 30, 30, 30]
        )
        return float(np.mean(interval.high - interval.low))

    assert mean_width(few) > 1.05 * mean_width(many)


@given(
    x=st.integers(0, 500),
    T=st.floats(0, 3000),
    share=st.floats(0.01, 1),
    horizon=st.floats(0, 1100),
    deviation=st.sampled_from([0.0, 0.1, 100.0]),
)
@settings(deadline=None, max_examples=40)
def test_any_customer_has_finite_ordered_counts(
    x: int, T: float, share: float, horizon: float, deviation: float
) -> None:
    age = T + 1 if x else T
    recency = age * share if x else 0.0
    btyd = uncertain(BTYD, [deviation] * 4)
    interval = purchase_interval(btyd, horizon_days=horizon, frequency=x, recency=recency, T=age)

    assert np.isfinite(interval.high).all()
    assert 0 <= interval.low[0] <= interval.high[0]


def test_somebody_surely_lost_buys_nothing() -> None:
    # 400 purchases in 480 days, none in the next 1,000.
    interval = purchase_interval(FITTED, horizon_days=365, frequency=400, recency=480, T=1480)

    assert (interval.low[0], interval.high[0]) == (0, 0)


def test_within_no_time_nothing_is_bought() -> None:
    interval = purchase_interval(FITTED, horizon_days=0, frequency=FREQUENCY, recency=RECENCY, T=AGE)

    assert interval.high.tolist() == [0] * 6


def test_without_drop_out_a_frequent_buyer_is_negative_binomial() -> None:
    # a = 1e-9: next to no drop-out; r = 1e6 purchases known in 1e6 days: next to a Poisson process of one a day.
    btyd = BetaGeoModel.from_params(r=1e6, alpha=1e6, a=1e-9, b=1.0)
    interval = purchase_interval(btyd, horizon_days=1000, frequency=10, recency=9, T=10)

    assert interval.low[0] == pytest.approx(poisson.ppf(0.1, 1000), abs=1)
    assert interval.high[0] == pytest.approx(poisson.ppf(0.9, 1000), abs=1)


def test_nobody_has_no_interval() -> None:
    assert purchase_interval(FITTED, horizon_days=90, frequency=[], recency=[], T=[]).low.shape == (0,)


def test_an_unfitted_model_is_refused() -> None:
    with pytest.raises(NotFittedError, match="expected a fitted BetaGeoModel"):
        purchase_interval(BetaGeoModel(), horizon_days=90, frequency=0, recency=0, T=1)


@pytest.mark.parametrize(("horizon", "message"), [(-1.0, "horizon: expected finite times"), (np.nan, "horizon")])
def test_horizons_that_are_no_times_are_refused(horizon: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        purchase_interval(FITTED, horizon_days=horizon, frequency=0, recency=0, T=1)


def test_histories_that_are_not_legal_are_refused() -> None:
    with pytest.raises(InputError, match="recency: expected values no greater than T"):
        purchase_interval(FITTED, horizon_days=90, frequency=1, recency=5, T=1)
