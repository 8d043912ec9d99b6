"""Batches of ordinary track calls, as the client of a shop sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

__all__ = ["CALLS_A_BATCH", "batches"]

CALLS_A_BATCH = 100
# Every so many calls one is an order of two products; the others are what a visitor does.
_CALLS_AN_ORDER = 20
_EVENTS = ("Product Viewed", "Product Added", "Products Searched", "Cart Viewed")
_PRODUCTS = 5_000
_LAST_MINUTES = 10


def batches(n_batches: int, customers: int, *, seed: int) -> Iterator[bytes]:
    """Yield bodies for `POST /v1/batch`.

    Parameters
    ----------
    n_batches : int
    customers : int
        Of whom each call has one at random.
    seed : int
        Other seeds give other calls, with other message ids.
    """
    random = np.random.default_rng(seed)
    now = datetime.now(UTC)
    for batch in range(n_batches):
        first = batch * CALLS_A_BATCH
        customer = random.integers(0, customers, CALLS_A_BATCH).tolist()
        product = random.integers(0, _PRODUCTS, CALLS_A_BATCH).tolist()
        before = random.integers(1, _LAST_MINUTES * 60_000, CALLS_A_BATCH).tolist()
        message_id = random.bytes(16 * CALLS_A_BATCH)
        calls = [
            {
                "type": "track",
                "messageId": str(UUID(bytes=message_id[16 * place : 16 * place + 16])),
                "userId": f"C{customer[place]:08d}",
                "anonymousId": None,
                "timestamp": (now - timedelta(milliseconds=before[place])).isoformat(timespec="milliseconds"),
                "integrations": {},
                "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
                **_told(first + place, product[place]),
            }
            for place in range(CALLS_A_BATCH)
        ]
        yield json.dumps({"batch": calls, "sentAt": now.isoformat()}).encode()


def _told(number: int, product: int) -> dict[str, Any]:
    if number % _CALLS_AN_ORDER:
        properties: dict[str, Any] = {
            "product_id": f"P{product}",
            "name": f"Game number {product}",
            "category": "Games",
            "price": 5 + product % 40,
            "currency": "USD",
            "url": f"https://shop.example/games/{product}",
        }
        return {"event": _EVENTS[number % len(_EVENTS)], "properties": properties}
    products = [
        {"product_id": f"P{(product + i) % _PRODUCTS}", "category": "Games", "price": 9.9 + i, "quantity": 1 + i}
        for i in range(2)
    ]
    order = {"order_id": f"o{number}-{product}", "currency": "USD", "products": products, "revenue": 31.7}
    return {"event": "Order Completed", "properties": order}
