"""THE list of features. To add one, add one value here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure
from features.feature import Feature

__all__ = ["CATALOGUE", "WINDOWS"]

WINDOWS = (7, 30, 90, 180, 365)

_Column = NDArray[np.float64]

_PURCHASE_DAYS = Aggregate(Measure.PURCHASE_DAYS)
_ORDERS = Aggregate(Measure.ORDERS)
_VALUE = Aggregate(Measure.VALUE)
_REPEAT_VALUE = Aggregate(Measure.REPEAT_VALUE)
_SINCE_FIRST = Aggregate(Measure.DAYS_SINCE_FIRST)
_SINCE_LAST = Aggregate(Measure.DAYS_SINCE_LAST)


def _ratio(numerator: _Column, denominator: _Column) -> _Column:
    """Divide; missing where the denominator is not above 0."""
    above = denominator > 0
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=above)


def _per_30_days(purchase_days: _Column, since_first: _Column) -> _Column:
    return purchase_days * 30.0 / (since_first + 1.0)


def _a_year_ago(purchase_days: _Column, since_first: _Column) -> _Column:
    return np.where(since_first >= 365, purchase_days, np.nan)


_RFM = (
    Feature(
        name="frequency",
        unit="purchase days",
        driver="frequency",
        description="Repeat purchase days: distinct days with a purchase, less the first.",
        clause="the customer has come back to buy on {value}",
        clause_at_zero="the customer has bought on one day only",
        lively_above=0,
        inputs=(_PURCHASE_DAYS,),
        formula=lambda purchase_days: purchase_days - 1.0,
        minimum=0,
    ),
    Feature(
        name="recency",
        unit="days",
        driver="lifetime",
        description="Days from the first to the last purchase day (never the time since the last).",
        clause="the first and the last purchase lie {value} apart",
        clause_at_zero="the customer has bought on one day only",
        inputs=(_SINCE_FIRST, _SINCE_LAST),
        formula=lambda since_first, since_last: since_first - since_last,
        minimum=0,
    ),
    Feature(
        name="T",
        unit="days",
        driver="lifetime",
        description="Days from the first purchase day to the last day observed.",
        clause="the first purchase was {value} ago",
        clause_at_zero="the first purchase was made just now",
        inputs=(_SINCE_FIRST,),
        minimum=0,
    ),
    Feature(
        name="days_since_last_purchase",
        unit="days",
        driver="inactivity",
        description="Days from the last purchase day to the last day observed.",
        clause="it has been {value} since the last purchase",
        clause_at_zero="the last purchase was made just now",
        inputs=(_SINCE_LAST,),
        minimum=0,
    ),
    Feature(
        name="monetary_value",
        unit="currency",
        driver="value",
        description="Mean value of the repeat purchase days, after the refunds of their orders.",
        clause="each day of repeat purchases came to {value} on average",
        clause_at_zero="repeat purchases came to nothing",
        clause_if_missing="there is no repeat purchase yet",
        inputs=(_REPEAT_VALUE, _PURCHASE_DAYS),
        formula=lambda value, purchase_days: _ratio(value, purchase_days - 1.0),
    ),
)

_VALUES = (
    Feature(
        name="orders",
        unit="orders",
        driver="frequency",
        description="Orders that are not wholly refunded.",
        clause="the customer has placed {value} in all",
        inputs=(_ORDERS,),
        minimum=1,
    ),
    Feature(
        name="total_value",
        unit="currency",
        driver="value",
        description="Value of all orders after all refunds.",
        clause="purchases so far come to {value}",
        clause_at_zero="purchases so far come to nothing after refunds",
        clause_below_zero="refunds so far exceed purchases by {value}",
        inputs=(_VALUE,),
    ),
    Feature(
        name="mean_order_value",
        unit="currency",
        driver="value",
        description="Value of all orders after all refunds, divided by the number of orders.",
        clause="an order was worth {value} on average",
        clause_at_zero="an order was worth nothing on average after refunds",
        clause_below_zero="refunds exceed purchases by {value} for each order",
        inputs=(_VALUE, _ORDERS),
        formula=_ratio,
    ),
    Feature(
        name="day_value_deviation",
        unit="currency",
        driver="value",
        description="Standard deviation (divisor n) of the value of a purchase day.",
        clause="the value of a purchase day typically varies by {value}",
        clause_at_zero="every purchase day came to the same value",
        clause_if_missing="the customer has bought on one day only",
        inputs=(Aggregate(Measure.DAY_VALUE_DEVIATION),),
        minimum=0,
    ),
    Feature(
        name="day_value_max",
        unit="currency",
        driver="value",
        description="Value of the largest purchase day.",
        clause="the largest purchase day came to {value}",
        clause_at_zero="no purchase so far was worth anything",
        inputs=(Aggregate(Measure.DAY_VALUE_MAX),),
    ),
    Feature(
        name="first_day_value",
        unit="currency",
        driver="value",
        description="Value of the first purchase day.",
        clause="the first purchase was worth {value}",
        clause_at_zero="the first purchase was worth nothing",
        inputs=(Aggregate(Measure.FIRST_DAY_VALUE),),
    ),
    Feature(
        name="last_day_value",
        unit="currency",
        driver="value",
        description="Value of the last purchase day.",
        clause="the last purchase was worth {value}",
        clause_at_zero="the last purchase was worth nothing",
        inputs=(Aggregate(Measure.LAST_DAY_VALUE),),
    ),
)

_WINDOWED = tuple(
    feature
    for days in WINDOWS
    for feature in (
        Feature(
            name=f"purchase_days_{days}d",
            unit="purchase days",
            driver="frequency",
            description=f"Purchase days in the last {days} days.",
            clause=f"the customer bought on {{value}} in the last {days} days",
            clause_at_zero=f"there were no purchases in the last {days} days",
            lively_above=0.5,
            inputs=(Aggregate(Measure.PURCHASE_DAYS, days),),
            minimum=0,
            maximum=days,
        ),
        Feature(
            name=f"value_{days}d",
            unit="currency",
            driver="value",
            description=f"Value of the orders of the last {days} days after their refunds, less the unmatched refunds "
            "of these days.",
            clause=f"purchases in the last {days} days come to {{value}}",
            clause_at_zero=f"nothing was spent in the last {days} days",
            clause_below_zero=f"refunds in the last {days} days exceed purchases by {{value}}",
            lively_above=0.005,
            inputs=(Aggregate(Measure.VALUE, days),),
        ),
    )
)

_RHYTHM = (
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
        formula=lambda since_first, since_last, n: _ratio(since_first - since_last, n - 1.0),
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
        inputs=(Aggregate(Measure.GAP_DEVIATION),),
        minimum=0,
    ),
    Feature(
        name="gap_last",
        unit="days",
        driver="rhythm",
        description="Days between the last two purchase days.",
        clause="the last two purchases lie {value} apart",
        clause_if_missing="there is no second purchase to see a rhythm by",
        inputs=(Aggregate(Measure.GAP_LAST),),
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
        formula=lambda since_last, since_first, n: _ratio(since_last, _ratio(since_first - since_last, n - 1.0)),
        minimum=0,
    ),
)

_TRENDS = (
    *(
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
            formula=lambda now, before: now - before,
            minimum=-days,
            maximum=days,
        )
        for days in (30, 90, 180)
    ),
    Feature(
        name="value_change_90d",
        unit="currency",
        driver="value",
        description="Value of the last 90 days less that of the 90 days before, both after refunds.",
        clause="the customer spent {value} more in the last 90 days than in the 90 days before",
        clause_at_zero="spending neither rose nor fell in the last 90 days",
        clause_below_zero="the customer spent {value} less in the last 90 days than in the 90 days before",
        lively_above=0,
        inputs=(Aggregate(Measure.VALUE, 90), Aggregate(Measure.VALUE, 90, ago=90)),
        formula=lambda now, before: now - before,
    ),
)

# Under two years of history a model can't tell season from trend: every snapshot then has a season of its own.
_TWO_YEARS = 730

_SEASON = (
    Feature(
        name="purchase_days_year_ago_90d",
        unit="purchase days",
        driver="season",
        description="Purchase days in the 90 days that followed this date a year (365 days) ago.",
        clause="the customer bought on {value} in the three months that followed this date a year ago",
        clause_at_zero="there were no purchases in the three months that followed this date a year ago",
        clause_if_missing="the customer had not bought yet at this time a year ago",
        inputs=(Aggregate(Measure.PURCHASE_DAYS, 90, ago=275), _SINCE_FIRST),
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

_BTYD = (
    Feature(
        name="p_alive",
        unit="probability",
        driver="lifetime",
        description="P(alive) of the BTYD model; exactly 1 for one-time buyers, which says nothing of health.",
        clause="the purchase history alone puts the chance that the customer is still there at {value}",
        clause_at_one="the purchase history alone can't tell yet whether the customer is still there",
        source="btyd",
        minimum=0,
        maximum=1,
    ),
    Feature(
        name="expected_purchases",
        unit="purchase days",
        driver="frequency",
        description="Purchase days that the BTYD model expects within the horizon.",
        clause="the purchase history alone leads one to expect purchases on {value} in the coming period",
        clause_at_zero="the purchase history alone leads one to expect hardly a purchase in the coming period",
        source="btyd",
        minimum=0,
    ),
    Feature(
        name="expected_average_value",
        unit="currency",
        driver="value",
        description="Gamma-Gamma conditional mean of the value of a purchase day.",
        clause="a day with a purchase can be expected to come to {value}",
        clause_at_zero="a day with a purchase can be expected to come to nothing",
        source="btyd",
        minimum=0,
    ),
)

CATALOGUE: Mapping[str, Feature] = MappingProxyType(
    {feature.name: feature for feature in (*_RFM, *_VALUES, *_WINDOWED, *_RHYTHM, *_TRENDS, *_SEASON, *_BTYD)}
)
