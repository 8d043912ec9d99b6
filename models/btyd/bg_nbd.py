"""The BG/NBD model of repeat purchases.

While a customer is alive, purchases come at random with a rate lambda ~ Gamma(shape r, rate alpha). After each repeat
purchase the customer drops out for good with a probability p ~ Beta(a, b).

References
----------
.. [1] Fader, Peter S., Bruce G. S. Hardie, and Ka Lok Lee (2005), "Counting Your Customers the Easy Way: An
   Alternative to the Pareto/NBD Model", Marketing Science, 24 (2), 275-284.
.. [2] Fader, Peter S., Bruce G. S. Hardie, and Ka Lok Lee (2008), "Computing P(alive) Using the BG/NBD Model",
   note 021 on brucehardie.com.
.. [3] Fader, Peter S. and Bruce G. S. Hardie (2013), "Overcoming the BG/NBD Model's #NUM! Error Problem", note 027 on
   brucehardie.com.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln, expit, xlogy

from models.btyd import lifetimes_bridge
from models.btyd.base import BuyTillYouDieModel
from models.btyd.checks import Column
from models.btyd.fitting import Bound, Optimum
from models.btyd.histories import DistinctHistories, PurchaseHistories, distinct_rows
from models.btyd.purchases_while_alive import purchases_while_alive
from models.btyd.rising import log_rising, log_rising_slope, log_survival, log_survival_slopes
from models.btyd.weighted_sum import weighted_sum

if TYPE_CHECKING:
    from lifetimes import BetaGeoFitter

__all__ = ["BetaGeoModel"]

LEAST_RATE = 1e-3

NOTES = {
    "unobserved": "No customer has been observed for any length of time: nothing can be learnt, and the parameters are "
    "a mere assumption.",
    "no repeat": "No customer has bought again, so next to no purchase is forecast; "
    "when customers drop out can't be learnt, and a and b say nothing.",
    "no drop-out": "Almost no drop-out is seen: p_alive is close to 1 for nearly everybody and says little, "
    "and forecasts follow each customer's own rate.",
    "certain drop-out": "Nearly everybody drops out after the first repeat purchase, so few more are forecast.",
    "two kinds": "Customers are seen either never to drop out or to do so at the first chance: p_alive after several "
    "purchases is close to 1 and says little.",
    "equal rates": "All customers look as if they bought at one and the same rate.",
    "extreme rates": "Customers differ so much in how often they buy that hardly any two look alike: the forecast "
    "for a new customer says little.",
    "equal drop-out": "All customers look as if they dropped out with one and the same probability.",
}


class BetaGeoModel(BuyTillYouDieModel):
    """BG/NBD: gamma-distributed purchase rates, beta-geometric drop-out at purchases [1]_.

    The parameters are ``r`` and ``alpha`` (a length of time) of the rate, ``a`` and ``b`` of the drop-out.

    Notes
    -----
    Drop-out comes with a repeat purchase only: ``p_alive`` is exactly 1 for everybody who bought once, however long
    ago. It is the model's assumption, not a finding; never read it as a sign of health.

    Examples
    --------
    >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)  # CDNOW, weeks
    >>> round(float(model.expected_purchases(39, 2, 30.43, 38.86)[0]), 3)
    1.226
    """

    name: ClassVar[str] = "bg_nbd"
    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha",)
    bounds: ClassVar[Mapping[str, Bound]] = {
        "r": (1e-6, 1e4),
        "alpha": (1e-6, 1e6),
        "a": (1e-6, 1e4),
        "b": (1e-6, 1e6),
    }

    @classmethod
    def from_lifetimes(cls, fitter: "BetaGeoFitter") -> Self:
        """Take over the parameters of a fitted ``lifetimes.BetaGeoFitter``."""
        return cls.from_params(**lifetimes_bridge.fitted_params(fitter, cls.parameter_names))

    def to_lifetimes(self) -> "BetaGeoFitter":
        """Return a ``lifetimes.BetaGeoFitter`` that predicts with these parameters."""
        return lifetimes_bridge.beta_geo_fitter(self._fitted())

    def _starts(self, histories: DistinctHistories) -> Sequence[Mapping[str, float]]:
        rate = max(histories.purchase_rate, LEAST_RATE)
        return [
            {"r": 0.3, "alpha": 0.3 / rate, "a": 1.0, "b": 3.0},
            {"r": 1.0, "alpha": 1.0 / rate, "a": 0.1, "b": 1.0},
            {"r": 3.0, "alpha": 3.0 / rate, "a": 0.3, "b": 10.0},
        ]

    def _mean_log_likelihood(
        self, params: NDArray[np.float64], histories: DistinctHistories
    ) -> tuple[float, NDArray[np.float64]]:
        """Equation (6) of [1]_ in the form of [3]_, with its gradient.

        The likelihood of a history is the sum of two ways to have come by it: alive until T, or dropped out at the
        last purchase. With delta the log-odds of the second, ln L = ln L(alive) + ln(1 + exp(delta)).
        """
        r, alpha, a, b = params
        durations, repeat = histories.durations, histories.repeat_buyers
        x, counts = repeat.frequency, repeat.counts
        customers_by_x = histories.customers_by_frequency
        highest = len(customers_by_x) - 1

        # Alive: purchases at rate lambda until T, and x chances to drop out survived.
        log_growth = np.log1p(durations.values / alpha)
        log_age = np.log(alpha + durations.values)
        alive = (
            weighted_sum(customers_by_x, log_rising(r, highest) + log_survival(a, b, highest))
            - r * weighted_sum(durations.customers, log_growth)
            - weighted_sum(durations.purchases, log_age)
        )
        survival_slope_a, survival_slope_b = log_survival_slopes(a, b, highest)
        slope_r = weighted_sum(customers_by_x, log_rising_slope(r, highest))
        slope_r -= weighted_sum(durations.customers, log_growth)
        slope_alpha = np.sum(
            (r * durations.customers * durations.values / alpha - durations.purchases) / (alpha + durations.values)
        )
        slope_a = weighted_sum(customers_by_x, survival_slope_a)
        slope_b = weighted_sum(customers_by_x, survival_slope_b)

        # Dropped out at the last purchase: possible for repeat buyers only.
        silence = log_age[repeat.duration_index] - np.log(alpha + repeat.recency_values)[repeat.recency_index]
        survivors = b + (x - 1)
        delta = np.log(a) - np.log(survivors) + (r + x) * silence
        dropped_out = counts * expit(delta)
        inverse_age = 1 / (alpha + durations.values)
        silence_slope = inverse_age[repeat.duration_index] - (1 / (alpha + repeat.recency_values))[repeat.recency_index]
        slope_r += weighted_sum(dropped_out, silence)
        slope_alpha += weighted_sum(dropped_out, (r + x) * silence_slope)
        slope_a += dropped_out.sum() / a
        slope_b -= weighted_sum(dropped_out, 1 / survivors)

        value = alive + weighted_sum(counts, np.logaddexp(0, delta))
        gradient = params * np.array([slope_r, slope_alpha, slope_a, slope_b])
        return value / histories.n_customers, gradient / histories.n_customers

    def _notes(self, optimum: Optimum, histories: DistinctHistories) -> tuple[str, ...]:
        if not histories.T.any():
            return (NOTES["unobserved"],)
        if histories.n_purchases == 0:
            return (NOTES["no repeat"],)
        lower, upper = optimum.at_lower_bound, optimum.at_upper_bound
        found = []
        if {"a", "b"} <= lower:
            found.append("two kinds")
        elif "a" in lower or ("b" in upper and "a" not in upper):
            found.append("no drop-out")
        elif "b" in lower:
            found.append("certain drop-out")
        elif "a" in upper:
            found.append("equal drop-out")
        if upper & {"r", "alpha"}:
            found.append("equal rates")
        elif lower & {"r", "alpha"}:
            found.append("extreme rates")
        return tuple(NOTES[finding] for finding in found)

    def _log_likelihood(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        """Equation (3) of [1]_ in the form of [3]_."""
        r, alpha, a, b = self.params_.values()
        x = histories.frequency.astype(np.intp)
        alive = (
            log_rising(r, histories.last_frequency)[x]
            + log_survival(a, b, histories.last_frequency)[x]
            - r * np.log1p(histories.T / alpha)
            - x * np.log(alpha + histories.T)
        )
        either_way = np.where(x > 0, np.logaddexp(0, self._log_odds_of_drop_out(histories)), 0.0)
        return np.asarray(alive + either_way)

    def _log_odds_of_drop_out(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        """Log-odds of having dropped out at the last purchase; without meaning at frequency 0."""
        r, alpha, a, b = self.params_.values()
        x = histories.frequency
        silence = np.log1p((histories.T - histories.recency) / (alpha + histories.recency))
        return np.asarray(np.log(a) - np.log(b + np.maximum(x - 1, 0.0)) + (r + x) * silence)

    def _p_alive(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        """The equation of [2]_, in logarithms."""
        alive = expit(-self._log_odds_of_drop_out(histories))
        return np.asarray(np.where(histories.frequency > 0, alive, 1.0))

    def _expected_purchases_by(self, horizons: Column, histories: PurchaseHistories) -> NDArray[np.float64]:
        """Equation (10) of [1]_, in a form that holds its digits: P(alive) times ``purchases_while_alive``."""
        r, alpha, a, b = self.params_.values()
        # What the living buy depends on frequency and T only, which many customers share.
        first, inverse = distinct_rows(histories.frequency, histories.T)
        x, T = histories.frequency[first], histories.T[first]
        while_alive = purchases_while_alive(r + x, a, b + x, horizons / (alpha + T)[:, np.newaxis])
        return self._p_alive(histories)[:, np.newaxis] * while_alive[inverse]

    def _probability_of_n_purchases(self, n: Column, horizon: float) -> NDArray[np.float64]:
        """Equation (8) of [1]_: n purchases and still alive, or n or more would have come but the n-th was the last."""
        r, alpha, a, b = self.params_.values()
        highest = int(n.max(initial=0.0))
        odds = horizon / alpha
        share = odds / (1 + odds)
        survival = log_survival(a, b, highest)
        position = n.astype(np.intp)
        before = np.maximum(position - 1, 0)
        # Negative binomial, with Gamma(r + n) / (Gamma(r) n!) = 1 / (n B(n, r)) for n > 0: gamma functions overflow.
        log_ways = np.where(n > 0, -np.log(np.maximum(n, 1)) - betaln(np.maximum(n, 1), r), 0.0)
        exactly_n = np.exp(log_ways + xlogy(n, share) - r * np.log1p(odds))
        n_or_more = np.where(n > 0, betainc(np.maximum(n, 1), r, share), 0.0)
        drops_out_at_n = np.exp(survival[before]) * a / (a + b + before)
        return np.asarray(np.exp(survival[position]) * exactly_n + drops_out_at_n * n_or_more)
