"""Purchases and their value: in all, and in windows."""

from __future__ import annotations

from features.aggregate import Aggregate, Measure
from features.families.formulas import ratio, scaled_ratio
from features.feature import Feature

__all__ = ["FEATURES", "WINDOWS"]

WINDOWS = (7, 30, 90, 180, 365)

# Up to here more purchases are a good sign whatever else is known. Over longer times they are not: of two customers
# who have been silent for equally long, the one who used to buy often is the likelier to be gone (Fader, Hardie & Lee
# 2005, on the paradox of increasing frequency).
_RECENT = 90  # days

_PURCHASE_DAYS = Aggregate(Measure.PURCHASE_DAYS)
_ORDERS = Aggregate(Measure.ORDERS)
_ORDERS_90D = Aggregate(Measure.ORDERS, 90)
_VALUE = Aggregate(Measure.VALUE)
_VALUE_90D = Aggregate(Measure.VALUE, 90)
_REPEAT_VALUE = Aggregate(Measure.REPEAT_VALUE)
_SINCE_FIRST = Aggregate(Measure.DAYS_SINCE_FIRST)
_SINCE_LAST = Aggregate(Measure.DAYS_SINCE_LAST)

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
        purchase_chance="falls",
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
        formula=lambda value, purchase_days: ratio(value, purchase_days - 1.0),
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
        formula=ratio,
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
            purchase_chance="rises" if days <= _RECENT else None,
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

_RECENT_ORDERS = (
    Feature(
        name="orders_90d",
        unit="orders",
        driver="frequency",
        description="Orders of the last 90 days that are not wholly refunded.",
        clause="the customer placed {value} in the last 90 days",
        clause_at_zero="there were no orders in the last 90 days",
        lively_above=0.5,
        purchase_chance="rises",
        inputs=(_ORDERS_90D,),
        minimum=0,
    ),
    Feature(
        name="mean_order_value_90d",
        unit="currency",
        driver="value",
        description="Value of the last 90 days after refunds, divided by the number of orders of these days.",
        clause="an order of the last 90 days was worth {value} on average",
        clause_at_zero="an order of the last 90 days was worth nothing on average after refunds",
        clause_below_zero="refunds in the last 90 days exceed purchases by {value} for each order",
        clause_if_missing="there were no orders in the last 90 days",
        inputs=(_VALUE_90D, _ORDERS_90D),
        formula=ratio,
    ),
    Feature(
        name="order_value_ratio_90d",
        unit="ratio",
        driver="value",
        description="Mean order value of the last 90 days, divided by that of all orders.",
        clause="orders of the last 90 days were worth {value} times as much as the customer's orders on average",
        clause_at_zero="orders of the last 90 days were worth next to nothing after refunds",
        clause_below_zero="refunds in the last 90 days exceed purchases by {value} times a usual order for each order",
        clause_if_missing="there were no orders in the last 90 days to compare with earlier ones",
        inputs=(_VALUE_90D, _ORDERS_90D, _VALUE, _ORDERS),
        formula=scaled_ratio,
    ),
)

FEATURES = (*_RFM, *_VALUES, *_WINDOWED, *_RECENT_ORDERS)
