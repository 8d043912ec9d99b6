"""The population stability index: how far two distributions over the same bins are apart.

    PSI = sum over bins of (share now - share before) ln(share now / share before),

which is the sum of the Kullback-Leibler divergences both ways (Jeffreys 1946; as PSI: Siddiqi 2006, "Credit Risk
Scorecards", pp. 136 ff., from where the levels of .1 and .25 are). What chance alone makes of it for the same
population follows (1 / n + 1 / m) times chi-square with bins - 1 degrees of freedom (Yurdakul & Naranjo 2020,
"Statistical properties of the population stability index", Journal of Risk Model Validation 14 (4), 89-100).
"""

from __future__ import annotations

from typing import Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from models.exceptions import InputError

__all__ = ["ACT", "WATCH", "Drift", "Level", "drift_between", "population_stability_index"]

FloatArray = NDArray[np.float64]
Level = Literal["stable", "watch", "act"]

WATCH, ACT = 0.1, 0.25

_SMOOTHING = 0.5  # customers added to every bin
_CHANCE = 0.95


class Drift(TypedDict):
    """How far apart two distributions are.

    `by_chance` is what the index stays below in 95 of 100 cases where nothing has changed; None with one bin.
    """

    psi: float
    by_chance: float | None
    level: Level


def population_stability_index(expected: ArrayLike, actual: ArrayLike) -> float:
    """Return the population stability index of two distributions over the same bins, 0 or more.

    To each bin half a customer is added on either side, so that an empty one counts much without counting infinitely.
    Bins that both sides leave empty are none.

    Parameters
    ----------
    expected, actual : array_like of int, shape (n_bins,)
        Customers in each bin.

    Returns
    -------
    float
        0 where either side has no customers.

    Raises
    ------
    InputError
        Shapes that differ, or counts below 0.

    Examples
    --------
    >>> round(population_stability_index([50, 50], [25, 75]), 4)
    0.2687
    """
    before, now = _occupied(expected, actual)
    if not before.sum() or not now.sum():
        return 0.0
    p, q = ((side + _SMOOTHING) / (side.sum() + _SMOOTHING * len(side)) for side in (before, now))
    return float(np.sum((q - p) * np.log(q / p)))


def drift_between(expected: ArrayLike, actual: ArrayLike) -> Drift:
    """Return how far apart two distributions over the same bins are, and whether to do something about it.

    Returns
    -------
    Drift
        "act" from .25, "watch" from .1; "stable" below, and where chance alone makes as much of so few customers.
    """
    before, now = _occupied(expected, actual)
    psi = population_stability_index(before, now)
    by_chance = None
    if len(before) > 1 and before.sum() and now.sum():
        by_chance = float((1 / before.sum() + 1 / now.sum()) * chi2.ppf(_CHANCE, len(before) - 1))
    level: Level = "stable"
    if by_chance is not None and psi >= max(WATCH, by_chance):
        level = "act" if psi >= ACT else "watch"
    return Drift(psi=psi, by_chance=by_chance, level=level)


def _occupied(expected: ArrayLike, actual: ArrayLike) -> tuple[FloatArray, FloatArray]:
    before, now = (np.asarray(side, dtype=np.float64) for side in (expected, actual))
    if before.ndim != 1 or before.shape != now.shape or min(before.min(initial=0), now.min(initial=0)) < 0:
        raise InputError(
            f"expected counts of 0 or more in the same bins, got the shapes {before.shape} and {now.shape}; count both "
            "sides with the edges of one"
        )
    kept = (before > 0) | (now > 0)
    return before[kept], now[kept]
