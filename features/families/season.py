"""The season: of the snapshot, and what the customer did at this time a year ago."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure
from features.feature import Feature

__all__ = ["FEATURES"]

_Column = NDArray[np.float64]


def _a_year_ago(purchase_days: _Column, since_first: _Column) -> _Column:
    return np.where(since_first >= 365, purchase_days, np.nan)


# Under two years of history a model can't tell season from trend: every snapshot then has a season of its own.
_TWO_YEARS = 730

FEATURES = (
    Feature(
        name="purchase_days_year_ago_90d",
        unit="purchase days",
        driver="season",
        description="Purchase days in the 90 days that followed this date a year (365 days) ago.",
        clause="the customer bought on {value} in the three months that followed this date a year ago",
        clause_at_zero="there were no purchases in the three months that followed this date a year ago",
        clause_if_missing="the customer had not bought yet at this time a year ago",
        inputs=(Aggregate(Measure.PURCHASE_DAYS, 90, ago=275), Aggregate(Measure.DAYS_SINCE_FIRST)),
        formula=_a_year_ago,
        minimum=0,
        maximum=90,
        needs_history_days=_TWO_YEARS,
    ),
    Feature(
        name="season_sine",
        unit="phase",
        driver="season",
        description="Season of the snapshot: sine of the year's phase (highest at the beginning of April).",
        clause="the time of the year plays a part",
        inputs=(Aggregate(Measure.YEAR_PHASE),),
        formula=lambda phase: np.sin(2 * np.pi * phase),
        minimum=-1,
        maximum=1,
        needs_history_days=_TWO_YEARS,
    ),
    Feature(
        name="season_cosine",
        unit="phase",
        driver="season",
        description="Season of the snapshot: cosine of the year's phase (highest at the turn of the year).",
        clause="the time of the year plays a part",
        inputs=(Aggregate(Measure.YEAR_PHASE),),
        formula=lambda phase: np.cos(2 * np.pi * phase),
        minimum=-1,
        maximum=1,
        needs_history_days=_TWO_YEARS,
    ),
)
