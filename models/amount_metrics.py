"""How good predictions of an amount (purchase days, money) are."""

from typing import TypedDict

import numpy as np
from scipy.special import xlogy
from scipy.stats import rankdata

from models.binary_classifier import FloatArray
from models.exceptions import InputError

__all__ = ["HoldoutErrors", "holdout_errors", "poisson_deviance", "spearman", "total_error"]

# Below it a predicted mean counts as this.
LEAST_PREDICTED = 0.001


class HoldoutErrors(TypedDict):
    """Errors of a predicted amount, in its unit; spearman is None where one side is constant."""

    mae: float
    rmse: float
    bias: float
    spearman: float | None


def spearman(a: FloatArray, b: FloatArray) -> float | None:
    """Return Spearman's rank correlation, in [-1, 1]: Pearson's of the average ranks.

    Returns
    -------
    float, or None if either side is constant (a single row is).

    Raises
    ------
    InputError
        No rows, shapes that differ, or values that are not finite.
    """
    first, second = _amounts(a, b)
    ranks = [rankdata(side) - (len(first) + 1) / 2 for side in (first, second)]
    squares = float(np.sum(ranks[0] ** 2)) * float(np.sum(ranks[1] ** 2))
    if squares == 0.0:
        return None
    return float(np.clip(np.sum(ranks[0] * ranks[1]) / np.sqrt(squares), -1.0, 1.0))


def holdout_errors(actual: FloatArray, predicted: FloatArray) -> HoldoutErrors:
    """Return the errors of predicted amounts (purchase days, money) against what came.

    Parameters
    ----------
    actual, predicted : ndarray, shape (n,)
        One pair a customer, finite, in the same unit.

    Returns
    -------
    HoldoutErrors
        Mean absolute error, root mean squared error, mean of predicted - actual, rank correlation.

    Raises
    ------
    InputError
        No rows, shapes that differ, or values that are not finite.
    """
    truth, prediction = _amounts(actual, predicted)
    error = prediction - truth
    return HoldoutErrors(
        mae=float(np.mean(np.abs(error))),
        rmse=float(np.sqrt(np.mean(error**2))),
        bias=float(np.mean(error)),
        spearman=spearman(truth, prediction),
    )


def poisson_deviance(actual: FloatArray, predicted: FloatArray) -> float:
    """Return the mean Poisson deviance of predicted counts, 0 or more: 0 only where each is what came.

    McCullagh & Nelder (1989), "Generalized Linear Models", section 6.2: 2 [y log(y / mu) - (y - mu)], where y log y is
    0 for y = 0. A prediction below .001 counts as .001: the deviance of a 0 that came true would be infinite else.

    Parameters
    ----------
    actual, predicted : ndarray, shape (n,)
        Counts that came, 0 or more, and their predicted means; finite.

    Raises
    ------
    InputError
        No rows, shapes that differ, values that are not finite, or an actual count below 0.
    """
    truth, prediction = _amounts(actual, predicted)
    if truth.min() < 0:
        raise InputError(f"expected counts of 0 or more, got {truth.min():g}; leave out what is no count")
    mean = np.maximum(prediction, LEAST_PREDICTED)
    return float(2.0 * np.mean(xlogy(truth, truth / mean) - (truth - mean)))


def total_error(actual: FloatArray, predicted: FloatArray) -> float | None:
    """Return by which share the sum of the predictions is above (or, negative, below) what came.

    Returns
    -------
    float, or None if the sum of what came is 0.

    Raises
    ------
    InputError
        No rows, shapes that differ, or values that are not finite.
    """
    truth, prediction = _amounts(actual, predicted)
    came = float(truth.sum())
    return float(prediction.sum()) / came - 1.0 if came else None


def _amounts(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape or first.size == 0:
        raise InputError(f"expected two columns of the same length from 1, got shapes {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError("expected finite amounts; a customer without a prediction can't be compared, leave it out")
    return first, second
