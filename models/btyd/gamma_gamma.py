"""The Gamma-Gamma model of what a customer spends per purchase.

A customer's purchases vary as Gamma(shape p, rate nu), and nu ~ Gamma(shape q, rate v) over customers: the mean of few
purchases is drawn towards the mean of all customers. Spend and frequency are taken to be independent.

References
----------
.. [1] Fader, Peter S. and Bruce G. S. Hardie (2013), "The Gamma-Gamma Model of Monetary Value", note 025 on
   brucehardie.com.
.. [2] Fader, Peter S., Bruce G. S. Hardie, and Ka Lok Lee (2005), "RFM and CLV: Using Iso-Value Curves for Customer
   Base Analysis", Journal of Marketing Research, 42 (4), 415-430.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, psi

from models.btyd import lifetimes_bridge
from models.btyd.checks import Column, Rule, checked_columns
from models.btyd.distinct import counted_rows, distinct_values, evenly_spread
from models.btyd.fitting import (
    CUSTOMERS_FOR_STARTS,
    Bound,
    MeanLogLikelihood,
    Optimum,
    Sample,
    maximise,
)
from models.btyd.histories import FREQUENCY_RULE
from models.btyd.parametric import ParametricModel
from models.btyd.weighted_sum import weighted_sum
from models.exceptions import FitError, InputError

if TYPE_CHECKING:
    from lifetimes import GammaGammaFitter

__all__ = ["GammaGammaModel"]

# The population mean p v / (q - 1) is infinite for q <= 1; closer to 1 than this it is finite and absurd.
LEAST_Q = 1.1

SPEND_RULES = (
    FREQUENCY_RULE,
    Rule(
        "monetary_value",
        "finite values of 0 or more where frequency is above 0",
        lambda c: (c["frequency"] > 0) & ~(np.isfinite(c["monetary_value"]) & (c["monetary_value"] >= 0)),
        "It is the mean value of the repeat purchase days; it may be missing only where there are none.",
    ),
)

# From this shape on, what customers are expected to spend hardly differs between them.
SPENDING_ALIKE = 100.0

EXTREME_VALUES = "Values differ by so many orders of magnitude that the search ended at the edge of its range."
NOTES_AT_LOWER_BOUND = {
    "p": "One customer's purchases differ so much in value that their mean says nothing about the next.",
    "q": "A few customers spend so much more than the rest that the mean over all would be infinite: q is held at "
    f"{LEAST_Q}, and the value expected of one-time buyers is high and uncertain.",
    "v": EXTREME_VALUES,
}
NOTES_AT_UPPER_BOUND = {
    "p": "Each customer's purchases look as if they were all of one value.",
    "q": "All customers look as if they spent alike: each is expected to spend about the mean of all.",
    "v": EXTREME_VALUES,
}


class GammaGammaModel(ParametricModel):
    """Gamma-Gamma: the mean value of a customer's purchases, shrunken towards everybody's [1]_.

    The parameters are ``p``, ``q`` and ``v`` (an amount of money).

    Examples
    --------
    >>> model = GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44)  # CDNOW
    >>> model.expected_average_value([2, 0], [22.35, 0.0]).round(2).tolist()
    [24.66, 35.22]
    """

    name: ClassVar[str] = "gamma_gamma"
    parameter_names: ClassVar[tuple[str, ...]] = ("p", "q", "v")
    bounds: ClassVar[Mapping[str, Bound]] = {"p": (1e-4, 1e4), "q": (LEAST_Q, 1e4), "v": (1e-6, 1e6)}

    @classmethod
    def from_params(cls, **params: float) -> Self:
        """Make a model from known parameters.

        Raises
        ------
        InputError
            If a parameter is missing, unknown, or not a finite number above 0, or q is not above 1.
        """
        model = super().from_params(**params)
        if model.params_["q"] <= 1:
            raise InputError(
                f"{cls.name}: expected q above 1, got {model.params_['q']:g}: the mean over all customers would be "
                "infinite. Fit with this class, which holds q above 1."
            )
        return model

    @classmethod
    def from_lifetimes(cls, fitter: "GammaGammaFitter") -> Self:
        """Take over the parameters of a fitted ``lifetimes.GammaGammaFitter``."""
        return cls.from_params(**lifetimes_bridge.fitted_params(fitter, cls.parameter_names))

    def to_lifetimes(self) -> "GammaGammaFitter":
        """Return a ``lifetimes.GammaGammaFitter`` that predicts with these parameters."""
        return lifetimes_bridge.gamma_gamma_fitter(self._fitted())

    def fit(self, frequency: ArrayLike, monetary_value: ArrayLike) -> Self:
        """Find the parameters under which the mean values are most likely.

        Parameters
        ----------
        frequency : array_like, shape (n,)
            x, repeat purchase days: whole numbers, 0 or more.
        monetary_value : array_like, shape (n,)
            m, mean value of the repeat purchase days, 0 or more; anything where frequency is 0.

        Returns
        -------
        self
            With ``params_``, ``log_likelihood_``, ``n_customers_`` and ``certificate_``. Only customers with frequency
            and monetary_value above 0 are read and counted.

        Raises
        ------
        InputError
            If the columns aren't legal.
        FitError
            If no customer has a repeat purchase of any value.
        """
        columns = checked_columns({"frequency": frequency, "monetary_value": monetary_value}, SPEND_RULES)
        spend = _Spend.of(columns["frequency"], columns["monetary_value"])
        if spend.n_customers == 0:
            raise FitError(_why_nothing_to_read(columns["frequency"]))
        optimum = maximise(
            _objective(spend),
            starts=[
                {"p": 1.0, "q": 3.0, "v": 2.0},
                {"p": 6.0, "q": 4.0, "v": 0.5},
                {"p": 30.0, "q": 30.0, "v": 1.0},
            ],
            bounds=self.bounds,
            n_customers=spend.n_customers,
            sample=_sample(spend),
            units={"v": spend.unit},
        )
        self.params_ = optimum.params
        self.log_likelihood_ = float(spend.n_customers * (optimum.mean_log_likelihood - np.log(spend.unit)))
        self.n_customers_ = spend.n_customers
        self.certificate_ = replace(optimum.certificate, notes=optimum.certificate.notes + _notes(optimum))
        return self

    def log_likelihood(self, frequency: ArrayLike, monetary_value: ArrayLike) -> NDArray[np.float64]:
        """Return the log-likelihood of each customer who is read, 0 for the others, shape (n,).

        Equation (1a) of [1]_: x m / v is a beta prime variable with the parameters p x and q. Written so, no two
        large terms cancel.
        """
        p, q, v = self._fitted().values()
        columns = checked_columns({"frequency": frequency, "monetary_value": monetary_value}, SPEND_RULES)
        read = _is_read(columns["frequency"], columns["monetary_value"])
        x, m = columns["frequency"][read], columns["monetary_value"][read]
        ratio = x * m / v
        result = np.zeros(len(read))
        result[read] = -betaln(p * x, q) - q * np.log1p(ratio) - p * x * np.log1p(1 / ratio) - np.log(m)
        return result

    def population_mean(self) -> float:
        """Return what a customer of whom nothing is known is expected to spend per purchase: p v / (q - 1)."""
        p, q, v = self._fitted().values()
        return p * v / (q - 1)

    def expected_average_value(self, frequency: ArrayLike, monetary_value: ArrayLike) -> NDArray[np.float64]:
        """Return the mean value to expect of each customer's purchases, equation (5) of [1]_.

        Parameters
        ----------
        frequency : array_like, shape (n,)
            x, repeat purchase days.
        monetary_value : array_like, shape (n,)
            m, their mean value, 0 or more; not read where frequency is 0, NaN is fine there.

        Returns
        -------
        ndarray of float64, shape (n,)
            Between own mean and population mean, the nearer to the former the more purchases there are.
        """
        p, q, _ = self._fitted().values()
        columns = checked_columns({"frequency": frequency, "monetary_value": monetary_value}, SPEND_RULES)
        x = columns["frequency"]
        own_mean = np.where(x > 0, columns["monetary_value"], 0.0)
        individual_weight = p * x / (p * x + q - 1)
        return (1 - individual_weight) * self.population_mean() + individual_weight * own_mean


@dataclass(frozen=True, eq=False)
class _Spend:
    """The distinct (x, m) of those who are read, m in units of the median, and the sums a likelihood needs of them.

    Attributes
    ----------
    unit : float
        The median of m.
    x, m, customers : ndarray of float64, shape (k,)
        Each distinct row, and how many customers have it.
    """

    unit: float
    x: Column
    m: Column
    customers: Column

    @classmethod
    def of(cls, frequency: Column, monetary_value: Column) -> Self:
        read = _is_read(frequency, monetary_value)
        x, m = frequency[read], monetary_value[read]
        unit = float(np.median(m)) if len(m) else 1.0
        # Sorted, so that a fit does not depend on the order in which customers come.
        (x, m), customers = counted_rows(x, m)
        return cls(unit, x, m / unit, customers)

    def sample(self, n_customers: int) -> "_Spend":
        rows, customers = evenly_spread(self.customers, n_customers)
        return _Spend(self.unit, self.x[rows], self.m[rows], customers)

    @cached_property
    def n_customers(self) -> int:
        return int(self.customers.sum())

    @cached_property
    def total(self) -> Column:
        return self.x * self.m

    @cached_property
    def purchases(self) -> Column:
        return self.x * self.customers

    @cached_property
    def log_mean_values(self) -> float:
        """Sum of ln m over customers."""
        return weighted_sum(self.customers, np.log(self.m))

    @cached_property
    def by_frequency(self) -> tuple[Column, Column]:
        """The distinct x, which are few, and their customers: gamma functions are taken of these only."""
        frequencies, index = distinct_values(self.x)
        return frequencies, np.bincount(index, weights=self.customers).astype(np.float64)


def _is_read(frequency: Column, monetary_value: Column) -> NDArray[np.bool_]:
    return (frequency > 0) & (monetary_value > 0)


def _objective(spend: _Spend) -> MeanLogLikelihood:
    return lambda log_params: _mean_log_likelihood(np.exp(log_params), spend)


def _sample(spend: _Spend) -> Sample | None:
    if spend.n_customers <= CUSTOMERS_FOR_STARTS:
        return None
    some = spend.sample(CUSTOMERS_FOR_STARTS)
    return Sample(_objective(some), some.n_customers)


def _why_nothing_to_read(frequency: Column) -> str:
    n, returned = len(frequency), int((frequency > 0).sum())
    expected = f"{GammaGammaModel.name}: expected at least one customer with frequency and monetary_value above 0, got"
    if returned:
        return (
            f"{expected} none of {n:,}: {returned:,} bought again, all of it of value 0. Check which column holds the "
            "value of orders."
        )
    return f"{expected} none of {n:,}, since nobody bought again. Wait for repeat purchases, or take a longer period."


def _mean_log_likelihood(params: NDArray[np.float64], spend: _Spend) -> tuple[float, NDArray[np.float64]]:
    """Mean of equation (1a) of [1]_ over customers, and its gradient in the logarithms of p, q and v."""
    p, q, v = params
    x, customers_by_x = spend.by_frequency
    ratio = spend.total / v
    above_v = weighted_sum(spend.customers, np.log1p(ratio))
    below_v = weighted_sum(spend.purchases, np.log1p(1 / ratio))
    value = -weighted_sum(customers_by_x, betaln(p * x, q)) - q * above_v - p * below_v - spend.log_mean_values
    both_shapes = psi(p * x + q)
    slope_p = weighted_sum(customers_by_x, x * (both_shapes - psi(p * x))) - below_v
    slope_q = weighted_sum(customers_by_x, both_shapes - psi(q)) - above_v
    customers_above_v = weighted_sum(spend.customers, ratio / (1 + ratio))
    purchases_below_v = weighted_sum(spend.purchases, 1 / (1 + ratio))
    slope_v = (q * customers_above_v - p * purchases_below_v) / v
    gradient = params * np.array([slope_p, slope_q, slope_v])
    return value / spend.n_customers, gradient / spend.n_customers


def _notes(optimum: Optimum) -> tuple[str, ...]:
    low = [note for name, note in NOTES_AT_LOWER_BOUND.items() if name in optimum.at_lower_bound]
    high = [note for name, note in NOTES_AT_UPPER_BOUND.items() if name in optimum.at_upper_bound]
    if low or high or not optimum.certificate.not_identified:
        return (*low, *high)
    if optimum.params["q"] > SPENDING_ALIKE:
        return (NOTES_AT_UPPER_BOUND["q"],)
    unknown = ", ".join(optimum.certificate.not_identified)
    return (f"So few customers bought again that {unknown} can't be told: the values expected rest on little.",)
