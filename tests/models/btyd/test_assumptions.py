"""Assumptions held against data that was made to keep or break them, and against real logs."""

import re

import numpy as np
import pytest

from models.btyd.assumptions import (
    check_assumptions,
    check_history_begins_with_customers,
    check_no_season,
    check_value_is_independent,
)
from models.exceptions import InputError
from tests.models.btyd.purchase_days import Calibration

RANDOM = np.random.default_rng(3)
FREQUENCY = RANDOM.poisson(2, 3000)
NOISE = np.exp(RANDOM.normal(0, 0.5, 3000))


@pytest.mark.parametrize(
    ("value", "holds", "text"),
    [
        (40 * NOISE, True, r"Value hardly depends on frequency: among 2,\d{3} repeat buyers"),
        (40 * NOISE * (1 + FREQUENCY), False, r"Who buys more often spends more each time: .* forecast too low\."),
        (40 * NOISE / (1 + FREQUENCY), False, r"Who buys more often spends less each time: .* forecast too high\."),
    ],
)
def test_value_against_frequency_is_judged_among_repeat_buyers(value: np.ndarray, holds: bool, text: str) -> None:
    check = check_value_is_independent(FREQUENCY, value)

    assert check.holds is holds
    assert check.n_customers == (FREQUENCY > 0).sum()
    assert re.match(text, check.text)


def test_values_on_cdnow_are_near_enough_to_independent(cdnow_full: Calibration) -> None:
    check = check_value_is_independent(cdnow_full.frequency, cdnow_full.monetary_value)

    assert check.holds
    assert check.figure == pytest.approx(0.198, abs=5e-4)


@pytest.mark.parametrize(
    ("frequency", "value"),
    [([1] * 50, np.linspace(1, 2, 50)), ([2] * 500, np.linspace(1, 2, 500)), ([1, 2] * 90, [5.0] * 180), ([], [])],
)
def test_too_few_or_too_alike_repeat_buyers_leave_value_open(frequency: list[int], value: list[float]) -> None:
    check = check_value_is_independent(frequency, value)

    assert (check.holds, check.figure, check.n_customers) == (None, None, len(frequency))


def test_a_log_that_begins_amid_its_customers_lives_is_known_by_the_rush_of_its_first_days() -> None:
    """Buyers once a month who came over ten years, of whom the log sees the last two."""
    born = RANDOM.uniform(-2920, 730, 5000)
    next_seen = np.where(born < 0, RANDOM.exponential(30, 5000), born)

    check = check_history_begins_with_customers(next_seen[next_seen < 730], log_days=730)

    assert check.holds is False
    assert check.figure is not None
    assert check.figure > 2
    assert check.n_customers == (next_seen < 30).sum()
    assert f"{check.n_customers:,} customers appear in the log's first 30 days" in check.text


@pytest.mark.parametrize("latest", [730, 84])
def test_steady_arrivals_and_a_cohort_begin_with_the_log(latest: int) -> None:
    check = check_history_begins_with_customers(RANDOM.uniform(0, latest, 5000), log_days=730)

    assert check.holds is True


def test_online_retail_begins_amid_its_customers_lives_and_cdnow_does_not(
    online_retail: Calibration, cdnow_full: Calibration
) -> None:
    retail = check_history_begins_with_customers(online_retail.T.max() - online_retail.T, log_days=274)
    cdnow = check_history_begins_with_customers(cdnow_full.T.max() - cdnow_full.T, log_days=273)

    assert retail.holds is False
    assert cdnow.holds is True


@pytest.mark.parametrize(("log_days", "customers"), [(59, 5000), (730, 20)])
def test_a_short_log_or_few_arrivals_leave_its_beginning_open(log_days: int, customers: int) -> None:
    check = check_history_begins_with_customers(RANDOM.uniform(0, 30, customers), log_days=log_days)

    assert (check.holds, check.figure) == (None, None)


CHRISTMAS = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 1.2, 1.6, 2.2])


@pytest.mark.parametrize("growth", [0.0, 0.04])
@pytest.mark.parametrize("months", [24, 29, 36])
def test_a_pattern_that_years_share_is_season_whatever_the_trend(growth: float, months: int) -> None:
    calendar = (np.arange(months) + 2) % 12  # from March
    purchases = 1000 * CHRISTMAS[calendar] * np.exp(growth * np.arange(months))

    check = check_no_season(purchases, first_month=3, n_customers=700)

    assert check.holds is False
    assert check.figure == pytest.approx(2.2 / np.exp(np.log(CHRISTMAS).mean()), rel=0.02)
    assert "December is the strongest month" in check.text
    assert check.n_customers == 700


@pytest.mark.parametrize("growth", [0.0, 0.04])
def test_growth_and_chance_are_no_season(growth: float) -> None:
    purchases = RANDOM.poisson(3000 * np.exp(growth * np.arange(36)))

    assert check_no_season(purchases, first_month=1, n_customers=700).holds is True


def test_under_two_years_season_can_not_be_told_from_trend() -> None:
    check = check_no_season(CHRISTMAS.tolist() + [1.0] * 11, first_month=1, n_customers=700)

    assert (check.holds, check.figure) == (None, None)
    assert "season can't be told from trend" in check.text


def test_a_month_without_purchases_is_said_to_be_why_season_can_not_be_told() -> None:
    check = check_no_season([10] * 35 + [0], first_month=1, n_customers=700)

    assert (check.holds, check.figure) == (None, None)
    assert check.text.startswith("1 of the last 36 whole months saw no purchase: a season")
    # Of thirty months the last two years are looked at.
    assert check_no_season([0] * 6 + [10] * 24, first_month=1, n_customers=700).holds is True


def test_all_assumptions_are_checked_at_once() -> None:
    checks = check_assumptions(
        frequency=FREQUENCY,
        monetary_value=40 * NOISE,
        first_purchase_day=RANDOM.uniform(0, 700, 3000),
        log_days=730,
        monthly_purchases=[500] * 24,
        first_month=1,
    )

    assert {check.name: check.holds for check in checks} == {
        "value_independent_of_frequency": True,
        "history_begins_with_customers": True,
        "no_season": True,
    }


def test_an_illegal_day_is_named() -> None:
    with pytest.raises(InputError, match=r"first_purchase_day: expected finite numbers of 0 or more; 1 of 2"):
        check_history_begins_with_customers([0, -1], log_days=90)
