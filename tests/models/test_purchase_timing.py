"""Chances of a purchase: equal to the churn model's at its horizon, and the purchase model's curve elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.btyd import BetaGeoModel, BuyTillYouDieModel, ModifiedBetaGeoModel, ParetoModel
from models.exceptions import InputError
from models.purchase_timing import PURCHASE_DAYS, days_until_likely, purchase_chances

BG_NBD = BetaGeoModel.from_params(r=0.243, alpha=30.9, a=0.793, b=2.426)
MODELS: list[BuyTillYouDieModel] = [
    BG_NBD,
    ModifiedBetaGeoModel.from_params(r=0.525, alpha=43.3, a=0.891, b=1.614),
    ParetoModel.from_params(r=0.553, alpha=74.1, s=0.606, beta=81.7),
]
by_model = pytest.mark.parametrize("btyd", MODELS, ids=lambda btyd: btyd.name)

histories = st.builds(
    lambda x, gap, silence: {"frequency": x, "recency": x * gap, "T": x * gap + silence},
    st.sampled_from([0, 1, 3, 40, 400]),
    st.integers(1, 30),
    st.integers(0, 2_000),
)


def some_customers(n: int) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 12, n).astype(np.float64)
    recency = x * rng.integers(1, 40, n)
    churn = rng.beta(1, 1, n)
    churn[::11] = np.nan
    return {
        "frequency": x,
        "recency": recency,
        "T": recency + rng.integers(0, 300, n),
        "churn_probability": churn,
    }


@by_model
@given(history=histories, churn=st.floats(0, 1), horizon=st.sampled_from([30, 45, 60, 90, 180]))
@settings(deadline=None, max_examples=80)
def test_chances_do_not_fall_and_are_1_minus_churn_probability_at_the_horizon(
    btyd: BuyTillYouDieModel, history: dict[str, float], churn: float, horizon: int
) -> None:
    chances = purchase_chances(btyd, **history, churn_probability=churn, horizon_days=horizon)[0]
    assert (chances >= 0).all()
    assert (chances <= 1).all()
    assert (np.diff(chances) >= 0).all()
    days = np.array(PURCHASE_DAYS)
    assert (chances[days <= horizon] <= 1 - churn + 1e-12).all()
    assert (chances[days >= horizon] >= 1 - churn - 1e-12).all()


def test_chances_of_bg_nbd_are_the_formula_written_out_by_hand() -> None:
    customers = some_customers(40)
    x, T, churn = customers["frequency"], customers["T"], customers["churn_probability"]
    r, alpha = BG_NBD.params_["r"], BG_NBD.params_["alpha"]
    p_alive = BG_NBD.p_alive(x, customers["recency"], T)

    def no_purchase(h: float) -> np.ndarray:
        return np.asarray(1 - p_alive * (1 - ((alpha + T) / (alpha + T + h)) ** (r + x)))

    gamma = np.log(churn) / np.log(no_purchase(75))
    by_hand = np.column_stack([1 - no_purchase(h) ** gamma for h in (30, 60, 90, 180)])

    found = purchase_chances(BG_NBD, **customers, horizon_days=75)

    np.testing.assert_allclose(found, by_hand, rtol=1e-6, atol=1e-12)
    assert np.isnan(found).all(axis=1).tolist() == np.isnan(churn).tolist()


@by_model
def test_anchored_at_the_purchase_model_itself_the_chances_are_its_own(btyd: BuyTillYouDieModel) -> None:
    history = {name: column for name, column in some_customers(40).items() if name != "churn_probability"}
    own = btyd.probability_of_no_purchase([90, *PURCHASE_DAYS], **history)
    found = purchase_chances(btyd, **history, churn_probability=own[:, 0], horizon_days=90)
    np.testing.assert_allclose(found, 1 - own[:, 1:], rtol=0, atol=1e-12)


@by_model
def test_the_first_likely_day_is_the_one_found_by_trying_every_day(btyd: BuyTillYouDieModel) -> None:
    customers = some_customers(700)
    history = {name: column for name, column in customers.items() if name != "churn_probability"}
    horizons = np.append(np.arange(1.0, 366.0), 90.0)
    hazard = -np.log(btyd.probability_of_no_purchase(horizons, **history))
    chance = 1 - customers["churn_probability"][:, np.newaxis] ** (hazard[:, :-1] / hazard[:, -1:])
    by_hand = np.where((chance >= 0.5).any(axis=1), np.argmax(chance >= 0.5, axis=1) + 1.0, np.nan)

    found = days_until_likely(btyd, **customers, horizon_days=90)

    np.testing.assert_array_equal(found, by_hand)


@given(history=histories, churn=st.floats(0, 1), chance=st.floats(0.05, 0.95))
@settings(deadline=None, max_examples=80)
def test_the_first_likely_day_agrees_with_the_chances(history: dict[str, float], churn: float, chance: float) -> None:
    judged: dict[str, Any] = {**history, "churn_probability": churn, "horizon_days": 90}
    day = days_until_likely(BG_NBD, **judged, chance=chance)[0]
    for known, of_day in zip(PURCHASE_DAYS, purchase_chances(BG_NBD, **judged)[0], strict=True):
        if known >= day:
            assert of_day >= chance - 1e-9
        else:
            assert of_day < chance + 1e-9


@by_model
def test_a_customer_alone_gets_the_very_numbers_of_the_batch(btyd: BuyTillYouDieModel) -> None:
    customers = some_customers(2_000)
    chances = purchase_chances(btyd, **customers, horizon_days=90)
    days = days_until_likely(btyd, **customers, horizon_days=90)
    for row in range(0, 2_000, 90):
        one = {name: column[row] for name, column in customers.items()}
        np.testing.assert_array_equal(purchase_chances(btyd, **one, horizon_days=90)[0], chances[row])
        np.testing.assert_array_equal(days_until_likely(btyd, **one, horizon_days=90), days[row : row + 1])


def test_where_the_chance_at_the_horizon_is_just_a_half_that_is_the_day() -> None:
    for horizon in (1, 30, 45, 90, 365):
        days = days_until_likely(
            BG_NBD, frequency=3, recency=90, T=120, churn_probability=0.5, horizon_days=horizon, within_days=365
        )
        assert days[0] == horizon


def test_certain_churn_is_no_chance_ever_and_certain_purchase_comes_at_once() -> None:
    both: dict[str, Any] = {"frequency": [3, 3], "recency": [90, 90], "T": [120, 120], "churn_probability": [1.0, 0.0]}
    assert purchase_chances(BG_NBD, **both, horizon_days=90).tolist() == [[0.0] * 4, [1.0] * 4]
    np.testing.assert_array_equal(days_until_likely(BG_NBD, **both, horizon_days=90), [np.nan, 1.0])


def test_a_customer_whom_the_purchase_model_has_given_up_has_a_constant_hazard() -> None:
    gone: dict[str, Any] = {"frequency": 400, "recency": 400, "T": 2_400, "churn_probability": 0.9, "horizon_days": 90}
    assert BG_NBD.p_alive(400, 400, 2_400)[0] < 1e-100
    expected = [1 - 0.9 ** (day / 90) for day in PURCHASE_DAYS]
    assert purchase_chances(BG_NBD, **gone)[0] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(days_until_likely(BG_NBD, **gone)[0])
    assert days_until_likely(BG_NBD, **gone, within_days=1_000)[0] == np.ceil(90 * np.log(0.5) / np.log(0.9))


def test_a_customer_who_is_sure_to_buy_has_a_constant_hazard_too() -> None:
    tireless = BetaGeoModel.from_params(r=1.0, alpha=1.0, a=1e-306, b=1e6)
    daily: dict[str, Any] = {
        "frequency": 5_000,
        "recency": 5_000,
        "T": 5_000,
        "churn_probability": 0.25,
        "horizon_days": 3_000,
    }
    assert tireless.probability_of_no_purchase([3_000], 5_000, 5_000, 5_000)[0, 0] < 1e-300
    expected = [1 - 0.25 ** (day / 3_000) for day in PURCHASE_DAYS]
    assert purchase_chances(tireless, **daily)[0] == pytest.approx(expected, rel=1e-12)
    assert days_until_likely(tireless, **daily, within_days=2_000)[0] == 1_500


def test_unlikely_within_the_days_looked_at_is_missing() -> None:
    customer: dict[str, Any] = {"frequency": 1, "recency": 30, "T": 60, "churn_probability": 0.6, "horizon_days": 90}
    day = int(days_until_likely(BG_NBD, **customer)[0])
    assert 90 < day < 365
    assert days_until_likely(BG_NBD, **customer, within_days=day)[0] == day
    assert np.isnan(days_until_likely(BG_NBD, **customer, within_days=day - 1)[0])


def test_nobody_judged_is_nobody_told() -> None:
    nobody: dict[str, Any] = {"frequency": [], "recency": [], "T": [], "churn_probability": [], "horizon_days": 90}
    assert purchase_chances(BG_NBD, **nobody).shape == (0, 4)
    assert days_until_likely(BG_NBD, **nobody).shape == (0,)
    unjudged = {**nobody, "frequency": [3], "recency": [90], "T": [120], "churn_probability": [np.nan]}
    assert np.isnan(purchase_chances(BG_NBD, **unjudged)).all()
    assert np.isnan(days_until_likely(BG_NBD, **unjudged)).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"churn_probability": 1.5}, "churn_probability: expected probabilities from 0 to 1"),
        ({"horizon_days": 0}, "horizon_days: expected a finite number above 0, got 0"),
        ({"chance": 1.0}, "chance: expected a level above 0 and below 1, got 1.0"),
        ({"within_days": 0}, "within_days: expected at least 1 day, got 0"),
        ({"recency": 200}, "recency: expected values no greater than T"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changed: dict[str, Any], message: str) -> None:
    customer: dict[str, Any] = {"frequency": 3, "recency": 90, "T": 120, "churn_probability": 0.4, "horizon_days": 90}
    with pytest.raises(InputError, match=message):
        days_until_likely(BG_NBD, **(customer | changed))
