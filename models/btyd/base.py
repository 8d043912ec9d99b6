"""The interface of every buy-till-you-die model, and the fitting that they share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.btyd.checks import Column, Rule, checked_columns
from models.btyd.fitting import Bound, Optimum, maximise
from models.btyd.histories import DistinctHistories, PurchaseHistories, count_rule
from models.btyd.parametric import ParametricModel
from models.exceptions import FitError

__all__ = ["BuyTillYouDieModel"]

HORIZON_RULES = (
    Rule(
        "horizon",
        "finite times of 0 or more",
        lambda c: ~(np.isfinite(c["horizon"]) & (c["horizon"] >= 0)),
        "It is a length of time in the unit the model was fitted in.",
    ),
)


class BuyTillYouDieModel(ParametricModel):
    """A model of customers who buy at random times until, unseen, they stop for good.

    Times may be in any one unit (days throughout Regulars); parameters that carry a unit are in that one.

    A subclass holds only its mathematics: the likelihood with its gradient, and the predictions. Checking, scaling of
    time, counting of equal histories, the search and the certificate are here.
    """

    time_parameters: ClassVar[tuple[str, ...]]
    """The parameters that are lengths of time."""

    bounds: ClassVar[Mapping[str, Bound]]
    """The range of each parameter during the search, in scaled time (the longest T is 10)."""

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
        optimum = maximise(
            lambda log_params: self._mean_log_likelihood(np.exp(log_params), histories),
            starts=self._starts(histories),
            bounds=self.bounds,
        )
        unit = histories.unit
        self.params_ = {
            name: value * unit if name in self.time_parameters else value for name, value in optimum.params.items()
        }
        # A purchase time is a density: in another unit it changes by that unit, once for each purchase.
        self.log_likelihood_ = float(
            histories.n_customers * optimum.mean_log_likelihood - histories.n_purchases * np.log(unit)
        )
        self.n_customers_ = histories.n_customers
        notes = optimum.certificate.notes + self._notes(optimum, histories)
        self.certificate_ = replace(optimum.certificate, notes=notes)
        return self

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> NDArray[np.float64]:
        """Return the log-likelihood of each customer's history, shape (n,)."""
        self._fitted()
        return self._log_likelihood(PurchaseHistories.checked(frequency, recency, T))

    def p_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that each customer is still one at T, shape (n,), from 0 to 1."""
        self._fitted()
        return self._p_alive(PurchaseHistories.checked(frequency, recency, T))

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
        ends = _checked_horizons(horizons)
        return self._expected_purchases_by(ends, PurchaseHistories.checked(frequency, recency, T))

    def expected_purchases_new_customer(self, horizon: ArrayLike) -> NDArray[np.float64]:
        """Return E[X(t)], the repeat purchase days to expect of a new customer by each horizon, shape (k,)."""
        self._fitted()
        # Someone who has just bought for the first time is the customer with x = t_x = T = 0.
        first_purchase = PurchaseHistories.checked(0, 0, 0)
        only_customer: NDArray[np.float64] = self._expected_purchases_by(_checked_horizons(horizon), first_purchase)[0]
        return only_customer

    def probability_of_n_purchases(self, n: ArrayLike, horizon: float) -> NDArray[np.float64]:
        """Return P(X(t) = n), the probability that a new customer buys n times again by the horizon, shape (k,).

        Parameters
        ----------
        n : array_like, shape (k,)
            Whole numbers, 0 or more.
        horizon : float
            t, 0 or more.
        """
        self._fitted()
        counts = checked_columns({"n": n}, (count_rule("n", "It counts repeat purchase days."),))["n"]
        return self._probability_of_n_purchases(counts, float(_checked_horizons(horizon)[0]))

    @abstractmethod
    def _starts(self, histories: DistinctHistories) -> Sequence[Mapping[str, float]]:
        """Return parameters to start the search from, in scaled time."""

    @abstractmethod
    def _mean_log_likelihood(
        self, params: NDArray[np.float64], histories: DistinctHistories
    ) -> tuple[float, NDArray[np.float64]]:
        """Return the mean log-likelihood of a customer, and its gradient in the logarithms of the parameters."""

    @abstractmethod
    def _notes(self, optimum: Optimum, histories: DistinctHistories) -> tuple[str, ...]:
        """Say in plain words what a reader must know of parameters that ended on a bound."""

    @abstractmethod
    def _log_likelihood(self, histories: PurchaseHistories) -> NDArray[np.float64]: ...

    @abstractmethod
    def _p_alive(self, histories: PurchaseHistories) -> NDArray[np.float64]: ...

    @abstractmethod
    def _expected_purchases_by(self, horizons: Column, histories: PurchaseHistories) -> NDArray[np.float64]: ...

    @abstractmethod
    def _probability_of_n_purchases(self, n: Column, horizon: float) -> NDArray[np.float64]: ...


def _checked_horizons(horizons: ArrayLike) -> Column:
    return checked_columns({"horizon": horizons}, HORIZON_RULES)["horizon"]
