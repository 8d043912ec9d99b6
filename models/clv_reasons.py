"""Why a customer's clv is what it is: by how much each input moves it away from that of a typical customer.

The amounts are exact Shapley values in currency (`models.clv_game`): with the clv of a named reference customer they
sum to the customer's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.units import format_value
from models.clv import ClvTerms
from models.clv_game import CLV_INPUTS, ClvInputs, clv_of_all_mixtures, shapley_values
from models.exceptions import InputError
from models.purchase_model import PurchaseModel

__all__ = ["CLV_INPUTS", "ClvReasons", "ClvReference", "clv_reasons"]

FloatArray = NDArray[np.float64]

TYPICAL = "the typical active customer"
# A reference made with other models or terms is off by more than rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ClvReference:
    """The customer with whom all others are compared.

    Attributes
    ----------
    name : str
        Whom it stands for, in words that can stand in a sentence.
    frequency : float
        Repeat purchase days.
    recency, days_since_last_purchase : float
        Days.
    monetary_value : float or None
        Mean value of the repeat purchase days; None for a frequency of 0.
    mean_value : float
        What a purchase day is worth to the population, by the Gamma-Gamma model: stands in for a monetary value that
        there is none of.
    clv : float
        By the models and the terms that the reference was made with.

    Raises
    ------
    InputError
        The inputs are nobody's: not a legal history, or repeat purchases without a value.
    """

    name: str
    frequency: float
    recency: float
    days_since_last_purchase: float
    monetary_value: float | None
    mean_value: float
    clv: float

    def __post_init__(self) -> None:
        _as_inputs(self)

    @classmethod
    def typical(
        cls,
        purchases: PurchaseModel,
        terms: ClvTerms,
        *,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        monetary_value: ArrayLike,
    ) -> Self:
        """Return the reference with the median of each input.

        The lower of two medians is taken, which somebody has: whole days and purchases, and a recency of 0 just where
        the frequency is 0, since half of either are 0 together.

        Parameters
        ----------
        purchases : PurchaseModel
            Fitted in days.
        terms : ClvTerms
        frequency, recency, T, monetary_value : array_like, shape (n,)
            Of the active customers, as `models.clv.discounted_clv` takes them.

        Raises
        ------
        InputError
            There are no customers, or a column isn't legal.
        """
        customers = ClvInputs.of(frequency=frequency, recency=recency, T=T, monetary_value=monetary_value)
        if len(customers) == 0:
            raise InputError(
                "expected at least one active customer to find the typical one among, got none. Take a date by which "
                "customers have purchased within the activity window."
            )
        x, t_x, silence = (
            _median(column) for column in (customers.frequency, customers.recency, customers.days_since_last_purchase)
        )
        spent = _median(customers.monetary_value[customers.frequency > 0]) if x > 0 else np.nan
        middle = ClvInputs.of(frequency=x, recency=t_x, T=t_x + silence, monetary_value=spent)
        return cls(
            name=TYPICAL,
            frequency=x,
            recency=t_x,
            days_since_last_purchase=silence,
            monetary_value=spent if x > 0 else None,
            mean_value=purchases.gamma_gamma.population_mean(),
            clv=float(clv_of_all_mixtures(purchases, terms, middle, middle)[0, 0]),
        )

    @property
    def inputs(self) -> ClvInputs:
        """The reference as one customer."""
        return _as_inputs(self)

    def phrase(self, currency: str) -> str:
        """Say who the reference is.

        Parameters
        ----------
        currency : str
            Put before amounts of money.

        Examples
        --------
        >>> reference = ClvReference(
        ...     name="the typical active customer",
        ...     frequency=3,
        ...     recency=210,
        ...     days_since_last_purchase=45,
        ...     monetary_value=34.2,
        ...     mean_value=36.4,
        ...     clv=92.5,
        ... )
        >>> reference.phrase("USD").removeprefix("the typical active customer, ")
        'who came back to buy on 3 days over 210 days, for USD 34.20 a day on average, most recently 45 days ago'
        """
        return _phrase(self, currency)

    def to_dict(self) -> dict[str, Any]:
        """Return the reference as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote.

        Raises
        ------
        InputError
            A value is missing or unknown, or it isn't the legal history of a customer.
        """
        expected = {field.name for field in fields(cls)}
        if set(values) != expected:
            raise InputError(f"expected a reference customer's {sorted(expected)}, got {sorted(values)}.")
        spent = values["monetary_value"]
        return cls(
            name=str(values["name"]),
            monetary_value=None if spent is None else float(spent),
            **{name: float(values[name]) for name in expected - {"name", "monetary_value"}},
        )


def _as_inputs(reference: ClvReference) -> ClvInputs:
    return ClvInputs.of(
        frequency=reference.frequency,
        recency=reference.recency,
        T=reference.recency + reference.days_since_last_purchase,
        monetary_value=np.nan if reference.monetary_value is None else reference.monetary_value,
    )


def _median(column: FloatArray) -> float:
    return float(np.quantile(column, 0.5, method="lower"))


@dataclass(frozen=True, slots=True, eq=False)
class ClvReasons:
    """Why the clv of some customers is what it is, one element a customer.

    Attributes
    ----------
    reference : ClvReference
        Whom they are compared with.
    inputs : float64, shape (n, 4)
        The customers' own `CLV_INPUTS`; monetary value is NaN where there is no repeat purchase.
    contributions : float64, shape (n, 4)
        Currency; what each input adds to the clv of the reference.
    clv : float64, shape (n,)
        ``reference.clv + contributions.sum(axis=1)``, to rounding errors of the larger of the two clv.
    """

    reference: ClvReference
    inputs: FloatArray
    contributions: FloatArray
    clv: FloatArray


def clv_reasons(
    purchases: PurchaseModel,
    terms: ClvTerms,
    *,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    monetary_value: ArrayLike,
    reference: ClvReference,
) -> ClvReasons:
    """Share out the difference between each customer's clv and that of the reference over the four inputs.

    Parameters
    ----------
    purchases : PurchaseModel
        Fitted in days.
    terms : ClvTerms
        The models and the terms that the reference was made with.
    frequency, recency, T, monetary_value : array_like, shape (n,)
        As `models.clv.discounted_clv` takes them.
    reference : ClvReference

    Returns
    -------
    ClvReasons
        One customer alone has the very numbers that the customer has among others.

    Raises
    ------
    InputError
        A column isn't legal, or the reference was made with other models or terms.
    """
    customers = ClvInputs.of(frequency=frequency, recency=recency, T=T, monetary_value=monetary_value)
    worth = clv_of_all_mixtures(purchases, terms, customers, reference.inputs)
    if len(customers) and abs(worth[0, 0] - reference.clv) > _ROUNDING * max(worth[0, 0], reference.clv):
        raise InputError(
            f"expected a reference made with these models and terms, whose clv is {worth[0, 0]:.6g}, got one with a "
            f"clv of {reference.clv:.6g}. Make the reference again with ClvReference.typical."
        )
    return ClvReasons(reference, customers.columns, shapley_values(worth), worth[-1])


@lru_cache(maxsize=16)  # told with every customer
def _phrase(reference: ClvReference, currency: str) -> str:
    days, span, ago = (
        format_value(value, "days", currency)
        for value in (reference.frequency, reference.recency, reference.days_since_last_purchase)
    )
    if reference.monetary_value is None:
        return f"{reference.name}, who bought on one day only, {ago} ago"
    spent = format_value(reference.monetary_value, "currency", currency)
    return (
        f"{reference.name}, who came back to buy on {days} over {span}, for {spent} a day on average, "
        f"most recently {ago} ago"
    )
