"""How probable it is that a customer who buys no more is lost: the integral over the unseen time of death.

In the Pareto/NBD a customer buys at a rate ~ Gamma(shape R, rate A) and dies at a rate ~ Gamma(shape s, rate B). That
nothing comes for a time t because of death at some u within it has the density, relative to nothing until u and life at
0,::

    D = integral over u from 0 to t of  s (A / (A + u))^R (B / (B + u))^s / (B + u)  du

Schmittlein, Morrison & Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?", Management
Science 33 (1), and Fader & Hardie (2005), "A Note on Deriving the Pareto/NBD Model and Related Expressions", on
brucehardie.com, give it as a difference of two hypergeometric functions, which cancels for short silences and fails for
frequent buyers. The integrand itself is positive and smooth, and its slopes in the parameters come from the same nodes.

With c the lesser of A and B, u = c (e^g - 1): in g the nearest singularity is at a distance of pi, and the integrand
falls off (after rising, if it does) ever faster. Gauss-Legendre on pieces over which neither g nor the logarithm of the
integrand changes by much then leaves errors of rounding size.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["log_odds_of_death", "total_of_deaths"]

Vector = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)

# The most by which g and the logarithm of the integrand change over a piece.
LONGEST = 3.0
STEEPEST = 8.0

# Where the integrand has fallen by this factor from its top, in logarithms, the rest is nothing.
NEGLIGIBLE = -40.0


def log_odds_of_death(R: Vector, A: Vector, s: float, B: Vector, t: Vector) -> Vector:
    """Return the log-odds of having died within a silence, rather than living on until its end.

    Parameters
    ----------
    R, A : ndarray, shape (m,)
        Shape and rate of the purchase rate, as known at the last purchase, above 0.
    s : float
        Shape of the death rate, above 0.
    B : ndarray, shape (m,)
        Its rate, as known at the last purchase, above 0.
    t : ndarray, shape (m,)
        The silence, 0 or more.

    Returns
    -------
    ndarray of float64, shape (m,)
        ``ln D + R ln(1 + t / A) + s ln(1 + t / B)``; -inf where t is 0.
    """
    log_odds: Vector = _all_log_odds(R, A, s, B, t)
    return log_odds


@njit(cache=True, nogil=True)
def _all_log_odds(R: Vector, A: Vector, s: float, B: Vector, t: Vector) -> Vector:
    result = np.empty(len(t))
    moments = np.empty(5)
    for row in range(len(t)):
        _integrate(R[row], A[row], s, B[row], t[row], moments)
        log_integral = math.log(s * moments[0]) if moments[0] > 0 else -math.inf
        result[row] = log_integral + R[row] * math.log1p(t[row] / A[row]) + s * math.log1p(t[row] / B[row])
    return result


@njit(cache=True, nogil=True)
def total_of_deaths(
    params: Vector,
    x: NDArray[np.intp],
    t_x: Vector,
    T: Vector,
    t_x_index: NDArray[np.intp],
    T_index: NDArray[np.intp],
    counts: Vector,
) -> tuple[float, float, float, float, float]:
    """Sum ln(1 + odds of death in the silence from t_x to T) over rows, with slopes in r, alpha, s and beta.

    ``t_x`` and ``T`` hold the distinct times, the indices which of them is a row's; ``counts`` the customers of a row.
    """
    r, alpha, s, beta = params
    value, slope_r, slope_alpha, slope_s, slope_beta = 0.0, 0.0, 0.0, 0.0, 0.0
    moments = np.empty(5)
    for row in range(len(x)):
        last, end = t_x[t_x_index[row]], T[T_index[row]]
        R, A, B, t = r + x[row], alpha + last, beta + last, end - last
        _integrate(R, A, s, B, t, moments)
        integral = moments[0]
        if integral == 0:  # the last purchase was today: no time to have died in
            continue
        buying, living = math.log1p(t / A), math.log1p(t / B)
        log_odds = math.log(s * integral) + R * buying + s * living
        small = math.exp(-abs(log_odds))
        value += counts[row] * (max(log_odds, 0.0) + math.log1p(small))
        dead = counts[row] * (1.0 if log_odds > 0 else small) / (1 + small)
        slope_r += dead * (buying - moments[1] / integral)
        slope_alpha += dead * R * (1 / (A + t) - moments[3] / integral)
        slope_s += dead * (1 / s + living - moments[2] / integral)
        slope_beta += dead * (s / (B + t) - (s + 1) * moments[4] / integral)
    return value, slope_r, slope_alpha, slope_s, slope_beta


@njit(cache=True, nogil=True)
def _integrate(R: float, A: float, s: float, B: float, t: float, moments: Vector) -> None:
    """Fill in the integral D / s, and those with the factors ln(1 + u/A), ln(1 + u/B), 1/(A + u), 1/(B + u)."""
    moments[:] = 0.0
    dies_later = A <= B
    c = A if dies_later else B
    log_share = math.log(c / B)
    end = math.log1p(t / c)
    g, top = 0.0, -math.inf
    while g < end:
        step = min(LONGEST, end - g)
        # How fast the integrand falls only grows with g.
        while step * _steepness(R, A, s, B, c, g + step) > STEEPEST:
            step /= 2
        height = -math.inf
        for node in range(len(NODES)):
            at = g + step * (1 + NODES[node]) / 2
            u = c * math.expm1(at)
            buying = at if dies_later else math.log1p(u / A)
            living = math.log1p(u / B) if dies_later else at
            # du = (c + u) dg, and ln((c + u) / (B + u)) = at - living + ln(c / B).
            log_integrand = log_share + at - R * buying - (s + 1) * living
            weight = step / 2 * WEIGHTS[node] * math.exp(log_integrand)
            moments[0] += weight
            moments[1] += weight * buying
            moments[2] += weight * living
            moments[3] += weight / (A + u)
            moments[4] += weight / (B + u)
            height = log_integrand
        top = max(top, height)
        if height < top + NEGLIGIBLE:
            break
        g = g + step if g + step < end and step > 0 else end


@njit(cache=True, nogil=True)
def _steepness(R: float, A: float, s: float, B: float, c: float, g: float) -> float:
    u = c * math.expm1(g)
    return (c + u) * (R / (A + u) + s / (B + u))
