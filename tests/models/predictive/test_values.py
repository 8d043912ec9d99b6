"""Predictive value: quadrature of its defining integral, brute force, and what each approximation costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import betainc, polygamma
from scipy.stats import gamma

from models.btyd import BetaGeoModel, GammaGammaModel
from models.clv import ClvTerms
from models.exceptions import InputError
from models.predictive import Interval, Recalibration, clv_interval, value_cdf
from models.predictive.interval_metrics import pit_tenths, randomised_coverage, randomised_pit
from models.predictive.spend import spend_cdf, spend_quantiles
from models.predictive.values import value_levels
from tests.models.predictive.customers import BTYD, SPEND, simulate, uncertain

FREQUENCY = np.array([0.0, 2.0, 26.0, 0.0, 400.0])
RECENCY = np.array([0.0, 213.0, 216.0, 0.0, 499.0])
AGE = np.array([272.0, 272.0, 217.0, 0.0, 500.0])
SPENT = np.array([np.nan, 22.35, 60.0, 0.0, 31.0])
UNDISCOUNTED = ClvTerms(yearly_discount_rate=0.0)
FITTED = uncertain(BTYD, [0.1, 0.15, 0.3, 0.35])
FITTED_SPEND = uncertain(SPEND, [0.1, 0.1, 0.15])


def interval_of(
    btyd: BetaGeoModel = FITTED,
    gamma_gamma: GammaGammaModel = FITTED_SPEND,
    terms: ClvTerms = UNDISCOUNTED,
    level: float = 0.8,
    recalibration: Recalibration | None = None,
) -> Interval:
    return clv_interval(
        btyd,
        gamma_gamma,
        frequency=FREQUENCY,
        recency=RECENCY,
        T=AGE,
        monetary_value=SPENT,
        terms=terms,
        level=level,
        recalibration=recalibration or Recalibration(),
    )


def cdf_of(spent: NDArray[np.float64], gamma_gamma: GammaGammaModel = SPEND, horizon: float = 365.0) -> np.ndarray:
    return value_cdf(
        BTYD,
        gamma_gamma,
        spent,
        horizon_days=horizon,
        frequency=FREQUENCY,
        recency=RECENCY,
        T=AGE,
        monetary_value=SPENT,
    )[1]


@pytest.mark.parametrize("row", [0, 1, 3])
def test_the_distribution_is_the_defining_integral_over_the_customers_level(row: int) -> None:
    p, q, v = SPEND.params_.values()
    x, m = FREQUENCY[row], np.nan_to_num(SPENT[row])
    alive = BTYD.p_alive(x, RECENCY[row], AGE[row])[0]
    counts = alive * BTYD.counts_while_alive(6, 20.0, x, AGE[row])[0]  # 20 days: more than six hardly ever
    counts[0] += 1 - alive

    def given_level(level: float) -> float:
        sums = [gamma.cdf(40.0, p * n, scale=1 / level) for n in range(1, 7)]
        return float(gamma.pdf(level, q + p * x, scale=1 / (v + m * x)) * (counts[0] + counts[1:] @ sums))

    expected = quad(given_level, 0, 5, epsabs=1e-12, limit=500)[0]

    assert cdf_of(np.full(5, 40.0), horizon=20.0)[row] == pytest.approx(expected, abs=1e-8)


def test_interval_ends_are_where_the_distribution_reaches_the_tails() -> None:
    interval = interval_of(BTYD, SPEND)

    assert cdf_of(interval.high) == pytest.approx(np.full(5, 0.9), abs=1e-8)
    bought = interval.low > 0
    assert bought.tolist() == [False, False, True, False, True]
    assert cdf_of(interval.low)[bought] == pytest.approx(np.full(2, 0.1), abs=1e-8)


def test_an_end_is_0_exactly_where_no_purchase_is_at_least_as_probable_as_the_tail() -> None:
    none = cdf_of(np.zeros(5))

    for level in (0.2, 0.5, 0.8, 0.95):
        interval = interval_of(BTYD, SPEND, level=level)
        assert ((interval.low == 0) == (none >= (1 - level) / 2)).all()
        assert ((interval.high == 0) == (none >= (1 + level) / 2)).all()


def test_the_interval_is_that_of_a_brute_force_simulation() -> None:
    rng, n = np.random.default_rng(1), 400_000
    r, alpha, a, b = BTYD.params_.values()
    p, q, v = SPEND.params_.values()
    interval = interval_of(BTYD, SPEND)
    for row in (0, 1, 2):
        x, m = FREQUENCY[row], np.nan_to_num(SPENT[row])
        alive = rng.random(n) < BTYD.p_alive(x, RECENCY[row], AGE[row])[0]
        would_buy = rng.poisson(rng.gamma(r + x, 1 / (alpha + AGE[row]), n) * 365)
        bought = np.where(alive, np.minimum(would_buy, rng.geometric(rng.beta(a, b + x, n))), 0)
        level = rng.gamma(q + p * x, 1 / (v + m * x), n)
        spent = np.where(bought > 0, rng.gamma(np.maximum(p * bought, 1e-9)) / level, 0.0)
        # Four standard errors: 4 sqrt(.9 x .1 / n) = .0019.
        assert (spent <= interval.high[row]).mean() == pytest.approx(0.9, abs=0.0019)
        if interval.low[row] > 0:
            assert (spent <= interval.low[row]).mean() == pytest.approx(0.1, abs=0.0019)


def test_groups_of_counts_cost_less_than_a_ten_thousandth_of_probability() -> None:
    # Somebody of whom 5 to 300 purchases might come, against the sum over every one of them.
    counts = np.arange(301.0)
    weights = np.exp(-(((np.log1p(counts) - 4) / 0.6) ** 2) / 2)
    cdf = np.cumsum(weights / weights.sum())
    cdf[-1] = 1.0
    for shape in (4.0, 60.0, 600.0):
        quantiles = [spend_quantiles(cdf[np.newaxis], 6.25, np.array([shape]), at)[0] for at in (0.1, 0.5, 0.9)]
        for at, found in zip((0.1, 0.5, 0.9), quantiles, strict=True):
            exact = cdf[0] + np.diff(cdf) @ betainc(6.25 * counts[1:], shape, found / (1 + found))
            assert exact == pytest.approx(at, abs=5e-5)


def test_quantiles_of_few_counts_are_exact_to_nine_digits() -> None:
    cdf = np.array([[0.5, 0.8, 0.95, 0.99, 1.0]])
    for shape in (1.5, 4.0, 600.0):
        for at in (0.5001, 0.6, 0.9, 0.999):
            found = spend_quantiles(cdf, 6.25, np.array([shape]), at)[0]
            exact = 0.5 + np.diff(cdf[0]) @ betainc(6.25 * np.arange(1, 5), shape, found / (1 + found))
            assert exact == pytest.approx(at, abs=1e-10)
            assert spend_cdf(cdf, 6.25, np.array([shape]), np.array([found]))[0] == pytest.approx(at, abs=1e-10)


def test_uncertain_values_widen_the_level_and_keep_the_mean_of_its_logarithm() -> None:
    known = value_levels(SPEND, np.array([0.0, 5.0]), np.array([0.0, 30.0]))
    wider = value_levels(FITTED_SPEND, np.array([0.0, 5.0]), np.array([0.0, 30.0]))

    assert known.shape == pytest.approx([3.74, 3.74 + 6.25 * 5])
    assert known.rate == pytest.approx([15.44, 15.44 + 150])
    # By hand at x = 0: slopes 1, -q trigamma(q) and 1 in ln p, ln q and ln v.
    added = 0.1**2 + (3.74 * polygamma(1, 3.74) * 0.1) ** 2 + 0.15**2
    assert polygamma(1, wider.shape[0]) == pytest.approx(polygamma(1, 3.74) + added, rel=0.01)
    assert polygamma(0, wider.shape) - np.log(wider.rate) == pytest.approx(
        polygamma(0, known.shape) - np.log(known.rate), rel=1e-12
    )
    assert (wider.shape < known.shape).all()


def test_terms_scale_the_interval_as_they_do_the_clv() -> None:
    plain = interval_of()
    scaled = interval_of(terms=ClvTerms(yearly_discount_rate=0.0, margin=0.3, calibration_factor=0.9))
    discounted = interval_of(terms=ClvTerms())

    assert scaled.high == pytest.approx(0.27 * plain.high, rel=1e-12)
    assert (discounted.high < plain.high).all()
    assert (discounted.high > plain.high / 1.1).all()


def test_discounting_by_the_mean_ratio_hardly_shows_in_coverage() -> None:
    # Every purchase discounted on its own day, at a rate of 30 % a year: the tails must stay what they claim.
    terms = ClvTerms(yearly_discount_rate=0.3, period_days=10)
    customers = simulate(60_000, horizon=365, seed=5, yearly_discount=0.3)
    interval = clv_interval(
        BTYD,
        SPEND,
        frequency=customers.frequency,
        recency=customers.recency,
        T=customers.T,
        monetary_value=customers.monetary_value,
        terms=terms,
    )
    above = interval.high > 0
    assert (customers.spent_discounted[above] > interval.high[above]).mean() == pytest.approx(0.1, abs=0.012)
    below = interval.low > 0
    assert (customers.spent_discounted[below] < interval.low[below]).mean() == pytest.approx(0.1, abs=0.03)


def test_intervals_hold_for_simulated_customers_as_often_as_they_claim() -> None:
    customers = simulate(40_000, horizon=90, seed=2)
    x, recency, T, m = customers.frequency, customers.recency, customers.T, customers.monetary_value
    btyd, gamma_gamma = BetaGeoModel().fit(x, recency, T), GammaGammaModel().fit(x, m)
    steps = value_cdf(
        btyd, gamma_gamma, customers.spent, horizon_days=90, frequency=x, recency=recency, T=T, monetary_value=m
    )
    pit = randomised_pit(*steps, np.random.default_rng(3).random(40_000))

    assert randomised_coverage(pit) == pytest.approx(0.8, abs=0.008)
    assert pit_tenths(pit) == pytest.approx(np.full(10, 0.1), abs=0.006)


def test_a_customer_alone_gets_the_very_numbers_of_the_batch() -> None:
    customers = simulate(3_000, horizon=90, seed=1)
    x, recency, T, m = customers.frequency, customers.recency, customers.T, customers.monetary_value
    wider = Recalibration(shift=0.05, stretch=1.3)
    batch = clv_interval(FITTED, FITTED_SPEND, frequency=x, recency=recency, T=T, monetary_value=m, recalibration=wider)

    for i in [*range(20), int(x.argmax())]:
        alone = clv_interval(
            FITTED,
            FITTED_SPEND,
            frequency=x[i],
            recency=recency[i],
            T=T[i],
            monetary_value=m[i],
            recalibration=wider,
        )
        assert (alone.low[0], alone.high[0]) == (batch.low[i], batch.high[i])


def test_recalibrated_counts_make_wider_intervals_of_value() -> None:
    plain, wider = interval_of(), interval_of(recalibration=Recalibration(stretch=1.4))

    assert (wider.high > plain.high).all()
    assert wider.low[4] < plain.low[4]


@given(
    x=st.integers(0, 500),
    T=st.floats(0, 3000),
    share=st.floats(0.01, 1),
    spent=st.sampled_from([0.0, 1e-3, 30.0, 1e9]),
    horizon=st.floats(0, 1100),
    deviation=st.sampled_from([0.0, 0.1, 100.0]),
)
@settings(deadline=None, max_examples=40)
def test_any_customer_has_finite_ordered_values(
    x: int, T: float, share: float, spent: float, horizon: float, deviation: float
) -> None:
    age = T + 1 if x else T
    recency = age * share if x else 0.0

    def interval(level: float) -> Interval:
        return clv_interval(
            uncertain(BTYD, [deviation] * 4),
            uncertain(SPEND, [deviation] * 3),
            frequency=x,
            recency=recency,
            T=age,
            monetary_value=spent,
            terms=ClvTerms(horizon_days=horizon),
            level=level,
        )

    narrow, wide = interval(0.5), interval(0.95)
    ends = np.array([wide.low[0], narrow.low[0], narrow.high[0], wide.high[0]])
    assert np.isfinite(ends).all()
    assert (np.diff(ends) >= 0).all()
    assert ends[0] >= 0


def test_amounts_below_0_are_refused() -> None:
    with pytest.raises(InputError, match="spent: expected finite amounts of 0 or more"):
        cdf_of(np.full(5, -1.0))


def test_a_missing_value_of_a_repeat_buyer_is_refused() -> None:
    with pytest.raises(InputError, match="monetary_value: expected finite values"):
        clv_interval(FITTED, SPEND, frequency=1, recency=5, T=9, monetary_value=np.nan)
