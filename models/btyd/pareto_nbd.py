"""The Pareto/NBD model of repeat purchases.

While a customer is alive, purchases come at random with a rate lambda ~ Gamma(shape r, rate alpha). He is lost for good
at a time of his own, whether he buys or not: after a life ~ Exponential(mu), with mu ~ Gamma(shape s, rate beta).

References
----------
.. [1] Schmittlein, David C., Donald G. Morrison, and Richard Colombo (1987), "Counting Your Customers: Who Are They and
   What Will They Do Next?", Management Science, 33 (1), 1-24.
.. [2] Fader, Peter S. and Bruce G. S. Hardie (2005), "A Note on Deriving the Pareto/NBD Model and Related Expressions",
   on brucehardie.com.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import exprel

from models.btyd import lifetimes_bridge
from models.btyd.base import BuyTillYouDieModel
from models.btyd.checks import Column
from models.btyd.counts_until_death import counts_until_death
from models.btyd.fitting import Bound
from models.btyd.histories import DistinctHistories, PurchaseHistories
from models.btyd.unseen_death import log_odds_of_death, total_of_deaths
from models.btyd.weighted_sum import weighted_sum

if TYPE_CHECKING:
    from lifetimes import ParetoNBDFitter

__all__ = ["ParetoModel"]


class ParetoModel(BuyTillYouDieModel):
    """Pareto/NBD: gamma-distributed purchase rates, Pareto-distributed lives [1]_.

    The parameters are ``r`` and ``alpha`` (a length of time) of the purchase rate, ``s`` and ``beta`` (a length of
    time) of the death rate. All of it is computed from the integrals that [2]_ derives the closed forms from: each of
    those is a difference of hypergeometric functions.

    Examples
    --------
    >>> model = ParetoModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669)  # CDNOW, weeks
    >>> float(model.p_alive(26, 30.857, 31)[0].round(4))
    0.9979
    """

    name: ClassVar[str] = "pareto_nbd"
    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    bounds: ClassVar[Mapping[str, Bound]] = {
        "r": (1e-6, 1e4),
        "alpha": (1e-6, 1e6),
        "s": (1e-6, 1e4),
        "beta": (1e-6, 1e6),
    }
    drop_out_starts: ClassVar[tuple[tuple[float, float], ...]] = ((0.6, 3.0), (0.3, 10.0), (2.0, 20.0))

    @classmethod
    def from_lifetimes(cls, fitter: "ParetoNBDFitter") -> Self:
        """Take over the parameters of a fitted ``lifetimes.ParetoNBDFitter``."""
        return cls.from_params(**lifetimes_bridge.fitted_params(fitter, cls.parameter_names))

    def to_lifetimes(self) -> "ParetoNBDFitter":
        """Return a ``lifetimes.ParetoNBDFitter`` that predicts with these parameters."""
        return lifetimes_bridge.pareto_nbd_fitter(self._fitted())

    def _total_of_drop_out(
        self, params: NDArray[np.float64], histories: DistinctHistories
    ) -> tuple[float, NDArray[np.float64]]:
        """Equation (18) of [2]_ before integration, relative to the density of the purchases."""
        _, _, s, beta = params
        T, customers = histories.T.values, histories.customers_by_duration
        ageing = weighted_sum(customers, np.log1p(T / beta))
        either_way, *slopes = total_of_deaths(
            params,
            histories.frequency,
            histories.recency.values,
            T,
            histories.recency.index,
            histories.T.index,
            histories.counts,
        )
        survival_slopes = np.array([0.0, 0.0, -ageing, s / beta * np.sum(customers * T / (beta + T))])
        return either_way - s * ageing, np.array(slopes) + survival_slopes

    def _log_survived(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        return np.asarray(-self.params_["s"] * np.log1p(histories.T / self.params_["beta"]))

    def _log_odds_lost(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        r, alpha, s, beta = self.params_.values()
        last = histories.recency
        return log_odds_of_death(r + histories.frequency, alpha + last, s, beta + last, histories.T - last)

    def _purchases_while_alive(self, horizons: Column, x: Column, T: Column) -> NDArray[np.float64]:
        """Equation (41) of [2]_ without P(alive): the mean rate times the mean time lived within the horizon.

        That time is ``(beta + T) (1 - e^((1 - s) g)) / (s - 1)`` with ``g = ln(1 + t / (beta + T))``, written so that
        s = 1 is no exception.
        """
        r, alpha, s, beta = self.params_.values()
        ageing = np.log1p(horizons / (beta + T)[:, np.newaxis])
        time_lived = (beta + T)[:, np.newaxis] * ageing * exprel((1 - s) * ageing)
        return np.asarray(((r + x) / (alpha + T))[:, np.newaxis] * time_lived)

    def _counts_while_alive(self, highest: int, horizon: float, x: Column, T: Column) -> NDArray[np.float64]:
        r, alpha, s, beta = self.params_.values()
        return counts_until_death(highest, r + x, alpha + T, s, beta + T, horizon)

    def _no_purchase_while_alive(self, horizons: Column, x: Column, T: Column) -> NDArray[np.float64]:
        """Return the probability of living through the horizon without a purchase, or dying before the first one."""
        r, alpha, s, beta = self.params_.values()
        columns = []
        for horizon in horizons:
            ends = np.full_like(T, horizon)
            log_living = -(r + x) * np.log1p(ends / (alpha + T)) - s * np.log1p(ends / (beta + T))
            log_odds = log_odds_of_death(r + x, alpha + T, s, beta + T, ends)
            columns.append(np.exp(log_living + np.logaddexp(0, log_odds)))
        return np.stack(columns, axis=1)
