"""Which way a feature works, by its bins."""

from __future__ import annotations

import numpy as np
import pytest

from models.driver_direction import find_direction, find_turn
from models.driver_report import Direction


def bins(*means: float) -> tuple[np.ndarray, np.ndarray]:
    return np.full(len(means), 10), np.array(means)


@pytest.mark.parametrize(
    ("means", "covariance", "expected"),
    [
        ((-1.0, 0.0, 1.0), 1.0, "higher"),
        ((1.0, 0.0, -1.0), -1.0, "lower"),
        # A step, beside noise.
        ((0.5, 0.51, 0.49, -0.5, -0.51), -1.0, "lower"),
        # There and back again.
        ((-1.0, 1.0, -1.0), 0.1, None),
        # The bins rise, but outliers make the covariance fall.
        ((-1.0, 0.0, 1.0), -1.0, None),
        ((0.3,), 1.0, None),
        ((0.0, 0.0), 0.0, None),
        ((), 0.0, None),
    ],
)
def test_a_direction_is_clear_in_the_bins_and_agrees_with_the_covariance(
    means: tuple[float, ...], covariance: float, expected: Direction | None
) -> None:
    assert find_direction(*bins(*means), covariance) == expected


def test_bins_of_few_customers_have_little_say() -> None:
    in_bin = np.array([1_000, 1_000, 1_000, 3])
    assert find_direction(in_bin, np.array([-1.0, 0.0, 1.0, -5.0]), 1.0) == "higher"


def test_the_turn_is_the_lower_end_of_the_first_bin_on_the_other_side() -> None:
    edges = np.array([10.0, 20.0, 30.0])
    assert find_turn("higher", edges, *bins(-1.0, -0.5, 0.5, 1.0)) == 20.0
    assert find_turn("lower", edges, *bins(1.0, -0.2, -0.5, -1.0)) == 10.0


def test_a_turn_is_not_placed_where_nobody_is() -> None:
    edges = np.array([10.0, 20.0, 30.0])
    in_bin = np.array([10, 0, 0, 10])
    assert find_turn("higher", edges, in_bin, np.array([-1.0, 0.0, 0.0, 1.0])) == 30.0


def test_a_bin_of_the_wrong_sign_does_not_move_the_turn() -> None:
    edges = np.arange(1.0, 7.0)
    assert find_turn("higher", edges, *bins(-1.0, 0.1, -1.0, -0.8, 0.9, -0.1, 1.0)) == 4.0


@pytest.mark.parametrize("means", [(0.1, 0.5, 1.0), (-1.0, -0.5, -0.1)])
def test_there_is_no_turn_where_all_bins_push_the_same_way(means: tuple[float, ...]) -> None:
    assert find_turn("higher", np.array([1.0, 2.0]), *bins(*means)) is None


def test_there_is_no_turn_within_one_bin() -> None:
    assert find_turn("higher", np.empty(0), *bins(1.0)) is None
