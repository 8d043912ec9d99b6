"""The same fact by file and by HTTP: the same canonical row, and so the same identity."""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from store.ingest import EventMapping
from store.ingest.identity import identify
from store.ingest.ordinals import OrdinalCounter
from store.ingest.parse import EventParser
from store.ingest.rows import FileRows
from store.ingest.table_file import PLAIN
from store.settings import load_settings
from tests.store.ingest.calls.reading import RECEIVED_AT, batch, column

MAPPING = EventMapping(
    customer_id="who",
    occurred_at="at",
    event_column="event",
    order_id="order",
    product="product",
    quantity="quantity",
    unit_price="price",
    categories=("category",),
    channel="channel",
    message_id="message",
    source="shop",
)
COLUMNS = ("who", "at", "event", "order", "product", "quantity", "price", "category", "channel", "message")
AT = "2024-05-01T10:00:00Z"

LINES: list[tuple[str, ...]] = [
    (" anna ", AT, "Order Completed", "50", "p1", "2", "19", "Games", "web"),
    (" anna ", AT, "Order Completed", "50", "p2", "1", "3.50", "", "web"),
    ("17", "2024-05-01 10:00", "Order Completed", "51", "p1", "-2", "19", "Games", ""),
    ("17", "20240501", "Order Refunded", "51", "p1", "-1", "19", "Games", ""),
    ("ben", AT, "Order Updated", "52", "p3", "4", "0.1", "Ünï", "app"),
]


def call(lines: list[tuple[str, ...]], message_id: str | None) -> dict[str, Any]:
    """Return the call that tells of some lines of one order."""
    who, at, event, order, *_, channel = lines[0]
    products = [
        {"product_id": product, "quantity": float(quantity), "price": price, "category": category}
        for _, _, _, _, product, quantity, price, category, _ in lines
    ]
    return {
        "type": "track",
        "userId": int(who) if who.isdigit() else who,
        "timestamp": at,
        "event": event,
        "messageId": message_id,
        "channel": channel,
        "properties": {"order_id": order, "products": products},
    }


@pytest.mark.parametrize("with_message_ids", [False, True])
def test_lines_of_orders_and_refunds_are_the_same_rows_by_file_and_by_http(
    with_message_ids: bool, tmp_path: Path
) -> None:
    orders = [LINES[:2], LINES[2:3], LINES[3:4], LINES[4:]]
    messages = [f"m{number}" if with_message_ids else "" for number in range(len(orders))]
    text = io.StringIO()
    rows_of_file = [(*line, message) for lines, message in zip(orders, messages, strict=True) for line in lines]
    csv.writer(text).writerows([COLUMNS, *rows_of_file])
    path = tmp_path / "rows.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    (chunk,) = FileRows(path, MAPPING.columns(), PLAIN).chunks()
    by_file, wrong = EventParser(MAPPING, load_settings(), RECEIVED_AT).parse(chunk)
    assert wrong == []

    items = [call(lines, message or None) for lines, message in zip(orders, messages, strict=True)]
    calls = batch(*items)
    assert calls.rejections == []
    for field in fields(by_file):
        # Properties of a file are columns that its mapping names; a call keeps what it was sent.
        if field.name not in ("line", "properties"):
            assert column(calls.rows, field.name) == column(by_file, field.name), field.name
    ours, theirs = (identify(rows, "shop", OrdinalCounter()) for rows in (calls.rows, by_file))
    assert ours.own == theirs.own
    assert [ours.heads[head] for head in ours.head] == [theirs.heads[head] for head in theirs.head]
