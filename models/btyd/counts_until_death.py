"""How probable each number of purchases is of somebody who may die at any time: the counts of the Pareto/NBD.

A customer who is alive now buys at a rate ~ Gamma(shape R, rate A) and dies at a rate ~ Gamma(shape s, rate B). Exactly
n purchases come in the next t if n come and life lasts, or if n come before a death at some u within it. With M the
negative binomial number of purchases in a time, F the distribution of the time of death::

    P(N = n) = P(M_t = n) (B / (B + t))^s + integral over u from 0 to t of P(M_u = n) dF(u)
    dF(u) = s / (B + u) (B / (B + u))^s du

Schmittlein, Morrison & Colombo (1987), "Counting Your Customers", Management Science 33 (1), equation (16); the closed
form of Fader & Hardie (2006), "Deriving an Expression for P(X(t) = x) Under the Pareto/NBD Model", on brucehardie.com,
subtracts hypergeometric functions. Here all terms are positive.

With u = A sinh(v)^2 the probabilities of all n are equally wide in v, 1 / (2 sqrt(R)): it stabilises the variance of a
negative binomial. So Gauss-Legendre over few pieces serves every n at once.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.btyd.negative_binomial import negative_binomial

__all__ = ["counts_until_death"]

Vector = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)

# The longest piece in v, as it is and in widths of the probabilities, and the most that ln dF changes over a piece.
LONGEST = 1.0
WIDEST = 3.0
STEEPEST = 8.0

# With fewer than this alive, the rest is nothing.
NEGLIGIBLE = 1e-18


def counts_until_death(highest: int, R: Vector, A: Vector, s: float, B: Vector, t: float) -> NDArray[np.float64]:
    """Return the probabilities of 0 … highest purchases in the next t of customers who are alive now.

    Parameters
    ----------
    highest : int
        0 or more.
    R, A : ndarray, shape (m,)
        Shape and rate of the purchase rate, above 0.
    s : float
        Shape of the death rate, above 0.
    B : ndarray, shape (m,)
        Its rate, above 0.
    t : float
        0 or more.

    Returns
    -------
    ndarray of float64, shape (m, highest + 1)
        From 0 to 1.
    """
    probabilities: NDArray[np.float64] = _all_counts(highest, R, A, s, B, t)
    return probabilities


@njit(cache=True, nogil=True)
def _all_counts(highest: int, R: Vector, A: Vector, s: float, B: Vector, t: float) -> NDArray[np.float64]:
    result = np.empty((len(R), highest + 1))
    until_death = np.empty(highest + 1)
    for row in range(len(R)):
        counts = result[row]
        negative_binomial(R[row], t / A[row], counts)
        counts *= math.exp(-s * math.log1p(t / B[row]))
        _add_the_dead(R[row], A[row], s, B[row], t, until_death, counts)
    return result


@njit(cache=True, nogil=True)
def _add_the_dead(R: float, A: float, s: float, B: float, t: float, until_death: Vector, counts: Vector) -> None:
    end = math.asinh(math.sqrt(t / A))
    # If death comes faster than purchases, dF is singular this far from 0, off the real line.
    singular = math.asin(math.sqrt(B / A)) if B < A else math.inf
    v = 0.0
    while v < end:
        step = min(LONGEST, WIDEST / math.sqrt(R), 2 * max(v, singular), end - v)
        while step * max(_steepness(A, s, B, v), _steepness(A, s, B, v + step)) > STEEPEST:
            step /= 2
        alive = 0.0
        for node in range(len(NODES)):
            at = v + step * (1 + NODES[node]) / 2
            odds = math.sinh(at) ** 2
            u = A * odds
            alive = math.exp(-s * math.log1p(u / B))
            weight = step / 2 * WEIGHTS[node] * A * math.sinh(2 * at) * s / (B + u) * alive
            negative_binomial(R, odds, until_death)
            for n in range(len(counts)):
                counts[n] += weight * until_death[n]
        if alive < NEGLIGIBLE:
            break
        v = v + step if v + step < end and step > 0 else end


@njit(cache=True, nogil=True)
def _steepness(A: float, s: float, B: float, v: float) -> float:
    return (s + 1) * A * math.sinh(2 * v) / (B + A * math.sinh(v) ** 2)
