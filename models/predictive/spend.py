"""The distribution of what an unknown number of purchases is worth in sum, compiled.

Amounts are in units of v + m x, so that a sum of n purchases is BetaPrime(p n, shape): see ``values``. Quantiles are
searched on the scale of the logarithm of the amount, where the log-odds of having spent no more are nearly a line:
Newton's method needs few steps there, and bisection takes over where a step leaves the bracket. All steps depend on the
customer's own row alone.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.predictive.incomplete_beta import incomplete_beta

__all__ = ["spend_cdf", "spend_quantiles"]

FloatArray = NDArray[np.float64]

# Counts up to this one are taken one by one; beyond, two nodes stand for a group of about an eighth of its numbers.
SINGLE = 8
GROUP_SHARE = 8
NEGLIGIBLE = 1e-10

# Gauss-Legendre, eight points of [-1, 1]: exact for polynomials up to degree 15.
GAUSS_NODES = (0.1834346424956498, 0.525532409916329, 0.7966664774136267, 0.9602898564975363)
GAUSS_WEIGHTS = (0.3626837833783620, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763)
LONGEST_MOVE = 3.0

# The two points of the same rule, for distances at which its error is below 1e-11.
SHORT_OFFSET = math.sqrt(1 / 12)
SHORT_MOVE = 0.03

# Newton's method squares what is missing, so that what follows such a step is exact to 1e-11.
LAST_STEP = 1e-6
MOST_STEPS = 200
FURTHEST = 690.0  # amounts stay within what a float holds


def spend_cdf(cdf: FloatArray, p: float, shape: FloatArray, amount: FloatArray) -> FloatArray:
    """Return the probability of spending no more than an amount, shape (m,).

    Parameters
    ----------
    cdf : ndarray, shape (m, highest + 1)
        P(N <= n); 1 at the highest n.
    p : float
        Shape of the values of one customer.
    shape : ndarray, shape (m,)
        Of the beta prime distribution: q + p x.
    amount : ndarray, shape (m,)
        In units of v + m x, 0 or more.
    """
    result: FloatArray = _cdfs(cdf, p, shape, amount)
    return result


def spend_quantiles(cdf: FloatArray, p: float, shape: FloatArray, probability: float) -> FloatArray:
    """Return the amount that is not exceeded with a probability, shape (m,), to 1e-9 of its size.

    Parameters
    ----------
    cdf, p, shape
        As in ``spend_cdf``.
    probability : float
        Between 0 and 1.

    Returns
    -------
    ndarray of float64, shape (m,)
        In units of v + m x; 0 where no purchase at all is at least as probable.
    """
    result: FloatArray = _quantiles(cdf, p, shape, probability)
    return result


@njit(cache=True, nogil=True)
def _cdfs(cdf: FloatArray, p: float, shape: FloatArray, amount: FloatArray) -> FloatArray:
    result = np.empty(len(cdf))
    nodes = np.empty((3, cdf.shape[1]))
    for row in range(len(cdf)):
        if amount[row] > 0:
            count = _nodes(cdf[row], p, shape[row], nodes)
            share = _mixture(nodes[:, :count], shape[row], math.log(amount[row]))
            result[row] = cdf[row, 0] + share
        else:
            result[row] = cdf[row, 0]
    return np.minimum(result, 1.0)


@njit(cache=True, nogil=True)
def _quantiles(cdf: FloatArray, p: float, shape: FloatArray, probability: float) -> FloatArray:
    result = np.zeros(len(cdf))
    nodes = np.empty((3, cdf.shape[1]))
    for row in range(len(cdf)):
        if cdf[row, 0] < probability:
            count = _nodes(cdf[row], p, shape[row], nodes)
            result[row] = math.exp(_log_quantile(nodes[:, :count], shape[row], probability - cdf[row, 0]))
    return result


@njit(cache=True, nogil=True)
def _nodes(cdf: FloatArray, p: float, shape: float, nodes: FloatArray) -> int:
    """Fill in shape p n, weight and ln B(p n, shape) of each n, or of two for a group; return how many."""
    count = 0
    start = 1
    while start < len(cdf):
        end = start + 1 if start <= SINGLE else min(start + start // GROUP_SHARE, len(cdf))
        weight = cdf[end - 1] - cdf[start - 1]
        if weight > NEGLIGIBLE:
            count = _add_group(cdf, start, end, weight, p, nodes, count)
        start = end
    log_gamma_shape = math.lgamma(shape)
    for node in range(count):
        a = nodes[0, node]
        nodes[2, node] = math.lgamma(a) + log_gamma_shape - math.lgamma(a + shape)
    return count


@njit(cache=True, nogil=True)
def _add_group(cdf: FloatArray, start: int, end: int, weight: float, p: float, nodes: FloatArray, count: int) -> int:
    """Add one n, or the two points of Gauss's rule for the n from start to end - 1."""
    if end == start + 1:
        nodes[0, count] = p * start
        nodes[1, count] = weight
        return count + 1
    first = second = third = 0.0
    for n in range(start, end):
        first += (cdf[n] - cdf[n - 1]) * (n - start)
    mean = first / weight
    for n in range(start, end):
        away = n - start - mean
        second += (cdf[n] - cdf[n - 1]) * away**2
        third += (cdf[n] - cdf[n - 1]) * away**3
    deviation = math.sqrt(max(second / weight, 0.0))
    if deviation < 1e-6:
        nodes[0, count] = p * (start + mean)
        nodes[1, count] = weight
        return count + 1
    half_skewness = third / weight / deviation**3 / 2
    root = math.sqrt(1 + half_skewness**2)
    nodes[0, count] = p * (start + mean + deviation * (half_skewness - root))
    nodes[1, count] = weight * (1 + half_skewness / root) / 2
    nodes[0, count + 1] = p * (start + mean + deviation * (half_skewness + root))
    nodes[1, count + 1] = weight * (1 - half_skewness / root) / 2
    return count + 2


@njit(cache=True, nogil=True)
def _mixture(nodes: FloatArray, shape: float, log_amount: float) -> float:
    """Return the probability of buying, but for no more than the amount."""
    share = 0.0
    for node in range(nodes.shape[1]):
        part, _ = incomplete_beta(log_amount, nodes[0, node], shape, nodes[2, node])
        share += nodes[1, node] * part
    return share


@njit(cache=True, nogil=True)
def _density(nodes: FloatArray, shape: float, log_amount: float) -> float:
    """Return the derivative of ``_mixture``."""
    softened = math.log1p(math.exp(-abs(log_amount)))
    log_u = min(log_amount, 0.0) - softened
    log_rest = min(-log_amount, 0.0) - softened
    density = 0.0
    for node in range(nodes.shape[1]):
        density += nodes[1, node] * math.exp(nodes[0, node] * log_u + shape * log_rest - nodes[2, node])
    return density


@njit(cache=True, nogil=True)
def _moved(nodes: FloatArray, shape: float, share: float, start: float, end: float, narrowest: float) -> float:
    """Return ``_mixture`` at the end from its value at the start, by Gauss's rule where that is quicker."""
    distance = end - start
    if abs(distance) > LONGEST_MOVE * narrowest:
        return _mixture(nodes, shape, end)
    if abs(distance) < SHORT_MOVE * narrowest:
        middle, offset = 0.5 * (start + end), SHORT_OFFSET * distance
        return share + 0.5 * distance * (
            _density(nodes, shape, middle - offset) + _density(nodes, shape, middle + offset)
        )
    panels = int(abs(distance) / narrowest) + 1
    width = distance / panels
    for panel in range(panels):
        middle = start + (panel + 0.5) * width
        for k in range(len(GAUSS_NODES)):
            offset = 0.5 * width * GAUSS_NODES[k]
            weight = 0.5 * width * GAUSS_WEIGHTS[k]
            share += weight * (_density(nodes, shape, middle - offset) + _density(nodes, shape, middle + offset))
    return share


@njit(cache=True, nogil=True)
def _log_quantile(nodes: FloatArray, shape: float, wanted: float) -> float:
    """Solve ``_mixture`` = wanted for the logarithm of the amount."""
    total = 0.0
    mean = 0.0
    largest = 0.0
    for node in range(nodes.shape[1]):
        total += nodes[1, node]
        mean += nodes[1, node] * nodes[0, node]
        largest = max(largest, nodes[0, node])
    if wanted >= total:
        return FURTHEST
    target = math.log(wanted / (total - wanted))
    # The density of ln X, X ~ BetaPrime(a, b), bends most at its mode, as a normal one of this deviation does.
    narrowest = math.sqrt(1 / largest + 1 / shape)
    point = math.log(mean / total / shape)
    share = _mixture(nodes, shape, point)
    low, high = -FURTHEST, FURTHEST
    for _ in range(MOST_STEPS):
        if share < wanted:
            low = point
        else:
            high = point
        rest = total - share
        slope = _density(nodes, shape, point)
        following = 0.5 * (low + high)
        if slope > 0 and share > 0 and rest > 0:
            newton = point + (target - math.log(share / rest)) * share * rest / (total * slope)
            if low <= newton <= high:
                following = newton
        if abs(following - point) <= LAST_STEP:
            return following
        share = _moved(nodes, shape, share, point, following, narrowest)
        point = following
    return point
