"""The regularised incomplete beta function I_u(a, b), callable from compiled code, with its slope.

scipy's can't be called from numba. This one takes the logarithm of u / (1 - u) in place of u, so that neither u nor
1 - u loses its digits near 0, and takes ln B(a, b) from the caller, who uses it for many u.

References
----------
.. [1] NIST Digital Library of Mathematical Functions, section 8.17: continued fraction 8.17.22, symmetry 8.17.4.
.. [2] Lentz, W. J. (1976), "Generating Bessel Functions in Mie Scattering Calculations Using Continued Fractions",
   Applied Optics 15 (3), 668-671; with the guard against zeros of Thompson & Barnett (1986).
"""

import math

from numba import njit

__all__ = ["incomplete_beta"]

MOST_STEPS = 100_000
ROUNDING = 3e-16
TINY = 1e-300


@njit(cache=True, nogil=True)
def incomplete_beta(log_odds: float, a: float, b: float, log_beta: float) -> tuple[float, float]:
    """Return I_u(a, b) and its derivative in the log-odds of u.

    Parameters
    ----------
    log_odds : float
        ln(u / (1 - u)), finite.
    a, b : float
        Above 0.
    log_beta : float
        ln B(a, b).

    Returns
    -------
    share : float
        From 0 to 1. As the distribution function of ln X it is that of X ~ BetaPrime(a, b), a ratio of two gamma
        variables with the shapes a and b.
    slope : float
        u^a (1 - u)^b / B(a, b), the density of ln X.
    """
    if log_odds > 0:
        odds_against = math.exp(-log_odds)
        u = 1 / (1 + odds_against)
        rest = odds_against * u
        log_rest = -log_odds - math.log1p(odds_against)
        log_u = -math.log1p(odds_against)
    else:
        odds = math.exp(log_odds)
        rest = 1 / (1 + odds)
        u = odds * rest
        log_u = log_odds - math.log1p(odds)
        log_rest = -math.log1p(odds)
    slope = math.exp(a * log_u + b * log_rest - log_beta)
    if slope == 0.0:
        # Out in a tail, or so narrow that there is nothing but tails.
        return (0.0 if u * (a + b) < a else 1.0), 0.0
    # The fraction converges fast below the mean; above it, that of the other side does.
    if u * (a + b + 2) < a + 1:
        share = slope / (a * _continued_fraction(u, a, b))
    else:
        share = 1 - slope / (b * _continued_fraction(rest, b, a))
    return min(max(share, 0.0), 1.0), slope


@njit(cache=True, nogil=True)
def _continued_fraction(u: float, a: float, b: float) -> float:
    """Return 1 + d_1/(1 + d_2/(1 + …)) with the d of [1]_, by the method of [2]_."""
    value = 1.0
    numerators = 1.0  # ratio of successive numerators of the convergents
    denominators = 0.0  # and of denominators, inverted
    for step in range(1, MOST_STEPS):
        m = step // 2
        if step % 2 == 0:
            d = m * (b - m) * u / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            d = -(a + m) * (a + b + m) * u / ((a + 2 * m) * (a + 2 * m + 1))
        denominators = 1 + d * denominators
        if abs(denominators) < TINY:
            denominators = TINY
        denominators = 1 / denominators
        numerators = 1 + d / numerators
        if abs(numerators) < TINY:
            numerators = TINY
        change = numerators * denominators
        value *= change
        if abs(change - 1) < ROUNDING:
            break
    return value
