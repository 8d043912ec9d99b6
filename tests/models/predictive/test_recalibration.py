"""Recalibration: maps that are known are found again, what is no improvement is left, and JSON holds it all."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr

from models.exceptions import InputError
from models.predictive import IDENTITY, Recalibration, RecalibrationTrial


def normal_steps(n: int, *, mean: float, deviation: float, width: float = 0.5) -> tuple[NDArray[np.float64], ...]:
    """Outcomes of a normal distribution, known to a width, predicted as if they were standard normal."""
    outcome = np.random.default_rng(1).normal(mean, deviation, n)
    step = np.floor(outcome / width) * width
    return np.asarray(ndtr(step)), np.asarray(ndtr(step + width))


def test_the_shift_and_stretch_of_normal_outcomes_are_found_again() -> None:
    found = Recalibration.fit(*normal_steps(40_000, mean=0.3, deviation=1.4))

    # Three standard errors: 1.4 / sqrt(n) and 1.4 / sqrt(2 n), little larger for the width.
    assert found.shift == pytest.approx(0.3, abs=0.022)
    assert found.stretch == pytest.approx(1.4, abs=0.016)


@given(st.floats(-1, 1), st.floats(0.5, 2), st.floats(0.01, 0.99))
def test_the_inverse_undoes_the_map(shift: float, stretch: float, probability: float) -> None:
    recalibration = Recalibration(shift, stretch)

    assert recalibration(recalibration.inverse([probability]))[0] == pytest.approx(probability, rel=1e-6)


@given(st.floats(-1, 1), st.floats(0.5, 4))
def test_it_rises_strictly_from_0_to_1(shift: float, stretch: float) -> None:
    mapped = Recalibration(shift, stretch)(np.linspace(0.01, 0.99, 99))

    assert (np.diff(mapped) > 0).all()
    assert Recalibration(shift, stretch)([0.0, 1.0]).tolist() == [0.0, 1.0]


def test_the_identity_changes_no_bit() -> None:
    probabilities = np.random.default_rng(1).random(100)

    assert IDENTITY.is_identity
    assert IDENTITY(probabilities).tolist() == probabilities.tolist()
    assert IDENTITY.inverse(probabilities).tolist() == probabilities.tolist()


def test_what_was_spread_too_narrowly_is_recalibrated() -> None:
    trial = RecalibrationTrial.of(*normal_steps(2_000, mean=0.0, deviation=1.4))

    assert trial.kept
    assert trial.recalibration.stretch == pytest.approx(1.4, abs=0.07)
    assert trial.deviation_points > 10
    assert trial.gain is not None
    assert trial.gain > 0


def test_what_was_right_is_left_alone() -> None:
    trial = RecalibrationTrial.of(*normal_steps(2_000, mean=0.0, deviation=1.0))

    assert not trial.kept
    assert trial.recalibration == IDENTITY


def test_what_was_spread_too_widely_is_not_made_narrower() -> None:
    assert Recalibration.fit(*normal_steps(2_000, mean=0.0, deviation=0.7)).stretch == 1.0


def test_what_is_certainly_but_hardly_wrong_is_left_alone() -> None:
    trial = RecalibrationTrial.of(*normal_steps(200_000, mean=0.0, deviation=1.02))

    assert trial.gain is not None
    assert trial.gain_error is not None
    assert trial.gain > 2 * trial.gain_error
    assert not trial.kept


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_is_learnt_from_hardly_anybody(n: int) -> None:
    trial = RecalibrationTrial.of(*normal_steps(n, mean=0.0, deviation=1.0))

    assert trial.recalibration == IDENTITY
    assert trial.gain is None


def test_outcomes_that_were_held_impossible_are_survived() -> None:
    found = Recalibration.fit(np.ones(50), np.ones(50))

    assert np.isfinite([found.shift, found.stretch]).all()


def test_it_goes_through_json_and_back_bit_for_bit() -> None:
    recalibration = Recalibration(shift=0.1, stretch=4 / 3)

    assert Recalibration.from_dict(json.loads(json.dumps(recalibration.to_dict()))) == recalibration


@pytest.mark.parametrize("fields", [{}, {"shift": 0.0}, {"shift": 0.0, "stretch": 1.0, "knots": []}])
def test_other_fields_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected the fields shift and stretch"):
        Recalibration.from_dict(fields)


@pytest.mark.parametrize(("shift", "stretch"), [(np.nan, 1.0), (0.0, 0.0), (0.0, np.inf), (0.0, -1.0)])
def test_maps_that_would_not_rise_are_refused(shift: float, stretch: float) -> None:
    with pytest.raises(InputError, match="expected a finite shift and a finite stretch above 0"):
        Recalibration(shift, stretch)


def test_steps_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(InputError, match="1 of 2 rows are not, the first at position 1"):
        Recalibration.fit([0.1, 0.6], [0.2, 0.5])
