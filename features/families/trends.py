"""Where things are going: a window against the one before, the slope over four windows, the pace against the usual."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure
from features.families.formulas import TREND_WINDOWS, difference, ratio, slope_after
from features.feature import Feature

__all__ = ["FEATURES"]

_Column = NDArray[np.float64]

_CHANGES = (30, 90, 180)
_SLOPES = (30, 90)
_SINCE_FIRST = Aggregate(Measure.DAYS_SINCE_FIRST)


def _pace(purchase_days_90d: _Column, purchase_days: _Column, since_first: _Column) -> _Column:
    """Divide the rate of the last 90 days, or of all since the first purchase if that is less, by the overall one."""
    days = since_first + 1.0
    return ratio(purchase_days_90d / np.minimum(days, 90.0), purchase_days / days)


def _windows(measure: Measure, days: int) -> tuple[Aggregate, ...]:
    """Return the measure over four windows side by side, newest first."""
    return tuple(Aggregate(measure, days, ago=days * i) for i in range(TREND_WINDOWS))


_PURCHASE_DAYS_CHANGES = tuple(
    Feature(
        name=f"purchase_days_change_{days}d",
        unit="purchase days",
        driver="frequency",
        description=f"Purchase days of the last {days} days less those of the {days} days before.",
        clause=f"in the last {days} days the customer bought on {{value}} more than in the {days} days before",
        clause_at_zero=f"buying neither picked up nor slowed down in the last {days} days",
        clause_below_zero=f"in the last {days} days the customer bought on {{value}} fewer than in the {days} days "
        "before",
        lively_above=0,
        inputs=(Aggregate(Measure.PURCHASE_DAYS, days), Aggregate(Measure.PURCHASE_DAYS, days, ago=days)),
        formula=difference,
        minimum=-days,
        maximum=days,
    )
    for days in _CHANGES
)

_VALUE_CHANGES = tuple(
    Feature(
        name=f"value_change_{days}d",
        unit="currency",
        driver="value",
        description=f"Value of the last {days} days less that of the {days} days before, both after refunds.",
        clause=f"the customer spent {{value}} more in the last {days} days than in the {days} days before",
        clause_at_zero=f"spending neither rose nor fell in the last {days} days",
        clause_below_zero=f"the customer spent {{value}} less in the last {days} days than in the {days} days before",
        lively_above=0,
        inputs=(Aggregate(Measure.VALUE, days), Aggregate(Measure.VALUE, days, ago=days)),
        formula=difference,
    )
    for days in _CHANGES
)

_SLOPE = {days: slope_after(TREND_WINDOWS * days) for days in _SLOPES}

_TRENDS = tuple(
    feature
    for days in _SLOPES
    for feature in (
        Feature(
            name=f"purchase_days_slope_{days}d",
            unit="count",
            driver="frequency",
            description=f"Slope of the purchase days of the last four windows of {days} days, per window; missing for "
            "who first bought later than that.",
            clause=f"over the last {TREND_WINDOWS * days} days the number of days with a purchase went up by {{value}} "
            f"every {days} days",
            clause_at_zero=f"buying neither picked up nor slowed down over the last {TREND_WINDOWS * days} days",
            clause_below_zero=f"over the last {TREND_WINDOWS * days} days the number of days with a purchase went down "
            f"by {{value}} every {days} days",
            clause_if_missing="the customer has not been buying for long enough to see a trend",
            lively_above=0,
            inputs=(*_windows(Measure.PURCHASE_DAYS, days), _SINCE_FIRST),
            formula=_SLOPE[days],
        ),
        Feature(
            name=f"value_slope_{days}d",
            unit="currency",
            driver="value",
            description=f"Slope of the value of the last four windows of {days} days, per window; missing for who "
            "first bought later than that.",
            clause=f"over the last {TREND_WINDOWS * days} days spending went up by {{value}} every {days} days",
            clause_at_zero=f"spending neither rose nor fell over the last {TREND_WINDOWS * days} days",
            clause_below_zero=f"over the last {TREND_WINDOWS * days} days spending went down by {{value}} every "
            f"{days} days",
            clause_if_missing="the customer has not been buying for long enough to see a trend",
            lively_above=0,
            inputs=(*_windows(Measure.VALUE, days), _SINCE_FIRST),
            formula=_SLOPE[days],
        ),
    )
)

_PACE = Feature(
    name="pace_ratio_90d",
    unit="ratio",
    driver="frequency",
    description="Purchase days a day in the last 90 days (or since the first purchase), divided by those of all time.",
    clause="in the last 90 days the customer bought {value} times as often as is usual for them",
    clause_at_zero="there were next to no purchases in the last 90 days",
    lively_above=1,
    inputs=(Aggregate(Measure.PURCHASE_DAYS, 90), Aggregate(Measure.PURCHASE_DAYS), _SINCE_FIRST),
    formula=_pace,
    minimum=0,
)

FEATURES = (*_PURCHASE_DAYS_CHANGES, *_VALUE_CHANGES, *_TRENDS, _PACE)
