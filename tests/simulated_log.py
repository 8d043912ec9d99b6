"""Blocks of the simulated shop as a log, the way the store would read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.attributes import ALWAYS_KNOWN, AttributeColumn, AttributeKind, Attributes
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, RawEvents, net
from models.simulation import ShopBlock
from models.simulation.attributes import ACQUIRED_THROUGH, COLOURS
from models.simulation.baskets import CATEGORIES, CATEGORY_OF_PRODUCT, DEPARTMENT_OF_PRODUCT, DEPARTMENTS
from models.simulation.behaviour import CHANNELS, EVENTS

__all__ = ["UTC", "simulated_log"]

UTC = LocalCalendar("UTC")
_ORDER = "Order Completed"


def simulated_log(blocks: Iterable[ShopBlock]) -> EventLog:
    """Net the orders and events of some blocks into one log, with lines and attributes."""
    return EventLog.concatenate([_log(block) for block in blocks], UTC)


def _log(block: ShopBlock) -> EventLog:
    lines, events = block.lines, block.events
    n_lines, n_events = len(lines.order), len(events.customer)
    event_types = tuple(sorted((_ORDER, *EVENTS)))
    event_type = np.array([event_types.index(name) for name in EVENTS])[events.event]
    text_of_product = [
        json.dumps({"department": DEPARTMENTS[department], "category": CATEGORIES[category]})
        for department, category in zip(DEPARTMENT_OF_PRODUCT, CATEGORY_OF_PRODUCT, strict=True)
    ]
    categories = tuple(sorted(set(text_of_product)))
    category_of_product = np.array([categories.index(text) for text in text_of_product])
    raw = RawEvents(
        customer_ids=_ids(block),
        customer=np.concatenate((block.orders.customer[lines.order], events.customer)),
        occurred_at=np.concatenate((block.orders.occurred_at[lines.order], events.occurred_at)),
        action=np.repeat(np.array([ROW_ORDER, ROW_OTHER], dtype=np.int8), (n_lines, n_events)),
        group=np.concatenate((lines.order, len(block.orders.customer) + np.arange(n_events))),
        order_key=np.full(n_lines + n_events, NO_ORDER, dtype=np.int64),
        product=_padded(lines.product, n_events, NO_PRODUCT),
        quantity=_padded(lines.quantity, n_events, np.nan),
        value=_padded(lines.value, n_events, np.nan),
        event_type=np.concatenate((np.full(n_lines, event_types.index(_ORDER)), event_type), dtype=np.int16),
        event_types=event_types,
        is_line=_padded(np.ones(n_lines, dtype=np.bool_), n_events, False),
        category=_padded(category_of_product[lines.product], n_events, -1),
        categories=categories,
        discount=_padded(lines.discount, n_events, np.nan),
        channel=np.concatenate((block.order_channel[lines.order], events.channel), dtype=np.int16),
        channels=CHANNELS,
    )
    log, _ = net(raw, UTC)
    return replace(log, attributes=_attributes(block))


def _padded(column: NDArray[Any], n: int, value: float) -> NDArray[Any]:
    """Return a column of lines with a value for each event after them."""
    return np.concatenate((column, np.full(n, value)))


def _ids(block: ShopBlock) -> tuple[str, ...]:
    return tuple(f"synthetic-{block.first_customer + row:07}" for row in range(block.n_customers))


def _attributes(block: ShopBlock) -> Attributes:
    n, known = block.n_customers, block.attributes

    def column(kind: AttributeKind, values: NDArray[Any], texts: tuple[str, ...] = ()) -> AttributeColumn:
        always = np.full(n, ALWAYS_KNOWN, dtype=np.int64)
        return AttributeColumn(kind, np.arange(n + 1), always, values.astype(np.float64), texts)

    columns: dict[str, AttributeColumn] = {
        "acquired_through": column("category", known.acquired_through, ACQUIRED_THROUGH),
        "birthday": column("date", known.birthday),
        "distance_km": column("number", known.distance_km),
        "favourite_colour": column("category", known.favourite_colour, COLOURS),
        "shoe_size": column("number", known.shoe_size),
    }
    return Attributes(columns, n)
