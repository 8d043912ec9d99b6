"""What customers do besides buying: visits, letters opened and clicked, support tickets, and a mere distraction.

It depends on whether a customer has been lost, or is about to be, and never the other way round: so what shows here
before the silence is known, and the purchases stay what BG/NBD makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.simulation.baskets import PRODUCTS
from models.simulation.business import Business
from models.simulation.period import DAY, HOUR, MINUTE, SECOND, Period
from models.simulation.purchases import Orders

__all__ = [
    "CHANNELS",
    "EVENTS",
    "NOISE_EVENTS",
    "NONE",
    "TOPICS",
    "Events",
    "draw_events",
    "draw_online_channels",
    "draw_order_channels",
]

EVENTS = (
    "Session Started",
    "Product Viewed",
    "Product Added",
    "Email Sent",
    "Email Opened",
    "Email Clicked",
    "Support Ticket Opened",
    "Support Ticket Resolved",
    "Wallpaper Downloaded",
)
(
    _SESSION,
    _VIEWED,
    _ADDED,
    _EMAIL_SENT,
    _EMAIL_OPENED,
    _EMAIL_CLICKED,
    _TICKET_OPENED,
    _TICKET_RESOLVED,
    _DISTRACTION,
) = range(len(EVENTS))

CHANNELS = ("app", "email", "phone", "store", "web")
_APP, _EMAIL, _PHONE, _STORE, _WEB = range(len(CHANNELS))

TOPICS = ("billing", "delivery", "quality")

NOISE_EVENTS = ("Wallpaper Downloaded",)

# Code of a property that an event doesn't have.
NONE = -1

_PREFERS_STORE = 0.5
_USES_APP = 0.4
_AS_PREFERRED = 0.85

_VIEWS, _ADDS = 0.35, 0.3
_FIRST_LETTER_DAY = 10
_LETTER_HOUR = 9
_OPENED_WITHIN, _CLICKED_WITHIN = 6 * HOUR, 10 * MINUTE
_TICKET_AFTER, _RESOLVED_WITHIN = 6 * DAY, 3 * DAY
# Of a visit that leads to an order; what is ordered has been viewed and added before.
_SHORTEST_VISIT, _LONGEST_VISIT = 5 * MINUTE, 40 * MINUTE
_VIEWED_AFTER, _ADDED_AFTER = MINUTE, 3 * MINUTE


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events that are no orders, by customer and time, each of shape (k,).

    Attributes
    ----------
    customer : int64
        Row of the customer.
    event : int64
        Index into `EVENTS`.
    occurred_at : int64
        Microseconds since 1970-01-01 UTC.
    channel : int64
        Index into `CHANNELS`.
    product : int64
        Index of the product that was viewed or added, else `NONE`.
    topic : int64
        Index into `TOPICS` for tickets, else `NONE`.
    letter : int64
        Number of the letter for e-mails, from 1, else `NONE`.
    """

    customer: NDArray[np.int64]
    event: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    channel: NDArray[np.int64]
    product: NDArray[np.int64]
    topic: NDArray[np.int64]
    letter: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        event: int,
        customer: NDArray[np.int64],
        occurred_at: NDArray[np.int64],
        channel: NDArray[np.int64] | int,
        *,
        product: NDArray[np.int64] | int = NONE,
        topic: NDArray[np.int64] | int = NONE,
        letter: NDArray[np.int64] | int = NONE,
    ) -> Events:
        """Return events of one name; what is one number is so for all."""
        n = len(customer)
        columns = [np.broadcast_to(np.asarray(column), n) for column in (event, channel, product, topic, letter)]
        return cls(customer, columns[0], occurred_at, *columns[1:])

    @classmethod
    def merged(cls, parts: Sequence[Events], period: Period) -> Events:
        """Return the events of all parts that happened before the end, by customer and time."""
        columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)}
        happened = np.flatnonzero(columns["occurred_at"] < period.end)
        order = happened[np.lexsort((columns["occurred_at"][happened], columns["customer"][happened]))]
        return cls(**{name: column[order] for name, column in columns.items()})


def draw_online_channels(n_customers: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw through which of `CHANNELS` each customer comes when not to the store, shape (n,)."""
    return np.where(random.random(n_customers) < _USES_APP, _APP, _WEB)


def draw_order_channels(orders: Orders, online: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Draw through which of `CHANNELS` each order came, shape (k,): the one its customer prefers, or sometimes not."""
    prefers_store = random.random(len(online)) < _PREFERS_STORE
    as_preferred = random.random(len(orders.customer)) < _AS_PREFERRED
    return np.where(prefers_store[orders.customer] == as_preferred, _STORE, online[orders.customer])


def draw_events(
    business: Business,
    period: Period,
    orders: Orders,
    online: NDArray[np.int64],
    order_channel: NDArray[np.int64],
    order_product: NDArray[np.int64],
    random: np.random.Generator,
) -> Events:
    """Draw everything that customers do besides buying.

    Parameters
    ----------
    business : Business
    period : Period
    orders : Orders
        Of n customers, each with one order at least.
    online : ndarray of int64, shape (n,)
        Through which channel each customer comes when not to the store.
    order_channel, order_product : ndarray of int64, shape (k,)
        Through which channel each order came, and its first product.
    random : numpy.random.Generator

    Returns
    -------
    Events
    """
    joined_at = orders.occurred_at[orders.number == 1]
    parts = [
        *_visits(business, period, orders, joined_at, online, random),
        *_visits_that_lead_to_orders(orders, order_channel, order_product, random),
        *_letters(business, period, orders, joined_at, random),
        *_tickets(business, orders, random),
        _distractions(business, period, joined_at, random),
    ]
    return Events.merged(parts, period)


def _left(
    business: Business,
    orders: Orders,
    customer: NDArray[np.int64],
    instant: NDArray[np.int64],
    when_lost: float,
) -> NDArray[np.float64]:
    """Return what is left of a customer's interest at an instant, from 0 to 1: the known mechanism."""
    lost_at = orders.lost_at[customer]
    left = np.ones(len(customer))
    left[instant >= lost_at - business.fading_days * DAY] = business.fading
    left[instant >= lost_at] = when_lost
    return left


def _visits(
    business: Business,
    period: Period,
    orders: Orders,
    joined_at: NDArray[np.int64],
    online: NDArray[np.int64],
    random: np.random.Generator,
) -> list[Events]:
    rate = business.visits_a_day * random.gamma(2, 1 / 2, len(joined_at))
    customer, at = _at_random_times(rate, period, joined_at, random)
    kept = random.random(len(customer)) < _left(business, orders, customer, at, business.visits_when_lost)
    customer, at = customer[kept], at[kept]
    channel = online[customer]
    viewed = random.random(len(customer)) < _VIEWS
    added = viewed & (random.random(len(customer)) < _ADDS)
    product = random.integers(0, len(PRODUCTS), len(customer))
    return [
        Events.of(_SESSION, customer, at, channel),
        *(
            Events.of(event, customer[some], at[some] + delay, channel[some], product=product[some])
            for event, some, delay in ((_VIEWED, viewed, _VIEWED_AFTER), (_ADDED, added, _ADDED_AFTER))
        ),
    ]


def _visits_that_lead_to_orders(
    orders: Orders, channel: NDArray[np.int64], product: NDArray[np.int64], random: np.random.Generator
) -> list[Events]:
    online = np.flatnonzero(channel != _STORE)
    customer, channel, product = orders.customer[online], channel[online], product[online]
    length = random.integers(_SHORTEST_VISIT // SECOND, _LONGEST_VISIT // SECOND, len(online)) * SECOND
    started = orders.occurred_at[online] - length
    return [
        Events.of(_SESSION, customer, started, channel),
        Events.of(_VIEWED, customer, started + _VIEWED_AFTER, channel, product=product),
        Events.of(_ADDED, customer, started + _ADDED_AFTER, channel, product=product),
    ]


def _letters(
    business: Business, period: Period, orders: Orders, joined_at: NDArray[np.int64], random: np.random.Generator
) -> list[Events]:
    n_customers, every = len(joined_at), business.days_between_letters
    subscribed = random.random(n_customers) < business.subscribed
    n_letters = (period.days - 1 - _FIRST_LETTER_DAY) // every + 1
    joined_on = joined_at // DAY - period.first_day
    # The first letter to a customer goes out on a day after that of joining.
    missed = np.clip((joined_on - _FIRST_LETTER_DAY) // every + 1, 0, n_letters)
    customer, letter = _repeated(np.where(subscribed, n_letters - missed, 0))
    letter += missed[customer]
    takes_its_time = random.integers(0, HOUR // SECOND, len(customer)) * SECOND
    sent_at = period.instants(_FIRST_LETTER_DAY + every * letter, _LETTER_HOUR * HOUR + takes_its_time)
    left = _left(business, orders, customer, sent_at, business.opens_when_lost)
    opened = random.random(len(customer)) < business.opens * left
    clicked = opened & (random.random(len(customer)) < business.clicks)
    opened_at = sent_at + _within(_OPENED_WITHIN, len(customer), random)
    clicked_at = opened_at + _within(_CLICKED_WITHIN, len(customer), random)
    return [
        Events.of(event, customer[some], at[some], _EMAIL, letter=letter[some] + 1)
        for event, some, at in (
            (_EMAIL_SENT, np.ones(len(customer), dtype=np.bool_), sent_at),
            (_EMAIL_OPENED, opened, opened_at),
            (_EMAIL_CLICKED, clicked, clicked_at),
        )
    ]


def _tickets(business: Business, orders: Orders, random: np.random.Generator) -> list[Events]:
    n_orders = len(orders.customer)
    chance = np.where(orders.is_last, business.ticket_after_last_order, business.ticket_after_order)
    rows = np.flatnonzero(random.random(n_orders) < chance)
    unresolved = np.where(orders.is_last[rows], business.unresolved_when_lost, business.unresolved)
    resolved = random.random(len(rows)) >= unresolved
    customer = orders.customer[rows]
    topic = random.integers(0, len(TOPICS), len(rows))
    channel = np.where(random.random(len(rows)) < 0.5, _PHONE, _WEB)
    opened_at = orders.occurred_at[rows] + random.integers(DAY // SECOND, _TICKET_AFTER // SECOND, len(rows)) * SECOND
    resolved_at = opened_at + _within(_RESOLVED_WITHIN, len(rows), random)
    return [
        Events.of(_TICKET_OPENED, customer, opened_at, channel, topic=topic),
        Events.of(
            _TICKET_RESOLVED, customer[resolved], resolved_at[resolved], channel[resolved], topic=topic[resolved]
        ),
    ]


def _distractions(
    business: Business, period: Period, joined_at: NDArray[np.int64], random: np.random.Generator
) -> Events:
    rate = np.full(len(joined_at), business.distractions_a_day)
    customer, at = _at_random_times(rate, period, joined_at, random)
    return Events.of(_DISTRACTION, customer, at, _WEB)


def _at_random_times(
    rate: NDArray[np.float64], period: Period, joined_at: NDArray[np.int64], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw a Poisson process of a rate a day for each customer, from joining to the end: customers and instants."""
    duration = period.end - joined_at
    customer, _ = _repeated(random.poisson(rate * (duration / DAY)))
    elapsed = np.floor(random.random(len(customer)) * (duration[customer] // SECOND)).astype(np.int64) * SECOND
    return customer, joined_at[customer] + elapsed


def _repeated(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row as often as it counts, and the place of each among its equals, from 0."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - (np.cumsum(counts) - counts)[row]


def _within(longest: int, n: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw lengths of time, in whole seconds from 1."""
    return random.integers(1, longest // SECOND, n) * SECOND
