"""The interface of every buy-till-you-die model, and the fitting that they share."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from models.btyd.checks import Column, Rule, checked_columns
from models.btyd.distinct import distinct_rows
from models.btyd.fit_notes import notes_on
from models.btyd.fitting import CUSTOMERS_FOR_STARTS, Bound, MeanLogLikelihood, Sample, maximise
from models.btyd.gamma_rate import log_likelihood_of_purchases, total_of_purchases
from models.btyd.histories import (
    DURATION_RULE,
    FREQUENCY_RULE,
    DistinctHistories,
    PurchaseHistories,
    count_rule,
)
from models.btyd.parametric import ParametricModel
from models.exceptions import FitError

__all__ = ["BuyTillYouDieModel", "checked_horizons"]

HORIZON_RULES = (
    Rule(
        "horizon",
        "finite times of 0 or more",
        lambda c: ~(np.isfinite(c["horizon"]) & (c["horizon"] >= 0)),
        "It is a length of time in the unit the model was fitted in.",
    ),
)

LIVING_RULES = (FREQUENCY_RULE, DURATION_RULE)

# Where the search of r sets out from; alpha follows from the mean rate of purchases, taken to be at least LEAST_RATE.
RATE_SHAPES = (0.3, 1.0, 3.0)
LEAST_RATE = 1e-3

# Someone who has just bought for the first time: x, t_x, T.
FIRST_PURCHASE = (0, 0, 0)


class BuyTillYouDieModel(ParametricModel):
    """A model of customers who buy at random times until, unseen, they stop for good.

    Times may be in any one unit (days throughout Regulars); parameters that carry a unit are in that one.

    While alive, all buy at a rate lambda ~ Gamma(shape ``r``, rate ``alpha``), ``alpha`` being a length of time. How
    they drop out is the subclass's, with two parameters: more of the first and less of the second is more drop-out. A
    subclass holds only that mathematics; checking, scaling of time, counting of equal histories, the search and the
    certificate are here.
    """

    time_parameters: ClassVar[tuple[str, ...]]
    """The parameters that are lengths of time."""

    bounds: ClassVar[Mapping[str, Bound]]
    """The range of each parameter during the search, in scaled time (the longest T is 10)."""

    drop_out_starts: ClassVar[tuple[tuple[float, float], ...]]
    """Where the search of the two parameters of drop-out sets out from, in scaled time, for each of `RATE_SHAPES`."""

    def fit(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """Find the parameters under which the histories are most likely.

        Parameters
        ----------
        frequency : array_like, shape (n,)
            x, repeat purchase days: whole numbers, 0 or more.
        recency : array_like, shape (n,)
            t_x, time from first to last purchase; 0 exactly where frequency is 0.
        T : array_like, shape (n,)
            Time from first purchase to the end of observation, at least t_x.

        Returns
        -------
        self
            With ``params_``, ``log_likelihood_``, ``n_customers_`` and ``certificate_``. The parameters are finite
            for any legal data, however poor; the certificate says what they are worth.

        Raises
        ------
        InputError
            If the columns aren't legal histories.
        FitError
            If there are no customers at all.
        """
        checked = PurchaseHistories.checked(frequency, recency, T)
        if len(checked) == 0:
            raise FitError(f"{self.name}: expected at least one customer, got none. Widen the period or the filter.")
        histories = checked.distinct()
        unit = histories.unit
        optimum = maximise(
            self._objective(histories),
            starts=self._starts(histories),
            bounds=self.bounds,
            n_customers=histories.n_customers,
            sample=self._sample(histories),
            units=dict.fromkeys(self.time_parameters, unit),
        )
        self.params_ = optimum.params
        # A purchase time is a density: in another unit it changes by that unit, once for each purchase.
        self.log_likelihood_ = float(
            histories.n_customers * optimum.mean_log_likelihood - histories.n_purchases * np.log(unit)
        )
        self.n_customers_ = histories.n_customers
        notes = optimum.certificate.notes + notes_on(optimum, histories)
        self.certificate_ = replace(optimum.certificate, notes=notes)
        return self

    def _objective(self, histories: DistinctHistories) -> MeanLogLikelihood:
        def mean_log_likelihood(log_params: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            params = np.exp(log_params)
            value, slopes = self._total_of_drop_out(params, histories)
            of_purchases, slope_r, slope_alpha = total_of_purchases(params[0], params[1], histories)
            gradient = params * (slopes + np.array([slope_r, slope_alpha, 0.0, 0.0]))
            return (of_purchases + value) / histories.n_customers, gradient / histories.n_customers

        return mean_log_likelihood

    def _starts(self, histories: DistinctHistories) -> list[dict[str, float]]:
        rate = max(histories.purchase_rate, LEAST_RATE)
        return [
            dict(zip(self.parameter_names, (r, r / rate, *drop_out), strict=True))
            for r, drop_out in zip(RATE_SHAPES, self.drop_out_starts, strict=True)
        ]

    def _sample(self, histories: DistinctHistories) -> Sample | None:
        if histories.n_customers <= CUSTOMERS_FOR_STARTS:
            return None
        some = histories.sample(CUSTOMERS_FOR_STARTS)
        return Sample(self._objective(some), some.n_customers)

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> NDArray[np.float64]:
        """Return the log-likelihood of each customer's history, shape (n,)."""
        self._fitted()
        histories = PurchaseHistories.checked(frequency, recency, T)
        # A history is that of somebody still alive or of somebody lost by T: the sum of both, in logarithms.
        either_way = np.logaddexp(0, self._log_odds_lost(histories))
        purchases = log_likelihood_of_purchases(
            self.params_["r"], self.params_["alpha"], histories.frequency, histories.T
        )
        return np.asarray(purchases + self._log_survived(histories) + either_way)

    def p_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that each customer is still one at T, shape (n,), from 0 to 1."""
        self._fitted()
        return self.p_alive_of(PurchaseHistories.checked(frequency, recency, T))

    def p_alive_of(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        """Return `p_alive` of histories that are checked already: for one customer, checking is most of the work."""
        return np.asarray(expit(-self._log_odds_lost(histories)))

    def expected_purchases(
        self, horizon: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> NDArray[np.float64]:
        """Return how many purchase days to expect of each customer in (T, T + horizon], shape (n,)."""
        only_horizon: NDArray[np.float64] = self.expected_purchases_by(horizon, frequency, recency, T)[:, 0]
        return only_horizon

    def expected_purchases_by(
        self, horizons: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> NDArray[np.float64]:
        """Return how many purchase days to expect of each customer by the end of several horizons.

        Parameters
        ----------
        horizons : array_like, shape (k,)
            Lengths of time after T, 0 or more, in the unit of the fit.
        frequency, recency, T : array_like, shape (n,)
            As in ``fit``.

        Returns
        -------
        ndarray of float64, shape (n, k)
            Finite, 0 or more, not falling as the horizon grows.

        Raises
        ------
        NotFittedError
            If ``fit`` has not been called.
        InputError
            If horizons or histories aren't legal.
        """
        self._fitted()
        ends, histories = checked_horizons(horizons), PurchaseHistories.checked(frequency, recency, T)
        x, last, inverse = _living(histories)
        while_alive = self._purchases_while_alive(ends, x, last)
        return self.p_alive_of(histories)[:, np.newaxis] * while_alive[inverse]

    def expected_purchases_new_customer(self, horizon: ArrayLike) -> NDArray[np.float64]:
        """Return E[X(t)], the repeat purchase days to expect of a new customer by each horizon, shape (k,)."""
        only_customer: NDArray[np.float64] = self.expected_purchases_by(horizon, *FIRST_PURCHASE)[0]
        return only_customer

    def probability_of_n_purchases(
        self, n: ArrayLike, horizon: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> NDArray[np.float64]:
        """Return how probable it is that each customer has exactly n purchase days in (T, T + horizon].

        Parameters
        ----------
        n : array_like, shape (k,)
            Whole numbers, 0 or more. Work and memory grow with the largest.
        horizon : float
            0 or more, in the unit of the fit.
        frequency, recency, T : array_like, shape (customers,)
            As in ``fit``.

        Returns
        -------
        ndarray of float64, shape (customers, k)
            From 0 to 1; over all n they sum to 1.
        """
        self._fitted()
        counts = checked_columns({"n": n}, (count_rule("n", "It counts purchase days."),))["n"].astype(np.intp)
        end = float(checked_horizons(horizon)[0])
        histories = PurchaseHistories.checked(frequency, recency, T)
        x, last, inverse = _living(histories)
        while_alive = self._counts_while_alive(int(counts.max(initial=0)), end, x, last)[:, counts]
        log_odds_lost = self._log_odds_lost(histories)[:, np.newaxis]
        return np.asarray(expit(-log_odds_lost) * while_alive[inverse] + expit(log_odds_lost) * (counts == 0))

    def probability_of_n_purchases_new_customer(self, n: ArrayLike, horizon: float) -> NDArray[np.float64]:
        """Return P(X(t) = n), the probability that a new customer buys n times again by the horizon, shape (k,).

        Parameters
        ----------
        n : array_like, shape (k,)
            Whole numbers, 0 or more.
        horizon : float
            t, 0 or more.
        """
        only_customer: NDArray[np.float64] = self.probability_of_n_purchases(n, horizon, *FIRST_PURCHASE)[0]
        return only_customer

    def probability_of_no_purchase(
        self, horizons: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> NDArray[np.float64]:
        """Return how probable it is that a customer stays away throughout (T, T + h], shape (customers, k).

        Parameters
        ----------
        horizons : array_like, shape (k,)
            Lengths h of time after T, 0 or more, in the unit of the fit.
        frequency, recency, T : array_like, shape (customers,)
            As in ``fit``.

        Returns
        -------
        ndarray of float64, shape (customers, k)
            From 0 to 1, not rising as the horizon grows.
        """
        self._fitted()
        ends, histories = checked_horizons(horizons), PurchaseHistories.checked(frequency, recency, T)
        x, last, inverse = _living(histories)
        while_alive = self._no_purchase_while_alive(ends, x, last)
        log_odds_lost = self._log_odds_lost(histories)[:, np.newaxis]
        return np.asarray(expit(-log_odds_lost) * while_alive[inverse] + expit(log_odds_lost))

    def counts_while_alive(
        self, highest: int, horizon: float, frequency: ArrayLike, T: ArrayLike
    ) -> NDArray[np.float64]:
        """Return how probable each number of purchase days in (T, T + horizon] is for those alive at T.

        What is to come of the living depends on frequency and T only: pass each distinct pair once. For a customer,
        ``P(N = n) = (1 - p_alive) [n = 0] + p_alive counts_while_alive[n]``.

        Parameters
        ----------
        highest : int
            The largest number asked for, 0 or more.
        horizon : float
            0 or more, in the unit of the fit.
        frequency, T : array_like, shape (m,)
            As in ``fit``.

        Returns
        -------
        ndarray of float64, shape (m, highest + 1)
            P(N = n | alive at T) for n = 0 … highest; what lacks to 1 is the probability of more.

        Raises
        ------
        NotFittedError
            If ``fit`` has not been called.
        InputError
            If highest, horizon or columns aren't legal.
        """
        self._fitted()
        columns = checked_columns({"frequency": frequency, "T": T}, LIVING_RULES)
        most = checked_columns({"highest": highest}, (count_rule("highest", "It counts purchase days."),))["highest"]
        end = float(checked_horizons(horizon)[0])
        return self._counts_while_alive(int(most[0]), end, columns["frequency"], columns["T"])

    def counts_while_alive_of(self, highest: int, horizon: float, histories: PurchaseHistories) -> NDArray[np.float64]:
        """Return `counts_while_alive` of histories that are checked already, with a checked horizon."""
        return self._counts_while_alive(highest, horizon, histories.frequency, histories.T)

    @abstractmethod
    def _total_of_drop_out(
        self, params: NDArray[np.float64], histories: DistinctHistories
    ) -> tuple[float, NDArray[np.float64]]:
        """Return what drop-out adds to the log-likelihood of the purchases, summed over customers, with its gradient.

        For each customer that is ``ln P(alive at T) + ln(1 + odds of having been lost by T)``; the gradient is in the
        parameters themselves, shape (4,).
        """

    @abstractmethod
    def _log_survived(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        """Return the log-probability of not having dropped out by T, given the purchases up to T, shape (n,)."""

    @abstractmethod
    def _log_odds_lost(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        """Return the log-odds of having dropped out by T, shape (n,); -inf where that can't be."""

    @abstractmethod
    def _purchases_while_alive(self, horizons: Column, x: Column, T: Column) -> NDArray[np.float64]:
        """Return what to expect by each horizon of those alive at T, shape (m, k)."""

    @abstractmethod
    def _counts_while_alive(self, highest: int, horizon: float, x: Column, T: Column) -> NDArray[np.float64]:
        """Return the probabilities of 0 … highest purchases of those alive at T, shape (m, highest + 1)."""

    @abstractmethod
    def _no_purchase_while_alive(self, horizons: Column, x: Column, T: Column) -> NDArray[np.float64]:
        """Return the probability that those alive at T don't buy by each horizon, shape (m, k)."""


def checked_horizons(horizons: ArrayLike) -> Column:
    """Return lengths of time as a column; raises `InputError` for what is none."""
    return checked_columns({"horizon": horizons}, HORIZON_RULES)["horizon"]


def _living(histories: PurchaseHistories) -> tuple[Column, Column, NDArray[np.intp]]:
    """Return the distinct (x, T), which many customers share, and for each customer which of them is his."""
    first, inverse = distinct_rows(histories.frequency, histories.T)
    return histories.frequency[first], histories.T[first], inverse
