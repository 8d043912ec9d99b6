"""The median of how many purchase days come: the single number with the least absolute error to expect."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import poisson

from models.btyd.base import BuyTillYouDieModel

__all__ = ["median_of_poisson", "median_purchases"]


def median_purchases(
    btyd: BuyTillYouDieModel, horizon_days: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
) -> NDArray[np.float64]:
    """Return the least n with P(N <= n) of at least a half, N being the purchase days in (T, T + horizon_days].

    Parameters
    ----------
    btyd : BuyTillYouDieModel
        Fitted in days.
    horizon_days : float
        0 or more.
    frequency, recency, T : array_like, shape (n,)
        x, t_x and T, in days.

    Returns
    -------
    ndarray of float64, shape (n,)
        Whole numbers, 0 or more.

    Notes
    -----
    By Markov's inequality P(N >= 2 E[N]) is at most a half, so that a median is never above 2 E[N]: that says how far
    the probabilities have to be summed, and that it is 0 for all whose expectation is under a half.
    """
    x, T_days = np.atleast_1d(np.asarray(frequency, np.float64)), np.atleast_1d(np.asarray(T, np.float64))
    expected = btyd.expected_purchases(horizon_days, frequency, recency, T)
    alive = btyd.p_alive(frequency, recency, T)
    median = np.zeros(len(expected))
    # P(N <= n) = 1 - p_alive + p_alive P(N <= n | alive) reaches a half where the last factor reaches this.
    needed = 1.0 - 0.5 / np.maximum(alive, 0.5)
    undecided = np.flatnonzero((2.0 * expected >= 1.0) & (needed > 0.0))
    # Customers of like expectation together: memory follows what each needs, not what the best of all does.
    magnitude = np.ceil(np.log2(2.0 * expected[undecided]))
    for power in np.unique(magnitude):
        rows = undecided[magnitude == power]
        living, of_pair = np.unique(np.column_stack((x[rows], T_days[rows])), axis=0, return_inverse=True)
        counts = btyd.counts_while_alive(int(2.0**power), horizon_days, living[:, 0], living[:, 1])
        at_most = np.cumsum(counts, axis=1)[of_pair.reshape(-1)]
        median[rows] = np.sum(at_most < needed[rows, np.newaxis], axis=1)
    return median


def median_of_poisson(mean: ArrayLike) -> NDArray[np.float64]:
    """Return the medians of Poisson distributions by their means of 0 or more, shape (n,).

    Examples
    --------
    >>> median_of_poisson([0.0, 0.69, 0.7, 5.5]).tolist()
    [0.0, 0.0, 1.0, 5.0]
    """
    return np.asarray(poisson.ppf(0.5, np.asarray(mean, dtype=np.float64)))
