"""What calibration error chance leaves: against outcomes drawn and measured one set at a time."""

from __future__ import annotations

import numpy as np
import pytest

from models.calibration_check import calibration_error_if_perfect
from models.exceptions import InputError
from models.metrics import calibration_error


@pytest.mark.parametrize("decimals", [16, 2, 0])
def test_it_equals_the_calibration_error_of_simulated_outcomes_measured_set_by_set(decimals: int) -> None:
    p = np.random.default_rng(2).beta(2, 5, 503).round(decimals)
    rng = np.random.default_rng(7)
    ascending = np.sort(p)
    errors = [calibration_error((rng.random(503) < ascending).astype(float), ascending) for _ in range(50)]
    found = calibration_error_if_perfect(p, draws=50, seed=7)
    assert found.mean == pytest.approx(np.mean(errors), abs=1e-12)
    assert found.p95 == pytest.approx(np.quantile(errors, 0.95), abs=1e-12)


def test_it_falls_with_the_root_of_the_number_of_customers() -> None:
    few, many = (calibration_error_if_perfect(np.full(n, 0.3), draws=200, seed=1, bins=1) for n in (400, 6_400))
    # One bin: the mean absolute deviation of a share, sqrt(2 p (1 - p) / (pi n)).
    assert few.mean == pytest.approx(np.sqrt(2 * 0.3 * 0.7 / (np.pi * 400)), rel=0.15)
    assert few.mean / many.mean == pytest.approx(4, rel=0.15)
    assert few.p95 == pytest.approx(1.96 * np.sqrt(0.3 * 0.7 / 400), rel=0.15)


def test_of_folds_it_is_the_mean_of_their_errors() -> None:
    p = np.random.default_rng(2).beta(2, 5, 200)
    fold = np.arange(200) % 2
    rng = np.random.default_rng(7)
    parts = [np.sort(p[fold == number]) for number in (0, 1)]
    errors = [
        np.mean([calibration_error((rng.random(100) < part).astype(float), part) for part in parts]) for _ in range(30)
    ]
    found = calibration_error_if_perfect(p, draws=30, seed=7, fold=fold)
    assert found.mean == pytest.approx(np.mean(errors), abs=1e-12)


def test_the_same_seed_gives_the_same_and_certainty_leaves_no_error() -> None:
    p = np.random.default_rng(2).beta(2, 5, 200)
    first, again, other = (calibration_error_if_perfect(p, draws=20, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    certain = calibration_error_if_perfect(np.array([0.0, 1.0, 1.0]), draws=20, seed=1)
    assert (certain.mean, certain.p95) == (0.0, 0.0)


def test_what_is_no_probability_and_no_draw_are_refused() -> None:
    with pytest.raises(InputError, match=r"probabilities between 0 and 1, got -1 to 2"):
        calibration_error_if_perfect(np.array([-1.0, 2.0]), draws=5, seed=1)
    with pytest.raises(InputError, match=r"at least one draw, got 0"):
        calibration_error_if_perfect(np.array([0.5]), draws=0, seed=1)
