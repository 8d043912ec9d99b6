"""Everything that customers do, taken together, and how one thing leads to the next."""

from __future__ import annotations

from dataclasses import dataclass

from features.aggregate import Aggregate, Measure
from features.families.formulas import capped_share, difference
from features.feature import Feature

__all__ = ["FEATURES"]

_DAYS = 90
_REDEEMED = "led to a redeemed coupon"
_NOT_RECORDED = "other things than purchases have not been recorded for long enough to say more"

_TOGETHER = (
    Feature(
        name="days_since_last_event",
        unit="days",
        driver="inactivity",
        description="Days since anything at all happened: an order, a refund, or any other event.",
        clause="it has been {value} since anything happened with the customer",
        clause_at_zero="something happened with the customer just now",
        clause_if_missing="nothing has happened with the customer yet",
        needs="events",
        inputs=(Aggregate(Measure.DAYS_SINCE_ANYTHING),),
        minimum=0,
    ),
    *(
        Feature(
            name=f"events_{days}d",
            unit="times",
            driver="engagement",
            description=f"Number of events other than orders and refunds in the last {days} days.",
            clause=f"something other than a purchase happened {{value}} in the last {days} days",
            clause_at_zero=f"nothing but purchases, if any, happened in the last {days} days",
            clause_if_missing=_NOT_RECORDED,
            needs="events",
            inputs=(Aggregate(Measure.EVENTS, days),),
            minimum=0,
        )
        for days in (30, 90)
    ),
    Feature(
        name="event_days_90d",
        unit="days",
        driver="engagement",
        description="Days with an event other than orders and refunds in the last 90 days.",
        clause="something other than a purchase happened on {value} in the last 90 days",
        clause_at_zero="nothing but purchases, if any, happened in the last 90 days",
        clause_if_missing=_NOT_RECORDED,
        needs="events",
        inputs=(Aggregate(Measure.EVENT_DAYS, 90),),
        minimum=0,
        maximum=90,
    ),
    Feature(
        name="events_change_30d",
        unit="count",
        driver="engagement",
        description="Number of events other than orders and refunds in the last 30 days less that of the 30 days "
        "before.",
        clause="the number of contacts in the last 30 days was {value} higher than in the 30 days before",
        clause_at_zero="the number of contacts in the last 30 days was the same as in the 30 days before",
        clause_below_zero="the number of contacts in the last 30 days was {value} lower than in the 30 days before",
        clause_if_missing=_NOT_RECORDED,
        needs="events",
        inputs=(Aggregate(Measure.EVENTS, 30), Aggregate(Measure.EVENTS, 30, ago=30)),
        formula=difference,
    ),
)


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that leads to another, each a family of events or, for None, a purchase.

    E-mails are counted one by one. Elsewhere days are, since one visit has many looks at products, and one order
    empties a cart of many.
    """

    name: str
    begun: str
    done: str | None
    of_begun: str
    led: str
    measure: Measure = Measure.EVENT_DAYS


_STEPS = (
    _Step("visit_to_order", "session_started", None, "days with a visit", "led to a purchase"),
    _Step("view_to_cart", "product_viewed", "product_added", "days with products viewed", "led to a filled cart"),
    _Step("cart_to_checkout", "product_added", "checkout_started", "days with a filled cart", "led to a checkout"),
    _Step("cart_to_order", "product_added", None, "days with a filled cart", "led to a purchase"),
    _Step("checkout_to_order", "checkout_started", None, "days with a checkout begun", "led to a purchase"),
    _Step("sent_to_opened", "email_sent", "email_opened", "e-mails sent", "were opened", Measure.EVENTS),
    _Step("opened_to_clicked", "email_opened", "email_clicked", "e-mails opened", "led to a click", Measure.EVENTS),
    _Step("campaign_to_redeemed", "campaign_received", "coupon_redeemed", "campaigns", _REDEEMED, Measure.EVENTS),
)


def _ratio_of(step: _Step) -> Feature:
    bought = Aggregate(Measure.PURCHASE_DAYS, _DAYS)
    done = bought if step.done is None else Aggregate(step.measure, _DAYS, of=step.done)
    counted = "Number" if step.measure is Measure.EVENTS else "Days"
    return Feature(
        name=f"{step.name}_90d",
        unit="share",
        driver="engagement",
        description=f"{counted} of {step.done or 'purchases'} divided by that of {step.begun}, in the last {_DAYS} "
        "days; at most 1.",
        clause=f"of the {step.of_begun} in the last {_DAYS} days, {{value}} {step.led}",
        clause_at_zero=f"none of the {step.of_begun} in the last {_DAYS} days {step.led}",
        clause_at_one=f"all {step.of_begun} in the last {_DAYS} days {step.led}",
        clause_if_missing=f"there were no {step.of_begun} in the last {_DAYS} days",
        needs=f"event.{step.begun}",
        inputs=(done, Aggregate(step.measure, _DAYS, of=step.begun)),
        formula=capped_share,
        lively_above=0.005,
        minimum=0,
        maximum=1,
    )


FEATURES = (*_TOGETHER, *map(_ratio_of, _STEPS))
