"""How many purchase days are to come of each customer: the whole predictive distribution, and intervals from it.

Given parameters, a customer who is alive at T (probability p_alive) buys according to ``counts_while_alive``; one who
is not, never again. What the parameters might also be is stood for by the models of ``sigma_points``, of equal weight::

    F(n) = mean over models of 1 - p_alive (1 - P(N <= n | alive))

What happens while alive depends on frequency and T only, so it is computed once for each distinct pair, and only as far
as it is needed: the table of a pair is doubled in length until it holds all but a negligible part. How far depends on
nothing but the pair itself, so that a customer alone gets the very number of the batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from models.btyd.base import BuyTillYouDieModel, checked_horizons
from models.btyd.distinct import distinct_rows
from models.btyd.histories import PurchaseHistories
from models.predictive.interval import DEFAULT_LEVEL, Interval, tails
from models.predictive.recalibration import IDENTITY, Recalibration
from models.predictive.sigma_points import sigma_points

__all__ = ["CountBlock", "count_blocks", "purchase_cdf", "purchase_interval"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Tables end here at the latest: 20 years of two purchases a day.
SHORTEST_TABLE = 15
LONGEST_TABLE = 16_383

# Where the mean of a table has been passed and its upper half adds no more than this, nothing more is to come.
NEGLIGIBLE = 1e-12

# So many numbers are held at a time: tables beyond the cache are slow, small ones are mostly overhead.
CELLS = 2_000_000

ALL_BUT_NOTHING = 1 - 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class CountBlock:
    """The predictive distribution of the counts of some customers.

    Attributes
    ----------
    rows : ndarray of intp, shape (m,)
        Their positions among the histories asked for.
    cdf : ndarray of float64, shape (m, highest + 1)
        P(N <= n) for n = 0 … highest, not falling; beyond, it is at least the reach that was asked for.
    """

    rows: IndexArray
    cdf: FloatArray


def purchase_interval(
    btyd: BuyTillYouDieModel,
    *,
    horizon_days: ArrayLike,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    level: float = DEFAULT_LEVEL,
    recalibration: Recalibration = IDENTITY,
) -> Interval:
    """Return between which numbers the purchase days of each customer will lie.

    Parameters
    ----------
    btyd : BuyTillYouDieModel
        Fitted in days; its certificate says how uncertain the parameters are.
    horizon_days : float or array_like, shape (n,)
        Length of the period after T, 0 or more: one for all, or each customer's, of which few should differ.
    frequency, recency, T : array_like, shape (n,)
        x, t_x and T in days.
    level : float
        Probability that the interval holds, between 0 and 1. Counts come in steps, so that it holds at least that much.
    recalibration : Recalibration
        Learnt on an earlier period of about this length.

    Returns
    -------
    Interval
        Purchase days, whole numbers: the least n with P(N <= n) of at least a tenth (for .8), and with nine tenths.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    InputError
        If level, horizon or a column isn't legal.
    """
    histories = PurchaseHistories.checked(frequency, recency, T)
    low_tail, high_tail = recalibration.inverse(tails(level)).tolist()
    bounds = np.empty((2, len(histories)))
    for horizon, customers in _by_horizon(horizon_days, len(histories)):
        some = _rows_of(histories, customers)
        first, inverse = distinct_rows(some.frequency, some.T, some.recency)
        of_distinct = np.empty((2, len(first)))
        for block in count_blocks(btyd, horizon, _rows_of(some, first), reach=high_tail):
            of_distinct[0, block.rows] = _quantiles(block.cdf, low_tail)
            of_distinct[1, block.rows] = _quantiles(block.cdf, high_tail)
        bounds[:, customers] = of_distinct[:, inverse]
    return Interval(*bounds)


def purchase_cdf(
    btyd: BuyTillYouDieModel,
    counts: ArrayLike,
    *,
    horizon_days: ArrayLike,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    recalibration: Recalibration = IDENTITY,
) -> tuple[FloatArray, FloatArray]:
    """Return how probable fewer purchase days than a given number were, and no more than it, each of shape (n,).

    Parameters
    ----------
    btyd, horizon_days, frequency, recency, T, recalibration
        As in ``purchase_interval``.
    counts : array_like, shape (n,)
        Purchase days that came, whole numbers of 0 or more.

    Returns
    -------
    below, at_most : ndarray of float64, shape (n,)
        P(N < counts) and P(N <= counts), exact to 1e-9.
    """
    histories = PurchaseHistories.checked(frequency, recency, T)
    outcome = np.asarray(counts, dtype=np.intp)
    below, at_most = np.empty(len(outcome)), np.empty(len(outcome))
    for horizon, customers in _by_horizon(horizon_days, len(histories)):
        some = _rows_of(histories, customers)
        order = np.lexsort((some.recency, some.T, some.frequency))
        for block in count_blocks(btyd, horizon, _rows_of(some, order), reach=ALL_BUT_NOTHING):
            rows = customers[order[block.rows]]
            padded = np.column_stack([np.zeros(len(rows)), block.cdf, np.ones(len(rows))])
            last = padded.shape[1] - 1
            at = np.arange(len(rows))
            below[rows] = padded[at, np.minimum(outcome[rows], last)]
            at_most[rows] = padded[at, np.minimum(outcome[rows] + 1, last)]
    return recalibration(below), recalibration(at_most)


def count_blocks(
    btyd: BuyTillYouDieModel, horizon_days: float, histories: PurchaseHistories, *, reach: float
) -> Iterator[CountBlock]:
    """Give the predictive distributions of all customers, some at a time.

    Parameters
    ----------
    btyd : BuyTillYouDieModel
        Fitted in days.
    horizon_days : float
        0 or more.
    histories : PurchaseHistories
        Sorted by frequency, then T.
    reach : float
        Up to which probability distributions are needed.

    Yields
    ------
    CountBlock
        Each customer in one of them.
    """
    models = sigma_points(btyd)
    starts = _starts_of_pairs(histories)
    ends = np.append(starts[1:], len(histories))
    highest, pending = SHORTEST_TABLE, np.arange(len(starts))
    while len(pending):
        in_one_go = max(CELLS // (len(models) * (highest + 1)), 1)
        longer = []
        for position in range(0, len(pending), in_one_go):
            pairs = pending[position : position + in_one_go]
            distinct = _rows_of(histories, starts[pairs])
            while_alive = np.stack(
                [np.cumsum(model.counts_while_alive_of(highest, horizon_days, distinct), axis=1) for model in models]
            )
            done = _holds_enough(while_alive, reach) | (highest >= LONGEST_TABLE)
            longer.append(pairs[~done])
            yield from _mixtures(models, histories, while_alive, np.flatnonzero(done), starts[pairs], ends[pairs])
        pending = np.concatenate(longer)
        highest = 2 * highest + 1


def _mixtures(
    models: tuple[BuyTillYouDieModel, ...],
    histories: PurchaseHistories,
    while_alive: FloatArray,
    pairs: IndexArray,
    starts: IndexArray,
    ends: IndexArray,
) -> Iterator[CountBlock]:
    """Mix alive and lost, and the models, for the customers of some pairs."""
    counts = ends[pairs] - starts[pairs]
    pair = np.repeat(pairs, counts)
    rows = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts) + starts[pair]
    in_one_go = max(CELLS // while_alive.shape[2], 1)
    for position in range(0, len(rows), in_one_go):
        some = slice(position, position + in_one_go)
        customers = _rows_of(histories, rows[some])
        alive = np.stack([model.p_alive_of(customers) for model in models])
        yield CountBlock(rows[some], _mixed(alive, while_alive, pair[some]))


@njit(cache=True, nogil=True)
def _mixed(alive: FloatArray, while_alive: FloatArray, pair: IndexArray) -> FloatArray:
    n_models, n_rows = alive.shape
    cdf = np.empty((n_rows, while_alive.shape[2]))
    for row in range(n_rows):
        for n in range(while_alive.shape[2]):
            more = 0.0
            for model in range(n_models):
                more += alive[model, row] * max(1 - while_alive[model, pair[row], n], 0.0)
            cdf[row, n] = 1 - more / n_models
    return cdf


@njit(cache=True, nogil=True)
def _quantiles(cdf: FloatArray, probability: float) -> FloatArray:
    """Return the least n with P(N <= n) of at least the probability, shape (m,)."""
    found = np.empty(len(cdf))
    for row in range(len(cdf)):
        found[row] = np.searchsorted(cdf[row], probability)
    return found


def _holds_enough(while_alive: FloatArray, reach: float) -> NDArray[np.bool_]:
    """Tell which tables hold all that is needed under every model, shape (pairs,).

    P(N <= n) is least for somebody certainly alive, so that what is enough for him is enough for all of his pair.
    """
    end, middle = while_alive[:, :, -1], while_alive[:, :, while_alive.shape[2] // 2]
    exhausted = (end > 0.5) & (end - middle < NEGLIGIBLE)
    return np.asarray(((end >= reach) | exhausted).all(axis=0))


def _starts_of_pairs(histories: PurchaseHistories) -> IndexArray:
    """Return where each distinct (frequency, T) begins among sorted histories."""
    new = np.ones(len(histories), dtype=np.bool_)
    new[1:] = (np.diff(histories.frequency) != 0) | (np.diff(histories.T) != 0)
    return np.flatnonzero(new)


def _by_horizon(horizon_days: ArrayLike, n_customers: int) -> Iterator[tuple[float, IndexArray]]:
    """Give each horizon with the customers whose it is."""
    horizons = checked_horizons(np.ravel(horizon_days))
    if len(horizons) == 1:
        yield float(horizons[0]), np.arange(n_customers)
        return
    for horizon in np.unique(horizons).tolist():
        yield horizon, np.flatnonzero(horizons == horizon)


def _rows_of(histories: PurchaseHistories, rows: IndexArray) -> PurchaseHistories:
    return PurchaseHistories(histories.frequency[rows], histories.recency[rows], histories.T[rows])
