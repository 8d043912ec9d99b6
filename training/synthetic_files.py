"""The columns of the files of a simulated shop, and what marks them as synthetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.simulation import ShopBlock
from models.simulation.attributes import ACQUIRED_THROUGH, COLOURS
from models.simulation.baskets import CATEGORIES, CATEGORY_OF_PRODUCT, DEPARTMENT_OF_PRODUCT, DEPARTMENTS, PRODUCTS
from models.simulation.behaviour import CHANNELS, EVENTS, TOPICS
from models.simulation.purchases import NEVER

__all__ = ["SCHEMAS", "tables"]

IntArray = NDArray[np.int64]

_TEXT = pa.dictionary(pa.int32(), pa.string())
_INSTANT = pa.timestamp("us", tz="UTC")
_SYNTHETIC = {"synthetic": "Made by `regulars simulate`: no such customer exists."}

SCHEMAS = {
    "orders": pa.schema(
        {
            "customer_id": _TEXT,
            "order_id": pa.string(),
            "occurred_at": _INSTANT,
            "product": _TEXT,
            "department": _TEXT,
            "category": _TEXT,
            "quantity": pa.int32(),
            "value": pa.float64(),
            "discount": pa.float64(),
            "channel": _TEXT,
        },
        metadata=_SYNTHETIC,
    ),
    "events": pa.schema(
        {
            "customer_id": _TEXT,
            "event": _TEXT,
            "occurred_at": _INSTANT,
            "channel": _TEXT,
            "product": _TEXT,
            "topic": _TEXT,
            "letter": pa.int32(),
            "message_id": pa.string(),
        },
        metadata=_SYNTHETIC,
    ),
    "customers": pa.schema(
        {
            "customer_id": _TEXT,
            "acquired_through": _TEXT,
            "distance_km": pa.float64(),
            "favourite_colour": _TEXT,
            "shoe_size": pa.int32(),
            "birthday": pa.date32(),
        },
        metadata=_SYNTHETIC,
    ),
    "truth": pa.schema(
        {
            "customer_id": _TEXT,
            "purchases_a_day": pa.float64(),
            "drop_out_probability": pa.float64(),
            "mean_value": pa.float64(),
            "is_alive": pa.bool_(),
            "lost_at": _INSTANT,
        },
        metadata=_SYNTHETIC,
    ),
}
"""Columns of each file, by its name without the ending; texts are told by a dictionary, which is how they're made."""


def tables(block: ShopBlock, spend_shape: float) -> dict[str, pa.Table]:
    """Return the rows of each file for some customers.

    Parameters
    ----------
    block : ShopBlock
    spend_shape : float
        p of Gamma-Gamma, of which a customer's mean value is made.

    Returns
    -------
    dict of str to pyarrow.Table
        With the keys and columns of `SCHEMAS`.
    """
    numbers = block.first_customer + np.arange(block.n_customers)
    customer_ids = _ids(numbers)
    columns = {
        "orders": _orders(block, numbers, customer_ids),
        "events": _events(block, numbers, customer_ids),
        "customers": _customers(block, customer_ids),
        "truth": _truth(block, customer_ids, spend_shape),
    }
    return {name: pa.table(columns[name], schema=schema) for name, schema in SCHEMAS.items()}


def _orders(block: ShopBlock, numbers: IntArray, customer_ids: pa.Array) -> list[pa.Array]:
    orders, lines = block.orders, block.lines
    customer = orders.customer[lines.order]
    return [
        _coded(customer, customer_ids),
        _ids(numbers[customer], "-o", orders.number[lines.order]),
        pa.array(orders.occurred_at[lines.order], _INSTANT),
        _coded(lines.product, PRODUCTS),
        _coded(DEPARTMENT_OF_PRODUCT[lines.product], DEPARTMENTS),
        _coded(CATEGORY_OF_PRODUCT[lines.product], CATEGORIES),
        pa.array(lines.quantity, pa.int32()),
        pa.array(lines.value),
        pa.array(lines.discount),
        _coded(block.order_channel[lines.order], CHANNELS),
    ]


def _events(block: ShopBlock, numbers: IntArray, customer_ids: pa.Array) -> list[pa.Array]:
    events = block.events
    place = np.arange(len(events.customer)) - np.searchsorted(events.customer, events.customer)
    return [
        _coded(events.customer, customer_ids),
        _coded(events.event, EVENTS),
        pa.array(events.occurred_at, _INSTANT),
        _coded(events.channel, CHANNELS),
        _coded(events.product, PRODUCTS),
        _coded(events.topic, TOPICS),
        pa.array(events.letter, pa.int32(), mask=events.letter < 0),
        _ids(numbers[events.customer], "-m", place + 1),
    ]


def _customers(block: ShopBlock, customer_ids: pa.Array) -> list[pa.Array]:
    attributes = block.attributes
    return [
        _coded(np.arange(block.n_customers), customer_ids),
        _coded(attributes.acquired_through, ACQUIRED_THROUGH),
        pa.array(attributes.distance_km),
        _coded(attributes.favourite_colour, COLOURS),
        pa.array(attributes.shoe_size, pa.int32()),
        pa.array(attributes.birthday, pa.date32()),
    ]


def _truth(block: ShopBlock, customer_ids: pa.Array, spend_shape: float) -> list[pa.Array]:
    traits, lost_at = block.traits, block.orders.lost_at
    is_alive = lost_at == NEVER
    return [
        _coded(np.arange(block.n_customers), customer_ids),
        pa.array(traits.rate),
        pa.array(traits.drop_out),
        pa.array(spend_shape / traits.spend_rate),
        pa.array(is_alive),
        pa.array(lost_at, _INSTANT, mask=is_alive),
    ]


def _coded(codes: IntArray, texts: Sequence[str] | pa.Array) -> pa.Array:
    """Return the texts that codes stand for, missing for those below 0."""
    dictionary = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=codes < 0), dictionary)


def _ids(customers: IntArray, kind: str = "", ordinals: IntArray | None = None) -> pa.Array:
    """Return `synthetic-0000001`, or with an ordinal `synthetic-0000001-o00001`; digit by digit, which is fast."""
    head, zeros = "synthetic-", "0000000"
    tail = "" if ordinals is None else f"{kind}00000"
    letters = np.tile(np.frombuffer((head + zeros + tail).encode(), dtype=np.uint8), (len(customers), 1))
    _write_digits(letters, len(head) + len(zeros), customers, len(zeros))
    if ordinals is not None:
        _write_digits(letters, letters.shape[1], ordinals, 5)
    starts = np.arange(len(customers) + 1, dtype=np.int32) * letters.shape[1]
    return pa.StringArray.from_buffers(len(customers), pa.py_buffer(starts), pa.py_buffer(letters))


def _write_digits(letters: NDArray[np.uint8], end: int, numbers: IntArray, n_digits: int) -> None:
    for place in range(1, n_digits + 1):
        numbers, digit = np.divmod(numbers, 10)
        letters[:, end - place] += digit.astype(np.uint8)
