"""How good predictive distributions and intervals turned out to be.

References
----------
.. [1] Czado, Claudia, Tilmann Gneiting, and Leonhard Held (2009), "Predictive Model Assessment for Count Data",
   Biometrics 65 (4), 1254-1261.
.. [2] Gneiting, Tilmann and Adrian E. Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation",
   Journal of the American Statistical Association 102 (477), 359-378.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exceptions import InputError
from models.predictive.interval import DEFAULT_LEVEL, Interval, tails

__all__ = [
    "checked_steps",
    "coverage",
    "expected_tenths",
    "interval_score",
    "pit_deviation",
    "pit_tenths",
    "randomised_coverage",
    "randomised_pit",
]

FloatArray = NDArray[np.float64]

EDGES = np.linspace(0.0, 1.0, 11)


def checked_steps(below: ArrayLike, at_most: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return P(Y < y) and P(Y <= y) at each outcome as float columns of one length.

    Raises
    ------
    InputError
        If they aren't probabilities of one shape (n,), the former not above the latter.
    """
    low, high = np.asarray(below, dtype=np.float64), np.asarray(at_most, dtype=np.float64)
    if low.ndim != 1 or low.shape != high.shape:
        raise InputError(f"expected two columns of one length, got the shapes {low.shape} and {high.shape}.")
    wrong = np.flatnonzero(~((low >= 0) & (low <= high) & (high <= 1)))
    if len(wrong):
        raise InputError(
            f"expected probabilities with P(Y < y) <= P(Y <= y); {len(wrong)} of {len(low)} rows are not, the first "
            f"at position {wrong[0]} ({low[wrong[0]]:g} and {high[wrong[0]]:g})."
        )
    return low, high


def randomised_pit(below: ArrayLike, at_most: ArrayLike, uniforms: ArrayLike) -> FloatArray:
    """Return F(y - 1) + U [F(y) - F(y - 1)] at each outcome y, shape (n,); the randomised transform of [1]_.

    Uniform from 0 to 1 if the predicted distributions are the true ones, counts or not.

    Parameters
    ----------
    below, at_most : array_like, shape (n,)
        Predicted P(Y < y) and P(Y <= y); equal where the distribution has no step.
    uniforms : array_like, shape (n,)
        U, independent and uniform from 0 to 1.

    Raises
    ------
    InputError
        If these are no probabilities, or the lengths differ.
    """
    low, high = checked_steps(below, at_most)
    chance = np.asarray(uniforms, dtype=np.float64)
    if chance.shape != low.shape:
        raise InputError(f"expected one uniform number for each of {len(low)} outcomes, got the shape {chance.shape}.")
    return np.asarray(low + chance * (high - low))


def pit_tenths(pit: ArrayLike) -> FloatArray:
    """Return the share of a randomised PIT in each tenth from 0 to 1, shape (10,); NaN if there is no outcome."""
    values = np.asarray(pit, dtype=np.float64)
    counts, _ = np.histogram(values, EDGES)
    return counts / len(values) if len(values) else np.full(10, np.nan)


def expected_tenths(below: ArrayLike, at_most: ArrayLike) -> FloatArray:
    """Return what ``pit_tenths`` is on average over all uniforms, shape (10,): equation (2) of [1]_, by tenths.

    Examples
    --------
    >>> expected_tenths([0.0], [0.4]).round(2).tolist()
    [0.25, 0.25, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    low, high = checked_steps(below, at_most)
    if not len(low):
        return np.full(10, np.nan)
    height = high - low
    step = height > 0
    reached = np.where(
        step[:, np.newaxis],
        np.clip((EDGES - low[:, np.newaxis]) / np.where(step, height, 1.0)[:, np.newaxis], 0.0, 1.0),
        # Without a step the transform is one number; at 0 it belongs to the first tenth.
        (low[:, np.newaxis] < EDGES) | ((EDGES == 1.0) & (low[:, np.newaxis] == 1.0)),
    )
    return np.asarray(np.diff(reached.mean(axis=0)))


def pit_deviation(tenths: ArrayLike) -> float:
    """Return how far the share of the worst tenth is from a tenth, in percentage points."""
    return 100 * float(np.abs(np.asarray(tenths, dtype=np.float64) - 0.1).max())


def randomised_coverage(pit: ArrayLike, level: float = DEFAULT_LEVEL) -> float:
    """Return the share of outcomes whose randomised PIT lies between the tails; ``level`` if forecasts are true.

    An interval of counts holds whole steps, hence more than its level. Seen through the randomised PIT, its end points
    count in part, so that forecasts are judged and not the coarseness of counts.
    """
    low, high = tails(level)
    values = np.asarray(pit, dtype=np.float64)
    return float(np.mean((values >= low) & (values <= high)))


def coverage(actual: ArrayLike, interval: Interval) -> float:
    """Return the share of outcomes within their interval, end points included."""
    outcome = np.asarray(actual, dtype=np.float64)
    return float(np.mean((outcome >= interval.low) & (outcome <= interval.high)))


def interval_score(actual: ArrayLike, interval: Interval, level: float = DEFAULT_LEVEL) -> float:
    """Return the mean interval score, equation (43) of [2]_ (Winkler's): width, plus a fine for each miss.

    Parameters
    ----------
    actual : array_like, shape (n,)
        The outcomes.
    interval : Interval
        In the unit of the outcomes, as the score is.
    level : float
        Of the interval. A miss is fined by its distance from the nearer end times 2 / (1 - level).

    Returns
    -------
    float
        0 or more; the lower the better, and best on average for the true quantiles.
    """
    outcome = np.asarray(actual, dtype=np.float64)
    fine = 2 / (1 - level)
    missed = np.maximum(interval.low - outcome, 0.0) + np.maximum(outcome - interval.high, 0.0)
    return float(np.mean(interval.high - interval.low + fine * missed))
