"""The rhythm of purchases: how often, how regularly, on which day and at what time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure
from features.families.formulas import ratio
from features.feature import Feature

__all__ = ["FEATURES"]

_Column = NDArray[np.float64]

_PURCHASE_DAYS = Aggregate(Measure.PURCHASE_DAYS)
_SINCE_FIRST = Aggregate(Measure.DAYS_SINCE_FIRST)
_SINCE_LAST = Aggregate(Measure.DAYS_SINCE_LAST)
_GAP_LAST = Aggregate(Measure.GAP_LAST)
_GAP_DEVIATION = Aggregate(Measure.GAP_DEVIATION)


def _per_30_days(purchase_days: _Column, since_first: _Column) -> _Column:
    return purchase_days * 30.0 / (since_first + 1.0)


def _by_mean_gap(days: _Column, since_first: _Column, since_last: _Column, purchase_days: _Column) -> _Column:
    """Divide by the mean time between purchase days."""
    return ratio(days, ratio(since_first - since_last, purchase_days - 1.0))


FEATURES = (
    Feature(
        name="purchase_days_per_30d",
        unit="purchase days",
        driver="frequency",
        description="Purchase days per 30 days, from the first purchase day to the last day observed.",
        clause="in the long run the customer buys on {value} a month",
        clause_at_zero="in the long run the customer buys less than once a year",
        inputs=(_PURCHASE_DAYS, _SINCE_FIRST),
        formula=_per_30_days,
        minimum=0,
        maximum=30,
    ),
    Feature(
        name="gap_mean",
        unit="days",
        driver="rhythm",
        description="Mean days between purchase days.",
        clause="purchases lie {value} apart on average",
        clause_if_missing="there is no second purchase to see a rhythm by",
        inputs=(_SINCE_FIRST, _SINCE_LAST, _PURCHASE_DAYS),
        formula=lambda since_first, since_last, n: ratio(since_first - since_last, n - 1.0),
        minimum=1,
    ),
    Feature(
        name="gap_deviation",
        unit="days",
        driver="rhythm",
        description="Standard deviation (divisor n) of the days between purchase days.",
        clause="the time between purchases typically varies by {value}",
        clause_at_zero="purchases come at regular intervals",
        clause_if_missing="there are too few purchases to see a rhythm by",
        inputs=(_GAP_DEVIATION,),
        minimum=0,
    ),
    Feature(
        name="gap_last",
        unit="days",
        driver="rhythm",
        description="Days between the last two purchase days.",
        clause="the last two purchases lie {value} apart",
        clause_if_missing="there is no second purchase to see a rhythm by",
        inputs=(_GAP_LAST,),
        minimum=1,
    ),
    Feature(
        name="gap_longest",
        unit="days",
        driver="rhythm",
        description="The longest time between two purchase days.",
        clause="the longest pause between purchases was {value}",
        clause_if_missing="there is no second purchase to see a rhythm by",
        inputs=(Aggregate(Measure.GAP_MAX),),
        minimum=1,
    ),
    Feature(
        name="silence_ratio",
        unit="ratio",
        driver="inactivity",
        description="Days since the last purchase day, divided by the mean days between purchase days.",
        clause="the present silence is {value} times as long as the usual time between purchases",
        clause_at_zero="the present silence has only just begun",
        clause_if_missing="there is no second purchase to measure the silence by",
        lively_below=1,
        inputs=(_SINCE_LAST, _SINCE_FIRST, _PURCHASE_DAYS),
        formula=lambda since_last, since_first, n: _by_mean_gap(since_last, since_first, since_last, n),
        minimum=0,
    ),
    Feature(
        name="gap_regularity",
        unit="share",
        driver="rhythm",
        description="Standard deviation of the days between purchase days, divided by their mean; 0 is clockwork.",
        clause="the time between purchases typically varies by {value} of its average",
        clause_at_zero="purchases come at regular intervals",
        clause_if_missing="there are too few purchases to see a rhythm by",
        inputs=(_GAP_DEVIATION, _SINCE_FIRST, _SINCE_LAST, _PURCHASE_DAYS),
        formula=_by_mean_gap,
        minimum=0,
    ),
    Feature(
        name="gap_last_ratio",
        unit="ratio",
        driver="rhythm",
        description="Days between the last two purchase days, divided by the mean days between purchase days.",
        clause="the last two purchases lie {value} times as far apart as is usual for the customer",
        clause_at_zero="the last two purchases lie much closer together than is usual for the customer",
        clause_if_missing="there is no second purchase to see a rhythm by",
        inputs=(_GAP_LAST, _SINCE_FIRST, _SINCE_LAST, _PURCHASE_DAYS),
        formula=_by_mean_gap,
        minimum=0,
        lively_below=1,
    ),
    Feature(
        name="preferred_weekday",
        unit="weekday",
        driver="rhythm",
        description="Weekday on which most orders were placed, from 0 for Monday; the earlier one of equals.",
        clause="the customer's day for orders is {value}",
        inputs=(Aggregate(Measure.PREFERRED_WEEKDAY),),
        minimum=0,
        maximum=6,
    ),
    Feature(
        name="preferred_weekday_share",
        unit="share",
        driver="rhythm",
        description="Share of the orders that were placed on the preferred weekday.",
        clause="of the orders, {value} were placed on the same day of the week",
        clause_at_one="all orders were placed on the same day of the week",
        inputs=(Aggregate(Measure.PREFERRED_WEEKDAY_SHARE),),
        minimum=0.14,  # a seventh
        maximum=1,
    ),
    Feature(
        name="weekend_share",
        unit="share",
        driver="rhythm",
        description="Share of the orders that were placed on a Saturday or Sunday.",
        clause="of the orders, {value} were placed at a weekend",
        clause_at_zero="no order was ever placed at a weekend",
        clause_at_one="all orders were placed at a weekend",
        inputs=(Aggregate(Measure.WEEKEND_SHARE),),
        minimum=0,
        maximum=1,
    ),
    Feature(
        name="preferred_hour",
        unit="hour",
        driver="rhythm",
        description="Local hour in which most orders were placed, 0 to 23; the earlier one of equals.",
        clause="the customer mostly orders in the hour from {value} on",
        inputs=(Aggregate(Measure.PREFERRED_HOUR),),
        needs="hours",
        minimum=0,
        maximum=23,
    ),
)
