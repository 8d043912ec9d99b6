"""Drop-out after purchases with a probability p ~ Beta(a, b): what BG/NBD and MBG/NBD share.

The two differ in one thing only: whether the first purchase, with which a customer begins, is a chance to drop out
too. With f = 0 (BG/NBD) or 1 (MBG/NBD) such chances, a history of x repeat purchases holds x + f of them, and its
likelihood is the sum of two ways to have come by it::

    alive at T        Gamma(r + x) alpha^r / Gamma(r)  B(a, b + x + f) / B(a, b)          (alpha + T)^-(r + x)
    lost at the last  Gamma(r + x) alpha^r / Gamma(r)  B(a + 1, b + x + f - 1) / B(a, b)  (alpha + t_x)^-(r + x)

The odds of the second are ``a / (b + x + f - 1) ((alpha + T) / (alpha + t_x))^(r + x)``, and 0 without a chance.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.btyd.base import BuyTillYouDieModel
from models.btyd.checks import Column
from models.btyd.counts_while_alive import counts_while_alive
from models.btyd.fitting import Bound
from models.btyd.histories import DistinctHistories, PurchaseHistories
from models.btyd.purchases_while_alive import purchases_while_alive
from models.btyd.rising import log_survival, log_survival_slopes
from models.btyd.weighted_sum import weighted_sum

__all__ = ["BetaGeometricModel"]


class BetaGeometricModel(BuyTillYouDieModel):
    """Gamma-distributed purchase rates, beta-geometric drop-out at purchases."""

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha",)
    bounds: ClassVar[Mapping[str, Bound]] = {
        "r": (1e-6, 1e4),
        "alpha": (1e-6, 1e6),
        "a": (1e-6, 1e4),
        "b": (1e-6, 1e6),
    }
    drop_out_starts: ClassVar[tuple[tuple[float, float], ...]] = ((1.0, 3.0), (0.1, 1.0), (0.3, 10.0))

    chances_at_first_purchase: ClassVar[int]
    """How many chances to drop out come with the first purchase: 0 or 1."""

    def _total_of_drop_out(
        self, params: NDArray[np.float64], histories: DistinctHistories
    ) -> tuple[float, NDArray[np.float64]]:
        r, alpha, a, b = params
        first = self.chances_at_first_purchase
        customers = histories.customers_by_frequency
        highest = len(customers) - 1 + first
        survived = weighted_sum(customers, log_survival(a, b, highest)[first:])
        slopes_of_survival = [weighted_sum(customers, slopes[first:]) for slopes in log_survival_slopes(a, b, highest)]
        age, age_at_last = alpha + histories.T.values, alpha + histories.recency.values
        chances = np.arange(first, highest + 1, dtype=np.float64)
        survivors = b + np.maximum(chances - 1, 0)
        either_way, *slopes_of_loss = _lost_at_last_purchase(
            r,
            histories.frequency,
            np.where(chances > 0, np.log(a) - np.log(survivors), -np.inf),
            1 / survivors,
            histories.T.index,
            np.log(age),
            1 / age,
            histories.recency.index,
            np.log(age_at_last),
            1 / age_at_last,
            histories.counts,
        )
        slope_r, slope_alpha, lost, slope_b = slopes_of_loss
        gradient = np.array([slope_r, slope_alpha, lost / a + slopes_of_survival[0], slope_b + slopes_of_survival[1]])
        return survived + either_way, gradient

    def _log_survived(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        _, _, a, b = self.params_.values()
        first = self.chances_at_first_purchase
        chances = histories.frequency.astype(np.intp) + first
        return log_survival(a, b, histories.last_frequency + first)[chances]

    def _log_odds_lost(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        r, alpha, a, b = self.params_.values()
        x = histories.frequency
        chances = x + self.chances_at_first_purchase
        silence = np.log1p((histories.T - histories.recency) / (alpha + histories.recency))
        log_odds = np.log(a) - np.log(b + np.maximum(chances - 1, 0.0)) + (r + x) * silence
        return np.asarray(np.where(chances > 0, log_odds, -np.inf))

    def _purchases_while_alive(self, horizons: Column, x: Column, T: Column) -> NDArray[np.float64]:
        r, alpha, a, _ = self.params_.values()
        return purchases_while_alive(r + x, a, self._survivors(x), horizons / (alpha + T)[:, np.newaxis])

    def _counts_while_alive(self, highest: int, horizon: float, x: Column, T: Column) -> NDArray[np.float64]:
        r, alpha, a, _ = self.params_.values()
        return counts_while_alive(highest, r + x, a, self._survivors(x), horizon / (alpha + T))

    def _no_purchase_while_alive(self, horizons: Column, x: Column, T: Column) -> NDArray[np.float64]:
        """Return (1 + t / (alpha + T))^-(r + x): nobody drops out without a purchase."""
        r, alpha, _, _ = self.params_.values()
        return np.asarray(np.exp(-(r + x)[:, np.newaxis] * np.log1p(horizons / (alpha + T)[:, np.newaxis])))

    def _survivors(self, x: Column) -> Column:
        """Return the second parameter of the chance to drop out of those alive after x repeat purchases."""
        return np.asarray(self.params_["b"] + x + self.chances_at_first_purchase)


@njit(cache=True, nogil=True)
def _lost_at_last_purchase(
    r: float,
    x: NDArray[np.intp],
    log_odds_by_x: NDArray[np.float64],
    slope_b_by_x: NDArray[np.float64],
    T: NDArray[np.intp],
    log_age: NDArray[np.float64],
    inverse_age: NDArray[np.float64],
    t_x: NDArray[np.intp],
    log_age_at_last: NDArray[np.float64],
    inverse_age_at_last: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> tuple[float, float, float, float, float]:
    """Sum ln(1 + odds of being lost) over the rows; its slopes in r, alpha, ln a (those lost) and b.

    All logarithms of single times and counts come in tables, looked up by the rows' x, T and t_x.
    """
    value, slope_r, slope_alpha, lost, slope_b = 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(len(x)):
        k = x[row]
        silence = log_age[T[row]] - log_age_at_last[t_x[row]]
        log_odds = log_odds_by_x[k] + (r + k) * silence
        # Of odds and their inverse, the one below 1, which can't overflow.
        small = math.exp(-abs(log_odds))
        count = counts[row]
        value += count * (max(log_odds, 0.0) + math.log1p(small))
        gone = count * (1.0 if log_odds > 0 else small) / (1 + small)
        lost += gone
        slope_r += gone * silence
        slope_alpha += gone * (r + k) * (inverse_age[T[row]] - inverse_age_at_last[t_x[row]])
        slope_b -= gone * slope_b_by_x[k]
    return value, slope_r, slope_alpha, lost, slope_b
