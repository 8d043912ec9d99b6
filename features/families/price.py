"""What things cost the customer: discounts, coupons, and prices against what is usual in their category."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure
from features.families.formulas import capped_share, ratio
from features.feature import Feature

__all__ = ["FEATURES"]

_Column = NDArray[np.float64]

_NOTHING_LATELY = "nothing was bought in the last 90 days"
_NO_DISCOUNTS_KNOWN = "it is not known what discounts the customer had"
_NO_PRICES_KNOWN = "it is not known what prices the customer pays"

_COUPONS = {"coupon_applied": "used", "coupon_redeemed": "redeemed"}


def _of_full_price(discount: _Column, paid: _Column) -> _Column:
    return ratio(discount, paid + discount)


def _above_usual(mean_log_ratio: _Column) -> _Column:
    # A mean of logarithms: twice the usual price once and half of it once is the usual price.
    return np.expm1(mean_log_ratio)


_DISCOUNTS = tuple(
    feature
    for days, suffix, when, missing in (
        (None, "", "so far", _NO_DISCOUNTS_KNOWN),
        (90, "_90d", "in the last 90 days", _NOTHING_LATELY),
    )
    for feature in (
        Feature(
            name=f"discount_share{suffix}",
            unit="share",
            driver="price",
            description="Discounts as a share of the full price (value paid and discount) of the lines of "
            f"{'all history' if days is None else f'the last {days} days'}.",
            clause=f"discounts made up {{value}} of the full price of what was bought {when}",
            clause_at_zero=f"there was no discount on anything bought {when}",
            clause_below_zero=f"surcharges made up {{value}} of the full price of what was bought {when}",
            clause_if_missing=missing,
            needs="discounts",
            inputs=(Aggregate(Measure.DISCOUNT, days), Aggregate(Measure.LINE_VALUE, days)),
            formula=_of_full_price,
        ),
        Feature(
            name=f"discounted_line_share{suffix}",
            unit="share",
            driver="price",
            description="Share of the lines with a discount, of "
            f"{'all history' if days is None else f'the last {days} days'}.",
            clause=f"of the items bought {when}, {{value}} came with a discount",
            clause_at_zero=f"there was no discount on anything bought {when}",
            clause_at_one=f"all items bought {when} came with a discount",
            clause_if_missing=missing,
            needs="discounts",
            inputs=(Aggregate(Measure.DISCOUNTED_LINES, days), Aggregate(Measure.LINES, days)),
            formula=ratio,
            minimum=0,
            maximum=1,
        ),
    )
)

_COUPON_USE = tuple(
    Feature(
        name=f"{coupon}_share_90d",
        unit="share",
        driver="price",
        description=f"Days with a coupon {used} in the last 90 days, divided by the purchase days of these days; at "
        "most 1.",
        clause=f"coupons were {used} on {{value}} of the days with a purchase in the last 90 days",
        clause_at_zero=f"no coupon was {used} for the purchases of the last 90 days",
        clause_at_one=f"coupons were {used} on every day with a purchase in the last 90 days",
        clause_if_missing=_NOTHING_LATELY,
        needs=f"event.{coupon}",
        inputs=(Aggregate(Measure.EVENT_DAYS, 90, of=coupon), Aggregate(Measure.PURCHASE_DAYS, 90)),
        formula=capped_share,
        minimum=0,
        maximum=1,
    )
    for coupon, used in _COUPONS.items()
)

_PRICES = (
    Feature(
        name="mean_piece_price",
        unit="currency",
        driver="price",
        description="Value of all lines divided by their quantity.",
        clause="a piece cost the customer {value} on average",
        clause_at_zero="a piece cost the customer next to nothing on average",
        clause_if_missing=_NO_PRICES_KNOWN,
        needs="lines",
        inputs=(Aggregate(Measure.LINE_VALUE), Aggregate(Measure.QUANTITY)),
        formula=ratio,
    ),
    *(
        Feature(
            name=f"price_level{suffix}",
            unit="percent",
            driver="price",
            description="How far the prices paid per piece lie above the median of their category (0.1: a tenth), as a "
            f"geometric mean over the lines of {'all history' if days is None else f'the last {days} days'}.",
            clause=f"prices paid {when} were {{value}} above what is usual for such things",
            clause_at_zero=f"prices paid {when} were what is usual for such things",
            clause_below_zero=f"prices paid {when} were {{value}} below what is usual for such things",
            clause_if_missing=missing,
            needs="prices",
            inputs=(Aggregate(Measure.PRICE_LEVEL, days),),
            formula=_above_usual,
            minimum=-1,
        )
        for days, suffix, when, missing in (
            (None, "", "so far", _NO_PRICES_KNOWN),
            (90, "_90d", "in the last 90 days", "no prices are known of the last 90 days"),
        )
    ),
)

FEATURES = (*_DISCOUNTS, *_COUPON_USE, *_PRICES)
