"""What each customer's purchases to come will be worth: the whole predictive distribution, and intervals from it.

A customer's purchases are worth Gamma(shape p, rate nu) each, and after x repeat purchases of the mean value m, nu is
Gamma(shape q + p x, rate v + m x) [1]_. The sum S of n purchases to come is Gamma(p n, nu), and with nu unknown
``S / (v + m x)`` is a beta prime variable of the shapes p n and q + p x. With the predictive counts of ``counts``::

    P(S <= s) = P(N = 0) + sum over n of P(N = n) I_u(p n, q + p x),     u = s / (s + v + m x)

Three approximations, each held by a test:

- That p, q and v are estimates is allowed for by widening the distribution of ln nu: to its variance trigamma(q + p x)
  the delta method's variance of ln p - E[ln nu] is added, its mean kept.
- Money is discounted by the ratio of discounted to undiscounted expected purchases of such a customer, whatever n is.
- Beyond 8 purchases, neighbouring n are replaced in groups by two that have the same first four moments (0 to 3).

References
----------
.. [1] Fader, Peter S. and Bruce G. S. Hardie (2013), "The Gamma-Gamma Model of Monetary Value", note 025 on
   brucehardie.com.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import polygamma, psi

from models.btyd.base import BuyTillYouDieModel
from models.btyd.distinct import distinct_rows
from models.btyd.gamma_gamma import GammaGammaModel
from models.btyd.histories import PurchaseHistories
from models.clv import DEFAULT_TERMS, ClvTerms
from models.exceptions import InputError
from models.predictive.counts import ALL_BUT_NOTHING, count_blocks
from models.predictive.interval import DEFAULT_LEVEL, Interval, tails
from models.predictive.recalibration import IDENTITY, Recalibration
from models.predictive.sigma_points import covariance_of
from models.predictive.spend import spend_cdf, spend_quantiles

__all__ = ["ValueLevels", "clv_interval", "value_cdf", "value_levels"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class ValueLevels:
    """The posterior of nu, which sets the level of a customer's values: Gamma(shape, rate).

    Attributes
    ----------
    shape : ndarray of float64, shape (n,)
    rate : ndarray of float64, shape (n,)
        In money.
    """

    shape: FloatArray
    rate: FloatArray


def clv_interval(
    btyd: BuyTillYouDieModel,
    gamma_gamma: GammaGammaModel,
    *,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    monetary_value: ArrayLike,
    terms: ClvTerms = DEFAULT_TERMS,
    level: float = DEFAULT_LEVEL,
    recalibration: Recalibration = IDENTITY,
) -> Interval:
    """Return between which amounts the clv of each customer will lie.

    Parameters
    ----------
    btyd : BuyTillYouDieModel
        Fitted in days.
    gamma_gamma : GammaGammaModel
        Fitted.
    frequency, recency, T : array_like, shape (n,)
        x, t_x and T in days.
    monetary_value : array_like, shape (n,)
        Mean value of the repeat purchase days, 0 or more; not read where frequency is 0.
    terms : ClvTerms
        Horizon, discount, margin, periods and calibration factor, as for the clv itself.
    level : float
        Probability that the interval holds, between 0 and 1.
    recalibration : Recalibration
        Of the counts, learnt on an earlier period. Habits that drift within a quarter drift within a year too, so that
        it is used for the longer horizon as well: a first correction, which can't be checked there.

    Returns
    -------
    Interval
        Money, 0 or more, finite; 0 where no purchase at all is more probable than the tail.

    Raises
    ------
    NotFittedError
        If a model is not fitted.
    InputError
        If level or a column isn't legal.
    """
    low_tail, high_tail = tails(level)
    customers = _Customers.checked(gamma_gamma, frequency, recency, T, monetary_value)
    p = gamma_gamma.params_["p"]
    low, high = np.empty(len(customers.first)), np.empty(len(customers.first))
    for rows, cdf in customers.counts(btyd, terms.horizon_days, recalibration):
        levels = customers.levels(rows)
        low[rows] = spend_quantiles(cdf, p, levels.shape, low_tail) * levels.rate
        high[rows] = spend_quantiles(cdf, p, levels.shape, high_tail) * levels.rate
    worth = _worth_of_money(btyd, customers.histories, terms)
    return Interval((low * worth)[customers.inverse], (high * worth)[customers.inverse])


def value_cdf(
    btyd: BuyTillYouDieModel,
    gamma_gamma: GammaGammaModel,
    spent: ArrayLike,
    *,
    horizon_days: float,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    monetary_value: ArrayLike,
    recalibration: Recalibration = IDENTITY,
) -> tuple[FloatArray, FloatArray]:
    """Return how probable less undiscounted spend than a given amount was, and no more than it, each of shape (n,).

    They differ at 0 only, where nothing was bought.

    Parameters
    ----------
    btyd, gamma_gamma, frequency, recency, T, monetary_value, recalibration
        As in ``clv_interval``.
    spent : array_like, shape (n,)
        What came within the horizon, 0 or more.
    horizon_days : float
        0 or more.

    Returns
    -------
    below, at_most : ndarray of float64, shape (n,)

    Raises
    ------
    NotFittedError, InputError
    """
    outcome = np.asarray(spent, dtype=np.float64)
    if not (np.isfinite(outcome) & (outcome >= 0)).all():
        raise InputError("spent: expected finite amounts of 0 or more. Count net refunds as 0.")
    customers = _Customers.checked(gamma_gamma, frequency, recency, T, monetary_value, spent=outcome)
    p = gamma_gamma.params_["p"]
    at_most = np.empty(len(customers.first))
    for rows, cdf in customers.counts(btyd, horizon_days, recalibration):
        levels = customers.levels(rows)
        at_most[rows] = spend_cdf(cdf, p, levels.shape, outcome[customers.first[rows]] / levels.rate)
    return np.where(outcome > 0, at_most[customers.inverse], 0.0), at_most[customers.inverse]


@dataclass(frozen=True, slots=True, eq=False)
class _Customers:
    """The distinct customers among those asked for: one-time buyers of one day are all alike.

    Attributes
    ----------
    first, inverse : ndarray of intp, shapes (m,) and (n,)
        A position of each, and which one each row is.
    histories : PurchaseHistories
        Of length m, sorted by frequency, then T.
    monetary_value : ndarray of float64, shape (m,)
        0 for one-time buyers.
    gamma_gamma : GammaGammaModel
    """

    first: IndexArray
    inverse: IndexArray
    histories: PurchaseHistories
    monetary_value: FloatArray
    gamma_gamma: GammaGammaModel

    @classmethod
    def checked(
        cls,
        gamma_gamma: GammaGammaModel,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        monetary_value: ArrayLike,
        spent: FloatArray | None = None,
    ) -> "_Customers":
        """Check the columns; customers who spent different amounts are different ones."""
        histories = PurchaseHistories.checked(frequency, recency, T)
        gamma_gamma.expected_average_value(frequency, monetary_value)  # checks the pair of columns
        x = histories.frequency
        value = np.where(x > 0, np.asarray(monetary_value, dtype=np.float64), 0.0)
        columns = (x, histories.T, histories.recency, value)
        first, inverse = distinct_rows(*columns) if spent is None else distinct_rows(*columns, spent)
        distinct = PurchaseHistories(x[first], histories.recency[first], histories.T[first])
        return cls(first, inverse, distinct, value[first], gamma_gamma)

    def counts(
        self, btyd: BuyTillYouDieModel, horizon_days: float, recalibration: Recalibration
    ) -> Iterator[tuple[IndexArray, FloatArray]]:
        """Give rows and their recalibrated distribution of counts, whose last column is 1."""
        for block in count_blocks(btyd, horizon_days, self.histories, reach=ALL_BUT_NOTHING):
            cdf = recalibration(block.cdf).copy()
            cdf[:, -1] = 1.0
            yield block.rows, cdf

    def levels(self, rows: IndexArray) -> ValueLevels:
        """Return what is known of the level of their values."""
        return value_levels(self.gamma_gamma, self.histories.frequency[rows], self.monetary_value[rows])


def value_levels(gamma_gamma: GammaGammaModel, frequency: FloatArray, monetary_value: FloatArray) -> ValueLevels:
    """Return the posterior of nu, widened by what is not known of p, q and v; each part of shape (n,).

    Parameters
    ----------
    gamma_gamma : GammaGammaModel
        Fitted.
    frequency, monetary_value : ndarray of float64, shape (n,)
        x, and m, 0 where x is 0.
    """
    p, q, v = gamma_gamma.params_.values()
    shape, rate = q + p * frequency, v + frequency * monetary_value
    covariance = covariance_of(gamma_gamma)
    if not covariance.any():
        return ValueLevels(shape, rate)
    # Slopes of E[ln(p / nu)] = ln p - psi(q + p x) + ln(v + m x) in ln p, ln q and ln v.
    curvature = np.asarray(polygamma(1, shape))
    slopes = (1 - curvature * p * frequency, -curvature * q, v / rate)
    # Term by term, in one order whatever the number of rows.
    variance = np.zeros(len(shape))
    for row, first in zip(covariance.tolist(), slopes, strict=True):
        for entry, second in zip(row, slopes, strict=True):
            variance += entry * first * second
    variance = np.maximum(variance, 0.0)
    # Solves trigamma(wider) = trigamma(shape) + variance with trigamma(s) = 1 / (s - 1/2): 1 % off at s = 3.7.
    wider = 0.5 + 1 / (1 / (shape - 0.5) + variance)
    return ValueLevels(wider, rate * np.exp(psi(wider) - psi(shape)))


def _worth_of_money(btyd: BuyTillYouDieModel, histories: PurchaseHistories, terms: ClvTerms) -> FloatArray:
    """Return what a unit spent within the horizon is worth today on average, margin and calibration included.

    When purchases come within the horizon depends on frequency and T only, given that the customer is alive.
    """
    first, inverse = distinct_rows(histories.frequency, histories.T)
    x, T = histories.frequency[first], histories.T[first]
    by_end = btyd.expected_purchases_by(terms.period_ends(), x, np.where(x > 0, T, 0.0), T)
    purchases = np.maximum(np.diff(by_end, axis=1, prepend=0.0), 0.0)
    # Not BLAS, whose last digit may depend on the number of rows.
    discounted, total = np.sum(purchases * terms.discount_factors(), axis=1), np.sum(purchases, axis=1)
    kept = np.divide(discounted, total, out=np.ones(len(total)), where=total > 0)
    return np.asarray(kept * (terms.margin * terms.calibration_factor))[inverse]
