"""What a sample tells of its parameters: covariance where it tells something, silence where it does not."""

import numpy as np
import pytest

from models.btyd.information import GREATEST_DEVIATION, Information

ALL = np.array([True, True, True])


def test_the_covariance_is_the_inverse_of_the_information() -> None:
    matrix = np.array([[40.0, 5.0, 1.0], [5.0, 9.0, 0.0], [1.0, 0.0, 2.0]])

    information = Information.of(matrix, ALL)

    assert information.covariance == pytest.approx(np.linalg.inv(matrix), rel=1e-12)
    assert information.log_errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(matrix))), rel=1e-12)
    assert information.condition_number == pytest.approx(np.linalg.cond(matrix), rel=1e-12)
    assert information.identified.all()


def test_parameters_of_which_only_a_combination_is_known_are_both_not_identified() -> None:
    """The second and the third enter through their sum only; the first is known whatever they are."""
    matrix = np.array([[40.0, 2.0, 2.0], [2.0, 9.0, 9.0], [2.0, 9.0, 9.0]])

    information = Information.of(matrix, ALL)

    assert information.identified.tolist() == [True, False, False]
    assert information.covariance[0, 0] == pytest.approx(1 / 40)
    assert not information.covariance[1:].any()
    # Of the difference of the two nothing is known, so that a factor of e either way is believed.
    apart = np.array([0.0, 1.0, -1.0]) / np.sqrt(2)
    assert apart @ information.spread @ apart == pytest.approx(GREATEST_DEVIATION**2)


def test_a_direction_that_bends_upwards_is_not_identified_and_has_no_condition() -> None:
    information = Information.of(np.diag([40.0, -1.0, 9.0]), ALL)

    assert information.identified.tolist() == [True, False, True]
    assert information.condition_number is None


def test_parameters_that_are_not_free_have_no_part_in_it() -> None:
    information = Information.of(np.diag([4.0, 9.0]), np.array([True, False, True]))

    assert information.covariance.tolist() == [[0.25, 0, 0], [0, 0, 0], [0, 0, pytest.approx(1 / 9)]]
    assert information.directions[:, 1].tolist() == [0, 0]


def test_without_any_free_parameter_nothing_is_known() -> None:
    information = Information.of(np.zeros((0, 0)), np.array([False, False]))

    assert information.covariance.tolist() == [[0, 0], [0, 0]]
    assert information.condition_number is None
    assert information.directions.shape == (0, 2)
