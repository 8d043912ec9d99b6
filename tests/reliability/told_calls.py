"""What calls tell: rows, each a fact of its own, of customers, of whom attributes are learnt and who are merged.

A fact with a message id is (source, message id, place in the message); one without is what it says, and its place among
its equals in one request or file. The rows of an order are lines of one event, which is that of an id: the model knows
which ids are one customer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from store.ingest import EventMapping

__all__ = [
    "COMPLETED",
    "ORDERS",
    "UPDATED",
    "Call",
    "Fact",
    "Telling",
    "Told",
    "csv_of",
    "ids_of",
    "instant_of",
    "mapping_of",
    "merges_of",
    "tellings_of",
    "traits_of",
]

Call = Mapping[str, Any]
Fact = tuple[Any, ...]

COMPLETED = "Order Completed"
UPDATED = "Order Updated"
ORDERS = (COMPLETED, UPDATED, "Order Refunded", "Order Cancelled")


class _Row(NamedTuple):
    """A line of an order, or an event by itself."""

    event: str
    order_id: str | None
    product: str | None
    quantity: float | None
    value: float | None


class Told(NamedTuple):
    """What one sender tells at once."""

    source: str
    calls: Sequence[Call]


class Telling(NamedTuple):
    """A row as it was told: who tells it, and which fact and event it is."""

    position: int
    fact: Fact
    event: Fact
    customer: str
    has_message: bool
    occurred_at: int
    properties: str | None
    row: _Row


def csv_of(calls: Iterable[Call]) -> str:
    """Return a file that tells the same events, with their message ids."""
    rows = [
        ",".join(
            "" if cell is None else str(cell)
            for cell in (call["userId"], call["timestamp"], *row, call.get("messageId"))
        )
        for call in calls
        for row in _rows(call)
    ]
    return "\n".join(("who,at,event,order,product,quantity,value,message", *rows)) + "\n"


def mapping_of(source: str) -> EventMapping:
    """Return how such a file is read, as told by a source."""
    return EventMapping(
        customer_id="who",
        occurred_at="at",
        event_column="event",
        order_id="order",
        product="product",
        quantity="quantity",
        value="value",
        message_id="message",
        source=source,
    )


def _rows(call: Call) -> list[_Row]:
    """Return the rows of a call of an event: what a file would hold of it."""
    event, said = str(call["event"]), call["properties"]
    products = said.get("products")
    if event not in ORDERS:
        return [_Row(event, None, None, None, said.get("value"))]
    if not products:
        return [_Row(event, said["order_id"], None, None, None)]
    return [
        _Row(event, said["order_id"], each["product_id"], float(each["quantity"]), each["quantity"] * each["price"])
        for each in products
    ]


def ids_of(call: Call) -> Iterator[str]:
    """Yield the ids that a call names."""
    if call.get("previousId") == call["userId"]:
        return  # tells nothing
    for member in ("userId", "anonymousId", "previousId"):
        if member in call:
            yield call[member]


def merges_of(call: Call) -> Iterator[tuple[str, str]]:
    """Yield which id a call merges into which."""
    merged = call.get("previousId", call.get("anonymousId"))
    if merged is not None and merged != call["userId"]:
        yield merged, call["userId"]


def traits_of(call: Call) -> dict[str, Any]:
    """Return the attributes that a call tells."""
    traits = {name: value for name, value in call["traits"].items() if value is not None}
    if call["type"] == "identify":
        return traits
    return {f"account.{name}": value for name, value in traits.items()} | {"account.id": call["groupId"]}


def instant_of(call: Call) -> int:
    """Return when a call was made, in microseconds."""
    return int(datetime.fromisoformat(call["timestamp"]).timestamp()) * 1_000_000


def tellings_of(told: Told, *, in_file: bool) -> Iterator[Telling]:
    """Yield the rows of all events, in their order; in a file they stand in lines."""
    equals: Counter[Fact] = Counter()
    line = 0
    for position, call in enumerate(told.calls):
        if call["type"] != "track":
            continue
        message, at, customer = call.get("messageId"), instant_of(call), call["userId"]
        said = {name: value for name, value in call["properties"].items() if name != "products"}
        for place, row in enumerate(_rows(call)):
            fact: Fact = ("message", told.source, message, place)
            if message is None:
                content = ("content", told.source, customer, at, *row)
                fact = (*content, equals[content])
                equals[content] += 1
            event: Fact = (row.event, customer, row.order_id)
            if row.event == UPDATED:
                event = (*event, at) if message is None else (*event, told.source, message)
            line += 1
            yield Telling(
                # The first row of a file stands in its second line.
                line + 1 if in_file else position,
                fact,
                event,
                customer,
                message is not None,
                at,
                None if in_file or not said else json.dumps(said, sort_keys=True),
                row,
            )
