"""Which way a feature works: whether high values push towards the target or low ones, and from which value on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.driver_report import Direction

__all__ = ["find_direction", "find_turn"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Of all that bins differ by, the net share that has to point one way to be called a direction: 1 is a curve that never
# turns, 0 one that falls as much as it rises.
_CLEAR = 0.6


def find_direction(in_bin: IntArray, means: FloatArray, covariance: float) -> Direction | None:
    """Say which values push towards the target, None where neither high nor low ones clearly do.

    All pairs of customers of two bins are compared: the net difference of what the higher value adds has to be at
    least .6 of the differences' absolute sum, and the covariance has to agree.

    Parameters
    ----------
    in_bin : int64, shape (n_bins,)
        Customers in bins of ascending values.
    means : float64, shape (n_bins,)
        Their mean contribution.
    covariance : float
        Of value and contribution, or anything of its sign.

    Examples
    --------
    >>> find_direction(np.array([5, 5, 5]), np.array([-1.0, 0.2, 0.8]), covariance=2.0)
    'higher'
    >>> find_direction(np.array([5, 5, 5]), np.array([1.0, -2.0, 1.0]), covariance=0.1)
    """
    pairs = np.triu(np.multiply.outer(in_bin, in_bin).astype(np.float64), 1)
    rises = pairs * np.subtract.outer(means, means).T
    in_all = np.abs(rises).sum()
    if in_all == 0:
        return None
    leaning = rises.sum() / in_all
    if abs(leaning) < _CLEAR or leaning * covariance <= 0:
        return None
    return "higher" if leaning > 0 else "lower"


def find_turn(direction: Direction, edges: FloatArray, in_bin: IntArray, means: FloatArray) -> float | None:
    """Return the edge that best parts the customers who are pushed one way from those who are pushed the other way.

    Parameters
    ----------
    direction : Direction
    edges : float64, shape (n_bins - 1,)
        Where the second and all later bins begin.
    in_bin, means
        As for `find_direction`.

    Returns
    -------
    float or None
        The lower end of a bin that somebody is in; None where both sides of every edge are pushed the same way.

    Examples
    --------
    >>> find_turn("higher", np.array([10.0, 20.0]), np.array([5, 5, 5]), np.array([-1.0, 0.2, 0.8]))
    10.0
    """
    occupied = np.flatnonzero(in_bin)
    pushes = (means * in_bin)[occupied] * (1.0 if direction == "higher" else -1.0)
    if len(occupied) < 2:
        return None
    # Of each edge: what is pushed the wrong way on either side of it.
    wrong_below = np.cumsum(np.maximum(pushes, 0.0))[:-1]
    wrong_above = np.cumsum(np.maximum(-pushes, 0.0)[::-1])[::-1][1:]
    best = int(np.argmin(wrong_below + wrong_above))
    if pushes[: best + 1].sum() >= 0 or pushes[best + 1 :].sum() <= 0:
        return None
    return float(edges[occupied[best + 1] - 1])
