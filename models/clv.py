"""Customer lifetime value: purchases to come times their value, discounted to today."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.btyd.base import BuyTillYouDieModel
from models.btyd.gamma_gamma import GammaGammaModel
from models.exceptions import InputError

__all__ = ["DEFAULT_TERMS", "ClvTerms", "discounted_clv"]

DAYS_PER_YEAR = 365.25
LONGEST_HORIZON_DAYS = 20 * DAYS_PER_YEAR
SHORTEST_PERIOD_DAYS = 1.0


@dataclass(frozen=True, kw_only=True)
class ClvTerms:
    """What lifetime value means for a business.

    Attributes
    ----------
    horizon_days : float
        How far ahead value is counted, from 0 to 20 years.
    yearly_discount_rate : float
        By how much money in a year is worth less than today, 0 or more; .1 is ten per cent.
    margin : float
        What remains of a purchase's value, 0 or more; 1 counts revenue.
    period_days : float
        The horizon is cut into periods of this length, at least a day; the last one may be shorter. All purchases of
        a period are discounted as if they came in its middle.
    calibration_factor : float
        One factor for all customers, 0 or more, learnt on an earlier period.

    Raises
    ------
    InputError
        If a term is outside its range.
    """

    horizon_days: float = 365.0
    yearly_discount_rate: float = 0.1
    margin: float = 1.0
    period_days: float = 30.0
    calibration_factor: float = 1.0

    def __post_init__(self) -> None:
        ranges = {
            "horizon_days": (0.0, LONGEST_HORIZON_DAYS),
            "yearly_discount_rate": (0.0, None),
            "margin": (0.0, None),
            "period_days": (SHORTEST_PERIOD_DAYS, None),
            "calibration_factor": (0.0, None),
        }
        for name, (least, greatest) in ranges.items():
            value = getattr(self, name)
            if not isfinite(value) or value < least or (greatest is not None and value > greatest):
                upper = "" if greatest is None else f" to {greatest:g}"
                raise InputError(
                    f"{name}: expected a finite number from {least:g}{upper or ' upwards'}, got {value}. "
                    "Change the setting."
                )

    def to_dict(self) -> dict[str, float]:
        """Return the terms by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, terms: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote.

        Raises
        ------
        InputError
            If a term is missing, unknown or outside its range.
        """
        expected = {field.name for field in fields(cls)}
        if set(terms) != expected:
            raise InputError(f"expected the CLV terms {sorted(expected)}, got {sorted(terms)}. Name each of them once.")
        return cls(**{name: float(value) for name, value in terms.items()})

    def period_ends(self) -> NDArray[np.float64]:
        """Return the days from today to the end of each period, shape (k,); the last one is the horizon.

        Examples
        --------
        >>> ClvTerms(horizon_days=70, period_days=30).period_ends().tolist()
        [30.0, 60.0, 70.0]
        """
        whole_periods = np.arange(self.period_days, self.horizon_days, self.period_days, dtype=np.float64)
        return np.append(whole_periods, self.horizon_days)

    def discount_factors(self) -> NDArray[np.float64]:
        """Return what one unit of money in the middle of each period is worth today, shape (k,), up to 1."""
        ends = self.period_ends()
        starts = np.concatenate(([0.0], ends[:-1]))
        middles = (starts + ends) / 2
        return np.asarray((1 + self.yearly_discount_rate) ** (-middles / DAYS_PER_YEAR))


DEFAULT_TERMS = ClvTerms()


def discounted_clv(
    btyd: BuyTillYouDieModel,
    gamma_gamma: GammaGammaModel,
    *,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    monetary_value: ArrayLike,
    terms: ClvTerms = DEFAULT_TERMS,
) -> NDArray[np.float64]:
    """Return the discounted margin to expect of each customer over the horizon.

    Fader, Hardie & Lee (2005), "RFM and CLV", Journal of Marketing Research 42 (4): value per purchase times
    discounted expected transactions, here summed over explicit periods.

    Parameters
    ----------
    btyd : BuyTillYouDieModel
        Fitted in days.
    gamma_gamma : GammaGammaModel
        Fitted.
    frequency, recency, T : array_like, shape (n,)
        x, t_x and T, in days.
    monetary_value : array_like, shape (n,)
        Mean value of the repeat purchase days; NaN or 0 is fine for one-time buyers, who are expected to spend what
        the population does.
    terms : ClvTerms
        Horizon, discount, margin, periods and calibration.

    Returns
    -------
    ndarray of float64, shape (n,)
        Money, 0 or more, finite.

    Raises
    ------
    NotFittedError
        If a model is not fitted.
    InputError
        If a column isn't legal.
    """
    value = gamma_gamma.expected_average_value(frequency, monetary_value)
    purchases_by_end = btyd.expected_purchases_by(terms.period_ends(), frequency, recency, T)
    # Differences of nearly equal expectations may fall below 0 by a rounding error.
    purchases = np.maximum(np.diff(purchases_by_end, axis=1, prepend=0.0), 0.0)
    # Row by row, unlike BLAS: one customer alone gets the very number of the batch.
    discounted_purchases = np.sum(purchases * terms.discount_factors(), axis=1)
    return np.asarray(discounted_purchases * value * terms.margin * terms.calibration_factor)
