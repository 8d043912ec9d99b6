"""Where the customer stands in the time with the business: stage and cohort. Tenure is `T`, among the purchases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure
from features.families.formulas import ratio
from features.feature import Feature

__all__ = ["FEATURES"]

_Column = NDArray[np.float64]

# Stages, from gone to lively; `features.units` has them in words.
_SILENT, _LATE, _ONE_TIME, _NEW, _STEADY = 0.0, 1.0, 2.0, 3.0, 4.0
_NEW_DAYS = 30
_LATE_RATIO, _SILENT_RATIO = 1.5, 3.0

# Under two years of history the month of the first purchase is the customer's age in other words.
_TWO_YEARS = 730


def _stage(purchase_days: _Column, since_first: _Column, since_last: _Column) -> _Column:
    silence = ratio(since_last, ratio(since_first - since_last, purchase_days - 1.0))
    repeated = np.where(silence > _SILENT_RATIO, _SILENT, np.where(silence > _LATE_RATIO, _LATE, _STEADY))
    once = np.where(since_first < _NEW_DAYS, _NEW, _ONE_TIME)
    stage = np.where(purchase_days > 1, repeated, once)
    return np.where(np.isnan(purchase_days), np.nan, stage)


FEATURES = (
    Feature(
        name="lifecycle_stage",
        unit="stage",
        driver="lifetime",
        description="0 silent for more than 3 times the mean days between purchase days, 1 late (more than 1.5 times), "
        "2 one purchase day at least 30 days ago, 3 one purchase day since then, 4 buying as usual.",
        clause="the customer {value}",
        clause_if_missing="the customer has not bought anything yet",
        lively_above=_ONE_TIME,
        inputs=(
            Aggregate(Measure.PURCHASE_DAYS),
            Aggregate(Measure.DAYS_SINCE_FIRST),
            Aggregate(Measure.DAYS_SINCE_LAST),
        ),
        formula=_stage,
        minimum=_SILENT,
        maximum=_STEADY,
    ),
    Feature(
        name="first_purchase_month",
        unit="month",
        driver="lifetime",
        description="Cohort: calendar month of the first purchase, 1 to 12.",
        clause="the first purchase was made in {value}",
        clause_if_missing="the customer has not bought anything yet",
        inputs=(Aggregate(Measure.FIRST_MONTH),),
        minimum=1,
        maximum=12,
        needs_history_days=_TWO_YEARS,
    ),
)
