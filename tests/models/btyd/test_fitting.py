"""The search: optima inside, on and beyond the bounds, and what the certificate says of them."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from models.btyd.fitting import FitCertificate, Sample, maximise

Vector = NDArray[np.float64]

WIDE = {"u": (1e-6, 1e6), "w": (1e-6, 1e6)}
START = [{"u": 1.0, "w": 1.0}]


def hill(point: Vector) -> tuple[float, Vector]:
    """A narrow, bent hill (Rosenbrock's) with its top at u = 3, w = 5."""
    x, y = point - np.log([3.0, 5.0])
    return -(x**2) - 30 * (y - x**2) ** 2, np.array([-2 * x + 120 * x * (y - x**2), -60 * (y - x**2)])


def test_an_optimum_within_the_bounds_is_found_to_the_last_digits() -> None:
    optimum = maximise(hill, starts=START, bounds=WIDE, n_customers=100)

    assert optimum.params == pytest.approx({"u": 3.0, "w": 5.0}, rel=1e-10)
    certificate = optimum.certificate
    assert certificate.converged
    assert certificate.gradient_norm <= 1e-11
    assert certificate.starts == 1
    assert certificate.n_sample is None
    assert certificate.at_bound == certificate.not_identified == certificate.notes == ()


def test_errors_and_condition_are_those_of_the_hessian_at_the_top_and_neighbours_are_lower() -> None:
    """The second derivatives of the hill at its top are -2 and -60, times 100 customers; u is in units of 7."""
    certificate = maximise(hill, starts=START, bounds=WIDE, n_customers=100, units={"u": 7.0}).certificate

    assert certificate.standard_errors == {
        "u": pytest.approx(3 * 7 / np.sqrt(200), rel=1e-6),
        "w": pytest.approx(5 / np.sqrt(6000), rel=1e-6),
    }
    assert np.array(certificate.covariance) == pytest.approx(np.diag([1 / 200, 1 / 6000]), rel=1e-6, abs=1e-9)
    assert certificate.condition_number == pytest.approx(30, rel=1e-6)
    # Half a standard error off a parabola's top is an eighth lower.
    assert certificate.neighbour_gain == pytest.approx(-1 / 8, rel=0.1)


def test_an_optimum_beyond_a_bound_ends_exactly_on_it_and_is_named() -> None:
    optimum = maximise(hill, starts=START, bounds={"u": (1e-6, 2.0), "w": (1e-6, 1e6)}, n_customers=100)

    assert optimum.params["u"] == 2.0
    assert optimum.params["w"] == pytest.approx(5 * np.exp(np.log(2 / 3) ** 2), rel=1e-10)
    assert optimum.at_upper_bound == {"u"}
    assert optimum.certificate.converged
    assert optimum.certificate.at_bound == ("u",)
    assert optimum.certificate.standard_errors["u"] is None
    assert optimum.certificate.covariance[0] == (0.0, 0.0)


def test_a_slope_that_only_levels_off_is_followed_to_the_bound() -> None:
    def shoulder(point: Vector) -> tuple[float, Vector]:
        return -float(np.exp(point[0])), np.array([-np.exp(point[0]), 0.0])

    optimum = maximise(shoulder, starts=START, bounds=WIDE, n_customers=100)

    assert optimum.params == {"u": 1e-6, "w": 1.0}
    assert optimum.at_lower_bound == {"u"}


def test_a_flat_likelihood_leaves_the_start_and_is_no_error() -> None:
    optimum = maximise(lambda point: (0.0, np.zeros_like(point)), starts=START, bounds=WIDE, n_customers=100)

    assert optimum.params == {"u": 1.0, "w": 1.0}
    assert optimum.certificate.converged
    assert optimum.certificate.not_identified == ("u", "w")
    assert optimum.certificate.standard_errors == {"u": None, "w": None}
    assert optimum.certificate.condition_number is None


def test_the_best_of_several_tops_is_taken() -> None:
    def two_tops(point: Vector) -> tuple[float, Vector]:
        x = point[0]
        low, high = np.exp(-((x + 3) ** 2)), 2 * np.exp(-((x - 3) ** 2))
        return float(low + high), np.array([-2 * (x + 3) * low - 2 * (x - 3) * high, 0.0])

    starts = [{"u": float(np.exp(-3.2)), "w": 1.0}, {"u": float(np.exp(3.3)), "w": 1.0}]

    assert np.log(maximise(two_tops, starts=starts, bounds=WIDE, n_customers=100).params["u"]) == pytest.approx(
        3, abs=1e-9
    )


def test_a_search_that_can_not_reach_an_optimum_says_so() -> None:
    def misleading(point: Vector) -> tuple[float, Vector]:
        """Claims to rise where it falls: no step is ever a gain."""
        return -float(np.sum(np.abs(point))), np.ones_like(point)

    certificate = maximise(misleading, starts=START, bounds=WIDE, n_customers=100).certificate

    assert not certificate.converged
    assert certificate.gradient_norm == 1.0
    assert certificate.notes[0].startswith("The search ended before it reached an optimum")


def test_a_start_outside_the_bounds_is_moved_onto_them() -> None:
    optimum = maximise(hill, starts=[{"u": 1e9, "w": 1e-9}], bounds=WIDE, n_customers=100)

    assert optimum.params == pytest.approx({"u": 3.0, "w": 5.0}, rel=1e-9)


def test_a_certificate_goes_through_a_dictionary_and_back() -> None:
    certificate = FitCertificate(
        converged=True,
        gradient_norm=1e-12,
        starts=3,
        at_bound=("a",),
        notes=("A note.",),
        standard_errors={"r": 1 / 3, "a": None},
        covariance=((1 / 7, 0.0), (0.0, 0.0)),
        condition_number=None,
        not_identified=("b",),
        neighbour_gain=-0.125,
        n_sample=20_000,
    )

    again = FitCertificate.from_dict(json.loads(json.dumps(certificate.to_dict(), allow_nan=False)))

    assert again == certificate


def test_starts_are_tried_on_the_sample_and_the_top_is_that_of_all() -> None:
    seen = []

    def all_customers(point: Vector) -> tuple[float, Vector]:
        seen.append(point)
        return hill(point)

    sample = Sample(lambda point: hill(point - 0.01), 20)
    optimum = maximise(all_customers, starts=START * 3, bounds=WIDE, n_customers=100, sample=sample)

    assert optimum.params == pytest.approx({"u": 3.0, "w": 5.0}, rel=1e-10)
    assert optimum.certificate.n_sample == 20
    assert optimum.certificate.starts == 3
    assert len(seen) < 60
    assert all(np.abs(point - np.log([3.0, 5.0])).max() < 1.1 for point in seen)


def test_a_sample_that_ends_on_a_bound_is_not_believed() -> None:
    sample = Sample(lambda point: (float(point[0]), np.array([1.0, 0.0])), 20)

    optimum = maximise(hill, starts=START, bounds=WIDE, n_customers=100, sample=sample)

    assert optimum.params == pytest.approx({"u": 3.0, "w": 5.0}, rel=1e-10)
    assert optimum.certificate.at_bound == ()


def test_a_neighbour_that_is_higher_is_climbed() -> None:
    """A start on a ridge between two tops, where the slope is 0: the search itself does not leave it."""

    def saddle(point: Vector) -> tuple[float, Vector]:
        x, y = point
        return x**2 / 2 - x**4 / 4 - y**2, np.array([x - x**3, -2 * y])

    optimum = maximise(saddle, starts=START, bounds=WIDE, n_customers=100)

    assert abs(np.log(optimum.params["u"])) == pytest.approx(1, rel=1e-9)
    assert optimum.certificate.converged
    assert optimum.certificate.neighbour_gain < 0
