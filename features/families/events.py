"""What customers do besides buying: the same features of every name of event, by a rule.

A business sends whatever events it has. Of each there are the days since the last, counts, distinct days and a change,
named `event.<slug>.<what>`; families that many shops have are told in better words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from features.aggregate import Aggregate, Measure
from features.families.formulas import difference
from features.feature import Driver, Feature
from features.slug import slug

__all__ = ["FEATURES", "WELL_KNOWN", "event_feature", "event_features"]

_NOT_RECORDED = "{what} have not been recorded for long enough to say more"


@dataclass(frozen=True, slots=True)
class _Words:
    """How a family of events is told.

    Attributes
    ----------
    did, did_not : str
        What the customer did, or did not do, after "the customer".
    several : str
        The events as a plural noun.
    driver : Driver
    is_lively : bool
        Whether it shows a lively customer.
    """

    did: str
    did_not: str
    several: str
    driver: Driver = "engagement"
    is_lively: bool = False


# By slug. Whatever else a business sends is told by its own name.
WELL_KNOWN: Mapping[str, _Words] = MappingProxyType(
    {
        "session_started": _Words("visited", "did not visit", "visits", is_lively=True),
        "product_viewed": _Words("looked at a product", "looked at no product", "products viewed", is_lively=True),
        "product_added": _Words(
            "put something into the cart", "put nothing into the cart", "products put into the cart", is_lively=True
        ),
        "cart_viewed": _Words(
            "looked into the cart", "did not look into the cart", "looks into the cart", is_lively=True
        ),
        "checkout_started": _Words("began a checkout", "began no checkout", "checkouts begun", is_lively=True),
        "email_sent": _Words("was sent an e-mail", "was sent no e-mail", "e-mails sent"),
        "email_opened": _Words("opened an e-mail", "opened no e-mail", "e-mails opened", is_lively=True),
        "email_clicked": _Words(
            "clicked on a link in an e-mail", "clicked on no link in an e-mail", "clicks in e-mails", is_lively=True
        ),
        "campaign_received": _Words(
            "was addressed by a campaign", "was addressed by no campaign", "campaigns received"
        ),
        "support_ticket_opened": _Words(
            "opened a support ticket", "opened no support ticket", "support tickets", "service"
        ),
        "coupon_applied": _Words("used a coupon", "used no coupon", "coupons used", "price"),
        "coupon_redeemed": _Words("redeemed a coupon", "redeemed no coupon", "coupons redeemed", "price"),
    }
)

# Words in the name of an event that tell what it is about; of several the first counts.
_DRIVERS: Mapping[Driver, frozenset[str]] = MappingProxyType(
    {
        "service": frozenset(
            {
                *("ticket", "tickets", "support", "complaint", "complaints", "complained", "claim", "claims"),
                *("return", "returns", "returned", "dispute", "disputed", "helpdesk", "hotline"),
            }
        ),
        "price": frozenset(
            {"coupon", "coupons", "voucher", "vouchers", "promo", "promotion", "promotions", "discount", "discounts"}
        ),
    }
)


def _days_since(family: str, words: _Words) -> Feature:
    return Feature(
        name=f"event.{family}.days_since",
        unit="days",
        driver=words.driver,
        description=f"Days since the last of: {words.several}.",
        clause=f"it has been {{value}} since the customer last {words.did}",
        clause_at_zero=f"the customer {words.did} just now",
        clause_if_missing=f"so far the customer {words.did_not}",
        needs=f"event.{family}",
        inputs=(Aggregate(Measure.DAYS_SINCE_EVENT, of=family),),
        minimum=0,
    )


def _count(family: str, words: _Words, days: int) -> Feature:
    return Feature(
        name=f"event.{family}.count_{days}d",
        unit="times",
        driver=words.driver,
        description=f"Number of {words.several} in the last {days} days.",
        clause=f"the customer {words.did} {{value}} in the last {days} days",
        clause_at_zero=f"the customer {words.did_not} in the last {days} days",
        clause_if_missing=_NOT_RECORDED.format(what=words.several),
        needs=f"event.{family}",
        lively_above=0.5 if words.is_lively else None,
        inputs=(Aggregate(Measure.EVENTS, days, of=family),),
        minimum=0,
    )


def _days(family: str, words: _Words) -> Feature:
    return Feature(
        name=f"event.{family}.days_90d",
        unit="days",
        driver=words.driver,
        description=f"Days with {words.several} in the last 90 days.",
        clause=f"the customer {words.did} on {{value}} in the last 90 days",
        clause_at_zero=f"the customer {words.did_not} in the last 90 days",
        clause_if_missing=_NOT_RECORDED.format(what=words.several),
        needs=f"event.{family}",
        lively_above=0.5 if words.is_lively else None,
        inputs=(Aggregate(Measure.EVENT_DAYS, 90, of=family),),
        minimum=0,
        maximum=90,
    )


def _change(family: str, words: _Words) -> Feature:
    return Feature(
        name=f"event.{family}.change_30d",
        unit="count",
        driver=words.driver,
        description=f"Number of {words.several} in the last 30 days less that of the 30 days before.",
        clause=f"the number of {words.several} in the last 30 days was {{value}} higher than in the 30 days before",
        clause_at_zero=f"the number of {words.several} in the last 30 days was the same as in the 30 days before",
        clause_below_zero=f"the number of {words.several} in the last 30 days was {{value}} lower than in the 30 days "
        "before",
        clause_if_missing=_NOT_RECORDED.format(what=words.several),
        needs=f"event.{family}",
        lively_above=0 if words.is_lively else None,
        inputs=(Aggregate(Measure.EVENTS, 30, of=family), Aggregate(Measure.EVENTS, 30, ago=30, of=family)),
        formula=difference,
    )


_MAKERS: Mapping[str, Callable[[str, _Words], Feature]] = MappingProxyType(
    {
        "days_since": _days_since,
        "count_7d": lambda family, words: _count(family, words, 7),
        "count_30d": lambda family, words: _count(family, words, 30),
        "count_90d": lambda family, words: _count(family, words, 90),
        "days_90d": _days,
        "change_30d": _change,
    }
)


@lru_cache(maxsize=4_096)
def event_feature(name: str) -> Feature | None:
    """Return the feature `event.<slug>.<what>`; None if the name is not of that form.

    Examples
    --------
    >>> event_feature("event.newsletter_signup.count_30d").tell(3.0, "USD")
    'the customer did “newsletter signup” 3 times in the last 30 days'
    >>> event_feature("event.Newsletter Signup.count_30d") is None
    True
    """
    of_event, _, rest = name.partition(".")
    family, _, what = rest.partition(".")
    if of_event != "event" or what not in _MAKERS or not family or slug(family) != family:
        return None
    return _MAKERS[what](family, _words(family))


def event_features(family: str) -> tuple[Feature, ...]:
    """Return all features of the family of events with this slug."""
    made = (event_feature(f"event.{family}.{what}") for what in _MAKERS)
    return tuple(feature for feature in made if feature is not None)


def _words(family: str) -> _Words:
    if family in WELL_KNOWN:
        return WELL_KNOWN[family]
    shown = f"“{family.replace('_', ' ')}”"
    words = set(family.split("_"))
    telling: Iterator[Driver] = (driver for driver, among in _DRIVERS.items() if words & among)
    driver: Driver = next(telling, "engagement")
    return _Words(f"did {shown}", f"did not do {shown}", f"{shown} events", driver)


FEATURES = tuple(feature for family in WELL_KNOWN for feature in event_features(family))
