"""What several features are computed by: functions of whole columns, element by element; missing in, missing out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.feature import Formula

__all__ = ["TREND_WINDOWS", "capped_share", "difference", "ratio", "scaled_ratio", "slope_after"]

_Column = NDArray[np.float64]

# Windows side by side by which a trend is judged.
TREND_WINDOWS = 4

# The least-squares slope through four equally spaced points is the sum of (x - mean x) y over that of (x - mean x)^2.
_SLOPE_WEIGHTS = (0.3, 0.1, -0.1, -0.3)


def ratio(numerator: _Column, denominator: _Column) -> _Column:
    """Divide; missing where the denominator is not above 0."""
    return numerator / np.where(denominator > 0, denominator, np.nan)


def capped_share(part: _Column, whole: _Column) -> _Column:
    """Divide what may come from elsewhere too: no part counts as 0, and never more than the whole."""
    return np.minimum(ratio(np.fmax(part, 0.0), whole), 1.0)


def difference(now: _Column, before: _Column) -> _Column:
    """Subtract."""
    return now - before


def scaled_ratio(part: _Column, part_by: _Column, whole: _Column, whole_by: _Column) -> _Column:
    """Divide two ratios: that of a part by that of the whole."""
    return ratio(ratio(part, part_by), ratio(whole, whole_by))


def slope_after(days: int) -> Formula:
    """Return the formula of the slope over four windows, newest first, per window.

    It is missing where the first purchase is less than `days` before the snapshot: a customer who was none yet when
    the first window began would always be on the rise. The last argument is the days since the first purchase.

    Examples
    --------
    >>> slope = slope_after(120)
    >>> windows = [np.array([purchase_days]) for purchase_days in (4.0, 3.0, 2.0, 1.0)]
    >>> slope(*windows, np.array([200.0])).round(12).tolist(), slope(*windows, np.array([119.0])).tolist()
    ([1.0], [nan])
    """

    def slope(newest: _Column, second: _Column, third: _Column, oldest: _Column, since_first: _Column) -> _Column:
        a, b, c, d = _SLOPE_WEIGHTS
        # From the outside in, so that four equal windows have a slope of exactly 0.
        rise = (a * newest + d * oldest) + (b * second + c * third)
        return np.where(since_first >= days, rise, np.nan)

    return slope
