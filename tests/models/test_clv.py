"""CLV: the sum written out by hand, the limits it must keep, and the terms that are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.btyd import BetaGeoModel, GammaGammaModel
from models.clv import ClvTerms, discounted_clv
from models.exceptions import InputError

BTYD = BetaGeoModel.from_params(r=0.243, alpha=30.9, a=0.793, b=2.426)
SPEND = GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44)

FREQUENCY = np.array([0.0, 2.0, 26.0, 0.0])
RECENCY = np.array([0.0, 213.0, 216.0, 0.0])
AGE = np.array([272.0, 272.0, 217.0, 0.0])
SPENT = np.array([np.nan, 22.35, 60.0, 0.0])


def clv(terms: ClvTerms) -> np.ndarray:
    return discounted_clv(BTYD, SPEND, frequency=FREQUENCY, recency=RECENCY, T=AGE, monetary_value=SPENT, terms=terms)


def test_clv_is_the_sum_over_periods_written_out_by_hand() -> None:
    terms = ClvTerms(horizon_days=70, yearly_discount_rate=0.15, margin=0.3, period_days=30, calibration_factor=0.9)
    value = SPEND.expected_average_value(FREQUENCY, SPENT)
    total = np.zeros(4)
    for start, end in [(0, 30), (30, 60), (60, 70)]:
        by_end = BTYD.expected_purchases(end, FREQUENCY, RECENCY, AGE)
        by_start = BTYD.expected_purchases(start, FREQUENCY, RECENCY, AGE)
        total += (by_end - by_start) * value * 0.3 * 0.9 / 1.15 ** ((start + end) / 2 / 365.25)

    assert clv(terms) == pytest.approx(total, rel=1e-12)


def test_without_discount_and_at_full_margin_clv_is_purchases_times_value() -> None:
    undiscounted = BTYD.expected_purchases(365, FREQUENCY, RECENCY, AGE) * SPEND.expected_average_value(
        FREQUENCY, SPENT
    )

    assert clv(ClvTerms(yearly_discount_rate=0)) == pytest.approx(undiscounted, rel=1e-12)


def test_shorter_periods_change_clv_by_less_than_a_thousandth() -> None:
    assert clv(ClvTerms(period_days=1)) == pytest.approx(clv(ClvTerms(period_days=30)), rel=1e-3)


def test_a_customer_alone_gets_the_very_number_of_the_batch() -> None:
    batch = clv(ClvTerms())

    for i in range(len(FREQUENCY)):
        alone = discounted_clv(
            BTYD, SPEND, frequency=FREQUENCY[i], recency=RECENCY[i], T=AGE[i], monetary_value=SPENT[i], terms=ClvTerms()
        )
        assert alone[0] == batch[i]


def test_a_horizon_of_zero_is_worth_nothing() -> None:
    assert clv(ClvTerms(horizon_days=0)).tolist() == [0, 0, 0, 0]


def test_a_horizon_of_whole_periods_has_no_empty_last_one() -> None:
    assert ClvTerms(horizon_days=90, period_days=30).period_ends().tolist() == [30, 60, 90]


def test_a_period_longer_than_the_horizon_is_cut_to_it() -> None:
    assert ClvTerms(horizon_days=20, period_days=30).period_ends().tolist() == [20]


@given(
    rate=st.floats(0, 5),
    horizon=st.floats(0, 7305),
    period=st.floats(5, 400),
    x=st.integers(0, 5000),
    T=st.floats(1, 7305),
    spent=st.floats(0, 1e6),
)
@settings(deadline=None, max_examples=60)
def test_clv_is_finite_and_between_nothing_and_the_undiscounted_value(
    rate: float, horizon: float, period: float, x: int, T: float, spent: float
) -> None:
    recency = T / 2 if x else 0.0
    terms = ClvTerms(horizon_days=horizon, yearly_discount_rate=rate, period_days=period)

    result = discounted_clv(BTYD, SPEND, frequency=x, recency=recency, T=T, monetary_value=spent, terms=terms)[0]

    undiscounted = BTYD.expected_purchases(horizon, x, recency, T)[0] * SPEND.expected_average_value(x, spent)[0]
    assert 0 <= result <= undiscounted * (1 + 1e-9)


@pytest.mark.parametrize(
    ("term", "value", "message"),
    [
        ("horizon_days", -1.0, "horizon_days: expected a finite number from 0 to 7305, got -1.0"),
        ("horizon_days", 10_000.0, "horizon_days: expected a finite number from 0 to 7305, got 10000.0"),
        ("yearly_discount_rate", -0.1, "yearly_discount_rate: expected a finite number from 0 upwards, got -0.1"),
        ("yearly_discount_rate", float("nan"), "yearly_discount_rate: expected a finite number"),
        ("margin", float("inf"), "margin: expected a finite number"),
        ("period_days", 0.0, "period_days: expected a finite number from 1 upwards, got 0.0"),
        ("calibration_factor", -1.0, "calibration_factor: expected a finite number"),
    ],
)
def test_terms_outside_their_range_are_refused_by_name(term: str, value: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClvTerms(**{term: value})


def test_terms_go_through_a_dictionary_and_back() -> None:
    terms = ClvTerms(horizon_days=180, margin=0.35)

    assert ClvTerms.from_dict(terms.to_dict()) == terms


def test_unknown_or_missing_terms_are_refused() -> None:
    with pytest.raises(InputError, match="expected the CLV terms"):
        ClvTerms.from_dict({"horizon_days": 365})
    with pytest.raises(InputError, match="expected the CLV terms"):
        ClvTerms.from_dict(ClvTerms().to_dict() | {"currency": 1})
