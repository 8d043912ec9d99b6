"""Who joins when, buys when, spends what, and is lost: BG/NBD and Gamma-Gamma in whole days.

BG/NBD (Fader, Hardie & Lee 2005) has purchases at instants, and Regulars counts purchase days: cutting exponential
gaps at midnights would merge some purchases and lengthen all gaps by half a day. So gaps are exponential with the
customer's own rate, *rounded* to whole days and at least one. Rounding leaves the density of a gap of g days at
2 sinh(rate / 2) exp(-rate g), which is the exponential's to second order in the rate, and only the chance of a gap
under half a day is moved to one day. With a purchase in 62.5 days, a fit to a million customers is off by up to two
standard errors, and to 50,000 by less than half of one. Rounding gaps up is off by 17 at a million, and a purchase on
each day with the rate as its chance by 7 (`python -m benchmarks.simulate --recovery`).

Spend follows Fader & Hardie (2013), a value for each purchase day, rounded to cents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.simulation.business import Business
from models.simulation.period import HOUR, SECOND, Period

__all__ = ["NEVER", "Orders", "Traits", "draw_orders", "draw_traits"]

# Instant of what doesn't happen.
NEVER = int(np.iinfo(np.int64).max)

# Orders come in between, so that the visit that leads to one is of the same day.
_OPENS, _CLOSES = 8 * HOUR, 22 * HOUR


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """What is true of each customer and never seen, each of shape (n,).

    Attributes
    ----------
    joins : int64
        Day of the first order, counted from the first of the period. New customers grow more, linearly; none joins on
        the last day, which may not be over.
    rate : float64
        Purchases a day.
    drop_out : float64
        Probability of being lost after a repeat purchase.
    spend_rate : float64
        nu of Gamma-Gamma: the customer's purchases are p / nu on average.
    """

    joins: NDArray[np.int64]
    rate: NDArray[np.float64]
    drop_out: NDArray[np.float64]
    spend_rate: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """The orders of n customers, by customer and time, each array of shape (k,) but `lost_at`.

    Attributes
    ----------
    customer : int64
        Row of the customer, from 0.
    number : int64
        Of the order among those of its customer, from 1.
    occurred_at : int64
        Microseconds since 1970-01-01 UTC; one order a customer and day at most.
    cents : int64
        What was paid, at least 1.
    is_last : bool
        Whether the customer was lost after it.
    lost_at : int64, shape (n,)
        Instant of the order after which each customer was lost, `NEVER` for those who are still customers.
    """

    customer: NDArray[np.int64]
    number: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    cents: NDArray[np.int64]
    is_last: NDArray[np.bool_]
    lost_at: NDArray[np.int64]


def draw_traits(business: Business, period: Period, n: int, random: np.random.Generator) -> Traits:
    """Draw n customers."""
    return Traits(
        joins=np.floor((period.days - 1) * np.sqrt(random.random(n))).astype(np.int64),
        rate=random.gamma(business.r, 1 / business.alpha, n),
        drop_out=random.beta(business.a, business.b, n),
        spend_rate=random.gamma(business.q, 1 / business.v, n),
    )


def draw_orders(business: Business, period: Period, traits: Traits, random: np.random.Generator) -> Orders:
    """Draw all orders of some customers up to the end of the period."""
    customer, day, is_last = _purchase_days(period, traits, random)
    time_of_day = random.integers(_OPENS // SECOND, _CLOSES // SECOND, len(customer)) * SECOND
    occurred_at = period.instants(day, time_of_day)
    value = random.gamma(business.p, 1 / traits.spend_rate[customer])
    cents = np.maximum(np.rint(100 * value), 1).astype(np.int64)
    # On a last day that isn't over, what would come later has not happened.
    happened = np.flatnonzero(occurred_at < period.end)
    customer, occurred_at = customer[happened], occurred_at[happened]
    cents, is_last = cents[happened], is_last[happened]
    lost_at = np.full(len(traits.joins), NEVER)
    lost_at[customer[is_last]] = occurred_at[is_last]
    first = np.searchsorted(customer, customer)
    return Orders(customer, np.arange(1, len(customer) + 1) - first, occurred_at, cents, is_last, lost_at)


def _purchase_days(
    period: Period, traits: Traits, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return customer, day and whether it is the last by drop-out, of each purchase, by customer and day."""
    buying = np.arange(len(traits.joins))
    day = traits.joins.copy()
    customers, days, lasts = [buying], [day.copy()], [np.zeros(len(buying), dtype=np.bool_)]
    while buying.size:
        gap = random.exponential(size=buying.size) / traits.rate[buying]
        # A gap beyond the period is all the same, and might not fit an integer.
        day[buying] += np.clip(np.rint(gap), 1, period.days).astype(np.int64)
        buying = buying[day[buying] < period.days]
        is_last = random.random(buying.size) < traits.drop_out[buying]
        customers.append(buying)
        days.append(day[buying])
        lasts.append(is_last)
        buying = buying[~is_last]
    customer = np.concatenate(customers)
    # Rounds are in order of time.
    order = np.argsort(customer, kind="stable")
    return customer[order], np.concatenate(days)[order], np.concatenate(lasts)[order]
