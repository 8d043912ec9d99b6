"""What is in the orders: how many lines, how many different things, always the same or something new.

Lines are counted as they were ordered; what came back is told by the family of refunds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure
from features.families.formulas import difference, ratio, scaled_ratio
from features.feature import Feature

__all__ = ["FEATURES"]

_Column = NDArray[np.float64]

_LINES = Aggregate(Measure.LINES)
_LINES_90D = Aggregate(Measure.LINES, 90)
_ORDERS = Aggregate(Measure.LINE_ORDERS)
_ORDERS_90D = Aggregate(Measure.LINE_ORDERS, 90)
_PRODUCTS = Aggregate(Measure.PRODUCTS)
_CATEGORIES_90D = Aggregate(Measure.CATEGORIES, 90)

_NOTHING_LATELY = "nothing was bought in the last 90 days"
_UNKNOWN = "it is not known what the customer bought"


def _repeats(products: _Column, lines: _Column) -> _Column:
    """Share of the lines that were not the first of their product; missing where no product is known."""
    return np.where(products > 0, ratio(lines - products, lines), np.nan)


def _evenly_used(concentration: _Column) -> _Column:
    """How many things used alike would be as concentrated."""
    return ratio(np.ones_like(concentration), concentration)


_SIZE = (
    Feature(
        name="lines_per_order",
        unit="items",
        driver="basket",
        description="Mean number of lines of an order.",
        clause="an order holds {value} on average",
        clause_if_missing=_UNKNOWN,
        needs="lines",
        inputs=(_LINES, _ORDERS),
        formula=ratio,
        minimum=1,
    ),
    Feature(
        name="lines_per_order_90d",
        unit="items",
        driver="basket",
        description="Mean number of lines of an order of the last 90 days.",
        clause="an order of the last 90 days held {value} on average",
        clause_if_missing=_NOTHING_LATELY,
        needs="lines",
        inputs=(_LINES_90D, _ORDERS_90D),
        formula=ratio,
        minimum=1,
    ),
    Feature(
        name="lines_per_order_ratio_90d",
        unit="ratio",
        driver="basket",
        description="Lines per order in the last 90 days, divided by those of all orders.",
        clause="orders of the last 90 days held {value} times as many items as the customer's orders on average",
        clause_at_zero="orders of the last 90 days held far fewer items than usual",
        clause_if_missing=_NOTHING_LATELY,
        needs="lines",
        lively_above=1,
        inputs=(_LINES_90D, _ORDERS_90D, _LINES, _ORDERS),
        formula=scaled_ratio,
        minimum=0,
    ),
    Feature(
        name="lines_90d",
        unit="items",
        driver="basket",
        description="Lines of the orders of the last 90 days.",
        clause="the customer ordered {value} in the last 90 days",
        clause_at_zero=_NOTHING_LATELY,
        clause_if_missing=_UNKNOWN,
        needs="lines",
        lively_above=0.5,
        inputs=(_LINES_90D,),
        minimum=0,
    ),
    Feature(
        name="pieces_per_order",
        unit="pieces",
        driver="basket",
        description="Mean quantity of an order, all lines together.",
        clause="an order comes to {value} on average",
        clause_at_zero="the quantities of the orders come to next to nothing",
        clause_if_missing=_UNKNOWN,
        needs="lines",
        inputs=(Aggregate(Measure.QUANTITY), _ORDERS),
        formula=ratio,
        minimum=0,
    ),
)

_VARIETY = (
    Feature(
        name="products",
        unit="products",
        driver="basket",
        description="Different products bought.",
        clause="purchases so far were spread over {value}",
        clause_at_zero="no product that the customer bought is known",
        clause_at_one="all purchases so far were of one product",
        clause_if_missing=_UNKNOWN,
        needs="lines",
        inputs=(_PRODUCTS,),
        minimum=0,
    ),
    Feature(
        name="products_90d",
        unit="products",
        driver="basket",
        description="Different products bought in the last 90 days.",
        clause="purchases in the last 90 days were spread over {value}",
        clause_at_zero=_NOTHING_LATELY,
        clause_at_one="all purchases in the last 90 days were of one product",
        clause_if_missing=_UNKNOWN,
        needs="lines",
        lively_above=0.5,
        inputs=(Aggregate(Measure.PRODUCTS, 90),),
        minimum=0,
    ),
    Feature(
        name="favourite_product_share",
        unit="share",
        driver="basket",
        description="Share of the lines that are of the product bought most often.",
        clause="of the items bought so far, {value} were of the favourite product",
        clause_at_zero="there is no favourite product yet",
        clause_at_one="all items bought so far were of one product",
        clause_if_missing=_UNKNOWN,
        needs="lines",
        inputs=(Aggregate(Measure.PRODUCT_TOP_LINES), _LINES),
        formula=ratio,
        minimum=0,
        maximum=1,
    ),
    Feature(
        name="repeat_line_share",
        unit="share",
        driver="basket",
        description="Share of the lines whose product the customer had bought before.",
        clause="of the items bought so far, {value} were products that the customer had bought before",
        clause_at_zero="the customer has never bought the same product twice",
        clause_if_missing=_UNKNOWN,
        needs="lines",
        inputs=(_PRODUCTS, _LINES),
        formula=_repeats,
        minimum=0,
        maximum=1,
    ),
    Feature(
        name="novelty_90d",
        unit="share",
        driver="basket",
        description="Share of the lines of the last 90 days whose product the customer had never bought before.",
        clause="of the items bought in the last 90 days, {value} were new to the customer",
        clause_at_zero="nothing bought in the last 90 days was new to the customer",
        clause_at_one="all items bought in the last 90 days were new to the customer",
        clause_if_missing=_NOTHING_LATELY,
        needs="lines",
        inputs=(Aggregate(Measure.NEW_PRODUCT_LINES, 90), _LINES_90D),
        formula=ratio,
        minimum=0,
        maximum=1,
    ),
)

_CATEGORIES = (
    Feature(
        name="categories",
        unit="categories",
        driver="basket",
        description="Different categories bought from, on the coarsest level.",
        clause="purchases so far were spread over {value}",
        clause_at_zero="no category that the customer bought from is known",
        clause_at_one="all purchases so far were from one category",
        clause_if_missing=_UNKNOWN,
        needs="categories",
        inputs=(Aggregate(Measure.CATEGORIES),),
        minimum=0,
    ),
    Feature(
        name="categories_90d",
        unit="categories",
        driver="basket",
        description="Different categories bought from in the last 90 days, on the coarsest level.",
        clause="purchases in the last 90 days were spread over {value}",
        clause_at_zero="no purchase from any category is known of the last 90 days",
        clause_at_one="all purchases in the last 90 days were from one category",
        clause_if_missing=_UNKNOWN,
        needs="categories",
        lively_above=0.5,
        inputs=(_CATEGORIES_90D,),
        minimum=0,
    ),
    Feature(
        name="categories_change_90d",
        unit="count",
        driver="basket",
        description="Categories bought from in the last 90 days less those of the 90 days before.",
        clause="the number of categories bought from in the last 90 days was {value} higher than in the 90 days before",
        clause_at_zero="in the last 90 days the customer bought from as many categories as in the 90 days before",
        clause_below_zero="the number of categories bought from in the last 90 days was {value} lower than in the 90 "
        "days before",
        clause_if_missing=_UNKNOWN,
        needs="categories",
        lively_above=0,
        inputs=(_CATEGORIES_90D, Aggregate(Measure.CATEGORIES, 90, ago=90)),
        formula=difference,
    ),
    Feature(
        name="favourite_category_share",
        unit="share",
        driver="basket",
        description="Share of the value of all lines that went to the category with most of it.",
        clause="of the money spent so far, {value} went to the favourite category",
        clause_at_zero="no category stands out in what the customer spent",
        clause_below_zero="no category stands out in what the customer spent",
        clause_at_one="all money spent so far went to one category",
        clause_if_missing=_UNKNOWN,
        needs="categories",
        inputs=(Aggregate(Measure.CATEGORY_TOP_VALUE), Aggregate(Measure.LINE_VALUE)),
        formula=ratio,
    ),
    Feature(
        name="category_spread",
        unit="categories",
        driver="basket",
        description="Concentration of the value of all lines on categories, as the number of categories that would be "
        "as concentrated if bought alike: 1 divided by the sum of the squared shares.",
        clause="spending is spread as if evenly over {value}",
        clause_at_zero="no category stands out in what the customer spent",
        clause_at_one="all money spent so far went to one category",
        clause_if_missing=_UNKNOWN,
        needs="categories",
        inputs=(Aggregate(Measure.CATEGORY_CONCENTRATION),),
        formula=_evenly_used,
        minimum=0,
    ),
)

FEATURES = (*_SIZE, *_VARIETY, *_CATEGORIES)
