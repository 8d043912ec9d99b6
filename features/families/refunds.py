"""What came back: refunds and cancellations, how many, how much, how long ago."""

from __future__ import annotations

from features.aggregate import Aggregate, Measure
from features.families.formulas import ratio
from features.feature import Feature

__all__ = ["FEATURES"]

_REFUNDS = Aggregate(Measure.REFUNDS)
_NEVER = "the customer has never had a refund"

FEATURES = (
    Feature(
        name="refunds",
        unit="refunds",
        driver="refunds",
        description="Refunds and cancellations, whether they found their order or not.",
        clause="the customer has had {value} so far",
        clause_at_zero=_NEVER,
        clause_if_missing=_NEVER,
        needs="refunds",
        inputs=(_REFUNDS,),
        minimum=0,
    ),
    *(
        Feature(
            name=f"refunds_{days}d",
            unit="refunds",
            driver="refunds",
            description=f"Refunds and cancellations in the last {days} days.",
            clause=f"the customer has had {{value}} in the last {days} days",
            clause_at_zero=f"there were no refunds in the last {days} days",
            clause_if_missing=_NEVER,
            needs="refunds",
            inputs=(Aggregate(Measure.REFUNDS, days),),
            minimum=0,
        )
        for days in (90, 365)
    ),
    Feature(
        name="refunds_per_order",
        unit="share",
        driver="refunds",
        description="Refunds and cancellations, divided by the orders that are not wholly refunded.",
        clause="there have been {value} as many refunds as orders that were kept",
        clause_at_zero=_NEVER,
        clause_at_one="there have been as many refunds as orders that were kept",
        clause_if_missing=_NEVER,
        needs="refunds",
        inputs=(_REFUNDS, Aggregate(Measure.ORDERS)),
        formula=ratio,
        minimum=0,
    ),
    Feature(
        name="refunded_share",
        unit="share",
        driver="refunds",
        description="Value refunded, divided by the value ordered before any refund.",
        clause="of the money spent so far, {value} was refunded",
        clause_at_zero="none of the money spent so far was refunded",
        clause_at_one="all of the money spent so far was refunded",
        clause_if_missing="there is nothing yet that could have been refunded",
        needs="refunds",
        inputs=(Aggregate(Measure.REFUNDED_VALUE), Aggregate(Measure.ORDERED_VALUE)),
        formula=ratio,
        minimum=0,
    ),
    Feature(
        name="refunded_share_90d",
        unit="share",
        driver="refunds",
        description="Value refunded in the last 90 days, divided by the value ordered in these days before any refund.",
        clause="refunds of the last 90 days came to {value} of what was ordered in these days",
        clause_at_zero="no money was refunded in the last 90 days",
        clause_if_missing="nothing was ordered in the last 90 days",
        needs="refunds",
        inputs=(Aggregate(Measure.REFUNDED_VALUE, 90), Aggregate(Measure.ORDERED_VALUE, 90)),
        formula=ratio,
        minimum=0,
    ),
    Feature(
        name="days_since_last_refund",
        unit="days",
        driver="refunds",
        description="Days from the last refund or cancellation to the last day observed.",
        clause="it has been {value} since the last refund",
        clause_at_zero="the last refund was made just now",
        clause_if_missing=_NEVER,
        needs="refunds",
        inputs=(Aggregate(Measure.REFUND_DAYS_SINCE),),
        minimum=0,
    ),
)
