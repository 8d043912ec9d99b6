"""How probable each number of purchases is of somebody who may drop out after any: the counts of the BG/NBD.

Given somebody alive at T, the rate is lambda ~ Gamma(shape s = r + x, rate alpha + T), and the chance to drop out after
a purchase is p ~ Beta(a, B). With z = t / (alpha + T), the number M of purchases in the next t were nobody ever to drop
out is negative binomial with shape s and odds z. Exactly n purchases come if n would have come and all n chances to
drop out were survived, or if n or more would have come and the n-th was the last::

    P(N = n) = c_n P(M = n) + [n > 0] d_n P(M >= n)
    c_n = E[(1 - p)^n] = (B)_n / (a + B)_n,     d_n = E[p (1 - p)^(n-1)] = c_(n-1) a / (a + B + n - 1)

Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way", Marketing Science 24 (2), equation (8). All terms
are positive; P(M >= n) is summed downwards from the incomplete beta function at the highest n, so nothing cancels.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import betainc

from models.btyd.negative_binomial import negative_binomial

__all__ = ["counts_while_alive"]


def counts_while_alive(
    highest: int, s: NDArray[np.float64], a: float, B: NDArray[np.float64], z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probabilities of 0 … highest purchases of customers who are alive now.

    Parameters
    ----------
    highest : int
        0 or more.
    s : ndarray, shape (m,)
        r + x, shape of the customer's purchase rate, above 0.
    a : float
        First parameter of the chance to drop out, above 0.
    B : ndarray, shape (m,)
        Its second parameter, as it stands after the purchases so far, above 0.
    z : ndarray, shape (m,)
        t / (alpha + T), 0 or more.

    Returns
    -------
    ndarray of float64, shape (m, highest + 1)
        From 0 to 1.
    """
    more_than_highest = np.asarray(betainc(highest + 1.0, s, z / (1 + z)), dtype=np.float64)
    probabilities: NDArray[np.float64] = _all_counts(highest, s, a, B, z, more_than_highest)
    return probabilities


@njit(cache=True, nogil=True)
def _all_counts(
    highest: int,
    s: NDArray[np.float64],
    a: float,
    B: NDArray[np.float64],
    z: NDArray[np.float64],
    more_than_highest: NDArray[np.float64],
) -> NDArray[np.float64]:
    result = np.empty((len(s), highest + 1))
    survived = np.empty(highest + 1)
    for row in range(len(s)):
        counts = result[row]
        negative_binomial(s[row], z[row], counts)
        survived[0] = 1.0
        for n in range(highest):
            survived[n + 1] = survived[n] * (B[row] + n) / (a + B[row] + n)
        n_or_more = more_than_highest[row]
        for n in range(highest, 0, -1):
            n_or_more += counts[n]
            counts[n] = survived[n] * counts[n] + survived[n - 1] * a / (a + B[row] + n - 1) * n_or_more
    return result
