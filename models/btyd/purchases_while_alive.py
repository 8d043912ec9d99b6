"""How often somebody who may drop out after any purchase will buy: the kernel of the BG/NBD expectations.

Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way", Marketing Science 24 (2), give the expectation in
closed form with a hypergeometric function: equations (9) and (10). That form subtracts numbers that are nearly equal
(a near 1, small t), divides 0 by 0 (a = 1), is undefined for a + b < 1 at x = 0, and overflows for frequent buyers.
Here the same quantity is a sum of positive terms, so that every digit holds.

Given somebody alive at T, the rate is lambda ~ Gamma(shape s = r + x, rate alpha + T), and the chance to drop out after
a purchase is p ~ Beta(a, B = b + x). With z = t / (alpha + T), the expected purchases in the next t are::

    G = E_p[ (1 - (1 + p z)^-s) / p ]

Two ways to compute it, each exact to rounding where it is used:

**Sum over purchases.** Were nobody ever to drop out, the number N of purchases in t would be negative binomial with
shape s and odds z. Purchase k + 1 happens if N > k and k chances to drop out were survived, so that::

    G = sum over n of P(N = n) (c_0 + … + c_(n-1)),     c_k = E[(1 - p)^k] = (B)_k / (a + B)_k

**Integral over p**, for the rare customers of whom hundreds of purchases might come. The density p^(a-1) (1-p)^(B-1)
is singular at both ends for small a and B; integrating by parts moves both exponents up by one. With c = a + B,
f = (1 - (1 + p z)^-s) / p and f' its derivative::

    G = E_Beta(a+1, B+1)[ a/c (p f' + f + c f) / (c + 1)  +  B/c (f - (1 - p) f' / (c + 1)) ]

in which p f' + f = s z (1 + p z)^-(s+1), f and -f' are positive. In y = logit(p) the integrand is analytic and falls
off exponentially, where the trapezoidal rule converges faster than any power of its step.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["purchases_while_alive"]

# Below this many terms the sum is quicker, and its first term exp(-s z) does not underflow.
MOST_TERMS = 700.0
NEGLIGIBLE = 1e-17

# Step and reach of the trapezoidal rule, in widths of the Beta density: together they leave errors below 1e-13.
STEP = 0.3
REACH = 9.0
TAIL = 40.0

# Below this (s + 1) p z the slope of f is taken from its power series, above it from its definition.
SMALL = 1e-3


def purchases_while_alive(
    s: NDArray[np.float64], a: float, B: NDArray[np.float64], z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the purchases to expect of customers who are alive now and may drop out after each.

    Parameters
    ----------
    s : ndarray, shape (n,)
        r + x, shape of the customer's purchase rate, above 0.
    a : float
        First parameter of the chance to drop out, above 0.
    B : ndarray, shape (n,)
        b + x, its second parameter, above 0.
    z : ndarray, shape (n, k)
        t / (alpha + T) for each horizon t, 0 or more.

    Returns
    -------
    ndarray of float64, shape (n, k)
        From 0 to s z, which is what those who never drop out would buy.
    """
    purchases: NDArray[np.float64] = _all_purchases(s, a, B, z)
    return purchases


@njit(cache=True, nogil=True)
def _all_purchases(
    s: NDArray[np.float64], a: float, B: NDArray[np.float64], z: NDArray[np.float64]
) -> NDArray[np.float64]:
    result = np.empty_like(z)
    for row in range(z.shape[0]):
        for column in range(z.shape[1]):
            result[row, column] = _purchases(s[row], a, B[row], z[row, column])
    return result


@njit(cache=True, nogil=True)
def _purchases(s: float, a: float, B: float, z: float) -> float:
    without_drop_out = s * z
    spread = math.sqrt(without_drop_out * (1 + z))
    terms = without_drop_out + 10 * spread + 40 * (1 + z)
    value: float = _sum_over_purchases(s, a, B, z) if terms < MOST_TERMS else _integral_over_drop_out(s, a, B, z)
    return min(value, without_drop_out)


@njit(cache=True, nogil=True)
def _sum_over_purchases(s: float, a: float, B: float, z: float) -> float:
    success = z / (1 + z)
    probability = math.exp(-s * math.log1p(z))  # P(N = n)
    survived = 1.0  # c_n
    purchases = 0.0  # c_0 + … + c_(n-1)
    total = 0.0
    n = 0
    while True:
        purchases += survived
        survived *= (B + n) / (a + B + n)
        probability *= success * (s + n) / (n + 1)
        n += 1
        total += probability * purchases
        # From here on probabilities fall at least as fast as a geometric series of this ratio, and purchases
        # grow at most as n does.
        ratio = success * max((s + n) / (n + 1), 1.0)
        if ratio < 1 and 2 * probability * purchases <= NEGLIGIBLE * total * (1 - ratio) ** 2:
            return total


@njit(cache=True, nogil=True)
def _integral_over_drop_out(s: float, a: float, B: float, z: float) -> float:
    c = a + B
    peak = math.log((a + 1) / (B + 1))
    width = math.sqrt((c + 2) / ((a + 1) * (B + 1)))
    # f is flat below p = 1 / (s z) and falls like 1 / p above, which pulls the mass towards small p.
    pulled = math.log1p(s * z) + TAIL / (a + 1)
    if a > 1:
        pulled = min(pulled, TAIL / (a - 1))
    start = peak - REACH * width - pulled
    end = peak + REACH * width + TAIL / (B + 1)
    step = STEP * min(1.0, width)
    log_peak = -(a + 1) * math.log1p(math.exp(-peak)) - (B + 1) * math.log1p(math.exp(peak))
    weights = 0.0
    total = 0.0
    for k in range(int((end - start) / step) + 1):
        y = start + k * step
        p = 1 / (1 + math.exp(-y))
        q = 1 / (1 + math.exp(y))  # 1 - p, without cancellation
        weight = math.exp((a + 1) * math.log(p) + (B + 1) * math.log(q) - log_peak)
        weights += weight
        total += weight * _integrand(s, a, B, z, p, q)
    return total / weights


@njit(cache=True, nogil=True)
def _integrand(s: float, a: float, B: float, z: float, p: float, q: float) -> float:
    c = a + B
    log_growth = math.log1p(p * z)
    f = -math.expm1(-s * log_growth) / p
    sum_slope = s * z * math.exp(-(s + 1) * log_growth)  # p f' + f
    small = (s + 1) * p * z
    if small < SMALL:
        # The definition below would subtract equal numbers; these are its first terms in p z.
        u = p * z
        fall = s * (s + 1) * z * z * (0.5 - (s + 2) * u / 3 + (s + 2) * (s + 3) * u * u / 8)
    else:
        fall = (f - sum_slope) / p  # -f'
    return a / c * (sum_slope + c * f) / (c + 1) + B / c * (f + q * fall / (c + 1))
