"""Running sums of rising factorials against scipy's gamma functions and finite differences."""

import numpy as np
import pytest
from scipy.special import betaln, gammaln

from models.btyd.rising import log_rising, log_rising_slope, log_survival, log_survival_slopes

HIGHEST = 5000
X = np.arange(HIGHEST + 1)


@pytest.mark.parametrize("r", [1e-6, 0.243, 1.0, 50.0])
def test_log_rising_equals_the_difference_of_scipys_gammaln(r: float) -> None:
    assert log_rising(r, HIGHEST) == pytest.approx(gammaln(r + X) - gammaln(r), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(("a", "b"), [(0.793, 2.426), (1e-6, 1.0), (30.0, 1e-6)])
def test_log_survival_equals_the_difference_of_scipys_betaln(a: float, b: float) -> None:
    assert log_survival(a, b, HIGHEST) == pytest.approx(betaln(a, b + X) - betaln(a, b), rel=1e-9, abs=1e-9)


def test_log_survival_keeps_the_digits_that_gamma_functions_lose() -> None:
    # With b = 1e12 each chance is survived with probability 1 - a / b, to first order.
    assert log_survival(1.0, 1e12, 10)[10] == pytest.approx(-10e-12, rel=1e-10)


def test_slopes_equal_central_differences() -> None:
    a, b, step = 0.793, 2.426, 1e-5
    slope_a, slope_b = log_survival_slopes(a, b, 100)

    assert log_rising_slope(b, 100) == pytest.approx(
        (log_rising(b + step, 100) - log_rising(b - step, 100)) / (2 * step), abs=1e-7
    )
    assert slope_a == pytest.approx(
        (log_survival(a + step, b, 100) - log_survival(a - step, b, 100)) / (2 * step), abs=1e-7
    )
    assert slope_b == pytest.approx(
        (log_survival(a, b + step, 100) - log_survival(a, b - step, 100)) / (2 * step), abs=1e-7
    )


def test_without_purchases_there_is_nothing_to_survive() -> None:
    assert log_survival(0.8, 2.4, 0).tolist() == [0]
