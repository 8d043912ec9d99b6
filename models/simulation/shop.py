"""The simulated shop, some customers at a time, the same whatever the number asked for at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InputError
from models.simulation.attributes import Attributes, draw_attributes
from models.simulation.baskets import Lines, draw_lines
from models.simulation.behaviour import Events, draw_events, draw_online_channels, draw_order_channels
from models.simulation.business import Business
from models.simulation.period import Period
from models.simulation.purchases import Orders, Traits, draw_orders, draw_traits

__all__ = ["BLOCK_CUSTOMERS", "ShopBlock", "SimulatedShop"]

# A block is drawn as a whole from streams of its own, so another size would be another shop.
BLOCK_CUSTOMERS = 10_000

Columns = TypeVar("Columns", Traits, Lines, Events, Attributes)


@dataclass(frozen=True, slots=True, eq=False)
class ShopBlock:
    """Customers who follow each other, and all that is known of them and true of them.

    Attributes
    ----------
    first_customer : int
        Number of the first of its n customers, from 1.
    traits : Traits
    attributes : Attributes
    orders : Orders
    order_channel : int64, one an order
        Index into `models.simulation.behaviour.CHANNELS`.
    lines : Lines
    events : Events
    """

    first_customer: int
    traits: Traits
    attributes: Attributes
    orders: Orders
    order_channel: NDArray[np.int64]
    lines: Lines
    events: Events

    @property
    def n_customers(self) -> int:
        """How many customers there are."""
        return len(self.traits.joins)

    def first(self, n_customers: int) -> ShopBlock:
        """Return the first of the customers only."""
        n_orders = int(np.searchsorted(self.orders.customer, n_customers))
        orders = {
            field.name: getattr(self.orders, field.name)[: n_customers if field.name == "lost_at" else n_orders]
            for field in fields(Orders)
        }
        return ShopBlock(
            self.first_customer,
            _rows(self.traits, n_customers),
            _rows(self.attributes, n_customers),
            Orders(**orders),
            self.order_channel[:n_orders],
            _rows(self.lines, int(np.searchsorted(self.lines.order, n_orders))),
            _rows(self.events, int(np.searchsorted(self.events.customer, n_customers))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedShop:
    """A synthetic business.

    Attributes
    ----------
    n_customers : int
        From 1. More customers leave the first ones as they are.
    period : Period
        Another end moves everything by whole days; what would lie after it has not happened.
    seed : int
        From 0.
    business : Business
    """

    n_customers: int
    period: Period
    seed: int
    business: Business

    @classmethod
    def up_to(
        cls, end: datetime, *, n_customers: int, days: int, seed: int, business: Business | None = None
    ) -> SimulatedShop:
        """Return the shop whose last so many days an aware instant ends.

        Raises
        ------
        InputError
        """
        if n_customers < 1 or seed < 0:
            raise InputError(f"expected customers from 1 and a seed from 0, got {n_customers!r} and {seed!r}.")
        return cls(n_customers=n_customers, period=Period.up_to(end, days), seed=seed, business=business or Business())

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.n_customers // BLOCK_CUSTOMERS)

    def blocks(self) -> Iterator[ShopBlock]:
        """Yield all blocks in their order."""
        return map(self.block, range(self.n_blocks))

    def block(self, index: int) -> ShopBlock:
        """Return one block, from 0; it takes no other to draw it."""
        business, period = self.business, self.period
        # A stream for each matter, so that other visits, say, leave the purchases as they are.
        traits_random, orders_random, lines_random, behaviour_random, attributes_random = (
            np.random.default_rng(sequence)
            for sequence in np.random.SeedSequence(self.seed, spawn_key=(index,)).spawn(5)
        )
        traits = draw_traits(business, period, BLOCK_CUSTOMERS, traits_random)
        orders = draw_orders(business, period, traits, orders_random)
        lines = draw_lines(orders, BLOCK_CUSTOMERS, lines_random)
        online = draw_online_channels(BLOCK_CUSTOMERS, behaviour_random)
        order_channel = draw_order_channels(orders, online, behaviour_random)
        product = lines.product[np.searchsorted(lines.order, np.arange(len(orders.customer)))]
        events = draw_events(business, period, orders, online, order_channel, product, behaviour_random)
        attributes = draw_attributes(business, traits.drop_out, attributes_random)
        first_customer = index * BLOCK_CUSTOMERS + 1
        block = ShopBlock(first_customer, traits, attributes, orders, order_channel, lines, events)
        return block.first(min(BLOCK_CUSTOMERS, self.n_customers - index * BLOCK_CUSTOMERS))


def _rows(columns: Columns, n: int) -> Columns:
    """Return the first rows of columns that are all of one length."""
    return type(columns)(**{field.name: getattr(columns, field.name)[:n] for field in fields(columns)})
