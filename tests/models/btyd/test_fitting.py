"""The search: optima inside, on and beyond the bounds, and what the certificate says of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.btyd.fitting import FitCertificate, maximise

Vector = NDArray[np.float64]

WIDE = {"u": (1e-6, 1e6), "w": (1e-6, 1e6)}
START = [{"u": 1.0, "w": 1.0}]


def hill(point: Vector) -> tuple[float, Vector]:
    """A narrow, bent hill (Rosenbrock's) with its top at u = 3, w = 5."""
    x, y = point - np.log([3.0, 5.0])
    return -(x**2) - 30 * (y - x**2) ** 2, np.array([-2 * x + 120 * x * (y - x**2), -60 * (y - x**2)])


def test_an_optimum_within_the_bounds_is_found_to_the_last_digits() -> None:
    optimum = maximise(hill, starts=START, bounds=WIDE)

    assert optimum.params == pytest.approx({"u": 3.0, "w": 5.0}, rel=1e-10)
    assert optimum.certificate == FitCertificate(
        converged=True, gradient_norm=optimum.certificate.gradient_norm, starts=1, at_bound=(), notes=()
    )
    assert optimum.certificate.gradient_norm <= 1e-11


def test_an_optimum_beyond_a_bound_ends_exactly_on_it_and_is_named() -> None:
    optimum = maximise(hill, starts=START, bounds={"u": (1e-6, 2.0), "w": (1e-6, 1e6)})

    assert optimum.params["u"] == 2.0
    assert optimum.params["w"] == pytest.approx(5 * np.exp(np.log(2 / 3) ** 2), rel=1e-10)
    assert optimum.at_upper_bound == {"u"}
    assert optimum.certificate.converged
    assert optimum.certificate.at_bound == ("u",)


def test_a_slope_that_only_levels_off_is_followed_to_the_bound() -> None:
    def shoulder(point: Vector) -> tuple[float, Vector]:
        return -float(np.exp(point[0])), np.array([-np.exp(point[0]), 0.0])

    optimum = maximise(shoulder, starts=START, bounds=WIDE)

    assert optimum.params == {"u": 1e-6, "w": 1.0}
    assert optimum.at_lower_bound == {"u"}


def test_a_flat_likelihood_leaves_the_start_and_is_no_error() -> None:
    optimum = maximise(lambda point: (0.0, np.zeros_like(point)), starts=START, bounds=WIDE)

    assert optimum.params == {"u": 1.0, "w": 1.0}
    assert optimum.certificate.converged


def test_the_best_of_several_tops_is_taken() -> None:
    def two_tops(point: Vector) -> tuple[float, Vector]:
        x = point[0]
        low, high = np.exp(-((x + 3) ** 2)), 2 * np.exp(-((x - 3) ** 2))
        return float(low + high), np.array([-2 * (x + 3) * low - 2 * (x - 3) * high, 0.0])

    starts = [{"u": float(np.exp(-3.2)), "w": 1.0}, {"u": float(np.exp(3.3)), "w": 1.0}]

    assert np.log(maximise(two_tops, starts=starts, bounds=WIDE).params["u"]) == pytest.approx(3, abs=1e-9)


def test_a_search_that_can_not_reach_an_optimum_says_so() -> None:
    def misleading(point: Vector) -> tuple[float, Vector]:
        """Claims to rise where it falls: no step is ever a gain."""
        return -float(np.sum(np.abs(point))), np.ones_like(point)

    certificate = maximise(misleading, starts=START, bounds=WIDE).certificate

    assert not certificate.converged
    assert certificate.gradient_norm == 1.0
    assert certificate.notes[0].startswith("The search ended before it reached an optimum")


def test_a_start_outside_the_bounds_is_moved_onto_them() -> None:
    optimum = maximise(hill, starts=[{"u": 1e9, "w": 1e-9}], bounds=WIDE)

    assert optimum.params == pytest.approx({"u": 3.0, "w": 5.0}, rel=1e-9)


def test_a_certificate_goes_through_a_dictionary_and_back() -> None:
    certificate = FitCertificate(converged=True, gradient_norm=1e-12, starts=3, at_bound=("a",), notes=("A note.",))

    assert FitCertificate.from_dict(certificate.to_dict()) == certificate
