"""The kernel of the BG/NBD expectations against adaptive quadrature and against itself computed another way."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln, hyp2f1

from models.btyd import purchases_while_alive as kernel


def by_quadrature(s: float, a: float, B: float, z: float) -> float:
    """E_p[(1 - (1 + p z)^-s) / p], p ~ Beta(a, B), by scipy's adaptive quadrature in the logit of p."""

    def integrand(y: float) -> float:
        log_p, log_q = -np.logaddexp(0, -y), -np.logaddexp(0, y)
        growth = s * np.log1p(np.exp(log_p) * z)
        f = s * z if growth < 1e-15 else -np.expm1(-growth) / np.exp(log_p)
        return float(np.exp(a * log_p + B * log_q - betaln(a, B)) * f)

    left, right = -60 / min(a, 1) - np.log1p(s * z), 60 / min(B, 1)
    breaks = np.unique(np.concatenate(([left], np.linspace(max(left, -80), min(right, 80), 41), [right])))
    pieces = (quad(integrand, low, high, epsabs=0, epsrel=1e-12, limit=200)[0] for low, high in pairwise(breaks))
    return float(sum(pieces))


@pytest.mark.parametrize("z", [1e-6, 1e-3, 0.3, 3.0, 50.0, 7300.0])
@pytest.mark.parametrize(
    ("s", "a", "B"),
    [
        (0.243, 0.793, 2.426),  # CDNOW, one-time buyer
        (30.2, 0.793, 32.4),
        (0.7768, 0.05, 0.6111),  # a + b < 1, where the closed form is undefined
        (1.5, 1.0, 2.0),  # a = 1, where the closed form is 0 / 0
        (300.0, 0.7, 302.0),
        (2.0, 40.0, 70.0),
        (0.01, 0.1, 0.1),
    ],
)
def test_the_kernel_equals_adaptive_quadrature(s: float, a: float, B: float, z: float) -> None:
    result = kernel.purchases_while_alive(np.array([s]), a, np.array([B]), np.array([[z]]))

    assert result[0, 0] == pytest.approx(by_quadrature(s, a, B, z), rel=1e-10)


positive = st.floats(-6, 4).map(lambda exponent: 10.0**exponent)


@given(s=positive, a=positive, B=positive, z=st.floats(-8, 1).map(lambda exponent: 10.0**exponent))
@example(s=1.4e-5, a=6e-5, B=6.0, z=7.6)
@settings(deadline=None, max_examples=300)
def test_the_sum_and_the_integral_agree_wherever_both_can_be_used(s: float, a: float, B: float, z: float) -> None:
    if s * z + 10 * np.sqrt(s * z * (1 + z)) + 40 * (1 + z) >= kernel.MOST_TERMS:
        return

    by_sum = kernel._sum_over_purchases(s, a, B, z)

    assert kernel._integral_over_drop_out(s, a, B, z) == pytest.approx(by_sum, rel=1e-11)


def test_the_kernel_equals_equation_9_of_fader_hardie_lee_2005_where_that_holds_its_digits() -> None:
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    t = np.array([1.0, 10.0, 39.0, 78.0])
    closed_form = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * hyp2f1(r, b, a + b - 1, t / (alpha + t)))

    result = kernel.purchases_while_alive(np.array([r]), a, np.array([b]), t[np.newaxis] / alpha)

    assert result[0] == pytest.approx(closed_form, rel=1e-12)


def test_without_drop_out_purchases_come_at_the_mean_rate() -> None:
    result = kernel.purchases_while_alive(np.array([2.0]), 1e-12, np.array([5.0]), np.array([[0.0, 0.5, 30.0]]))

    assert result[0] == pytest.approx([0.0, 1.0, 60.0], rel=1e-9)


def test_with_certain_drop_out_one_purchase_comes_at_most() -> None:
    s, z = 2.0, 0.5

    result = kernel.purchases_while_alive(np.array([s]), 1e9, np.array([1e-6]), np.array([[z]]))

    assert result[0, 0] == pytest.approx(1 - (1 + z) ** -s, rel=1e-9)
