"""What an interval is."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InputError

__all__ = ["DEFAULT_LEVEL", "Interval", "tails"]

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
