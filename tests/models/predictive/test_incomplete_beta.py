"""The compiled incomplete beta function against scipy's, and where scipy's has no digits left."""

import math

import numpy as np
import pytest
from scipy.special import betainc, betaln
from scipy.stats import beta

from models.predictive.incomplete_beta import incomplete_beta


def at(u: float, a: float, b: float) -> tuple[float, float]:
    return incomplete_beta(math.log(u) - math.log1p(-u), a, b, float(betaln(a, b)))


@pytest.mark.parametrize("a", [0.3, 1.0, 6.25, 62.5, 400.0])
@pytest.mark.parametrize("b", [0.5, 3.74, 40.0, 600.0])
def test_shares_agree_with_scipy_to_twelve_digits(a: float, b: float) -> None:
    points = np.concatenate([np.linspace(0.001, 0.999, 101), beta.ppf([1e-6, 0.1, 0.5, 0.9, 1 - 1e-6], a, b)])
    points = points[(points > 0) & (points < 1)]

    assert [at(u, a, b)[0] for u in points] == pytest.approx(betainc(a, b, points), rel=1e-11, abs=1e-12)


def test_the_slope_is_the_density_of_the_logarithm() -> None:
    u, a, b = 0.3, 6.25, 3.74

    assert at(u, a, b)[1] == pytest.approx(beta.pdf(u, a, b) * u * (1 - u), rel=1e-13)


def test_the_share_of_a_power_is_known_in_closed_form() -> None:
    # I_u(a, 1) = u^a and I_u(1, b) = 1 - (1 - u)^b.
    assert at(0.2, 2.5, 1.0)[0] == pytest.approx(0.2**2.5, rel=1e-13)
    assert at(0.2, 1.0, 2.5)[0] == pytest.approx(1 - 0.8**2.5, rel=1e-13)


def test_far_out_it_is_0_and_1() -> None:
    log_beta = float(betaln(6.25, 3.74))

    assert incomplete_beta(-690.0, 6.25, 3.74, log_beta) == (0.0, 0.0)
    assert incomplete_beta(690.0, 6.25, 3.74, log_beta)[0] == 1.0


def test_it_never_falls_where_the_distribution_is_as_narrow_as_parameters_may_be() -> None:
    a, b = 1e6, 1e6
    points = np.linspace(-0.02, 0.02, 201)
    shares = [incomplete_beta(point, a, b, float(betaln(a, b)))[0] for point in points]

    assert (np.diff(shares) >= 0).all()
    assert shares[100] == pytest.approx(0.5, abs=1e-9)
