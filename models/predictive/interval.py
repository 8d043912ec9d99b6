"""What an interval is."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from features.units import Unit, format_value
from models.exceptions import InputError

__all__ = ["DEFAULT_LEVEL", "Interval", "interval_in_words", "tails"]

DEFAULT_LEVEL = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Where the outcome of each customer lies with a given probability, as much being left out below as above.

    Attributes
    ----------
    low, high : ndarray of float64, shape (n,)
        The least and the greatest value that belong to it.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def tails(level: float) -> tuple[float, float]:
    """Return the probabilities at which an interval begins and ends.

    Raises
    ------
    InputError
        If the level is not between 0 and 1.

    Examples
    --------
    >>> tails(0.5)
    (0.25, 0.75)
    """
    if not (isfinite(level) and 0 < level < 1):
        raise InputError(f"level: expected a probability between 0 and 1, got {level!r}. 0.8 leaves a tenth each side.")
    return (1 - level) / 2, (1 + level) / 2


def interval_in_words(low: float, high: float, unit: Unit, currency: str) -> str:
    """Say between which bounds something will lie; what is counted lies there at least as often as is said.

    Examples
    --------
    >>> interval_in_words(155.74, 1717.43, "currency", "USD"), interval_in_words(0.0, 0.0, "count", "USD")
    ('USD 155.74 to USD 1,717.43 in at least 8 cases of 10', 'most likely nothing')
    """
    if high == 0:
        return "most likely nothing"
    bounds = (format_value(bound, unit, currency) for bound in (low, high))
    return f"{' to '.join(bounds)} in at least {10 * DEFAULT_LEVEL:.0f} cases of 10"
