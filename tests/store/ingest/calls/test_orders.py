"""Orders and refunds: their lines, what they are worth, and when they are one."""

from __future__ import annotations

from typing import Any

import pytest

from store.settings import load_settings
from tests.store.ingest.calls.reading import batch, column, columns, rejected, track

PRODUCTS = [
    {"product_id": "p1", "sku": "s1", "price": 19, "quantity": 2, "category": "Games", "coupon": "MAY"},
    {"sku": "s2", "price": "3.50", "category": None},
]
ROW = ("event", "order_id", "named_order", "product", "category", "quantity", "value")


@pytest.mark.parametrize("event", ["Order Completed", "Order Updated"])
def test_an_order_has_a_row_for_each_product_at_price_times_quantity(event: str) -> None:
    calls = track(event, {"order_id": 50, "revenue": 99, "products": PRODUCTS})
    assert columns(calls, *ROW) == [
        (event, "50", "50", "p1", '{"category": "Games"}', 2.0, 38.0),
        (event, "50", "50", "s2", None, 1.0, 3.5),
    ]
    assert columns(calls, "discount", "rate") == [(None, 1.0)] * 2


@pytest.mark.parametrize(
    ("sums", "value"),
    [
        ({"revenue": 25, "total": 30, "shipping": 3, "tax": 2, "value": 1}, 25.0),
        ({"revenue": "25.00"}, 25.0),
        ({"revenue": 0, "total": 30}, 0.0),
        ({"revenue": None, "total": 30, "shipping": 3, "tax": "2"}, 25.0),
        ({"revenue": "", "total": 30, "shipping": None}, 30.0),
        ({"value": 7.5}, 7.5),
        ({}, None),
    ],
)
@pytest.mark.parametrize("products", [None, [], [None]])
def test_an_order_without_products_is_worth_its_sum(sums: dict[str, Any], value: float | None, products: Any) -> None:
    calls = track("Order Completed", {"order_id": "o", "products": products, **sums})
    assert columns(calls, *ROW) == [("Order Completed", "o", "o", None, None, None, value)]


@pytest.mark.parametrize(
    ("quantities", "prices", "revenue", "values"),
    [
        ([1, 3], [None, None], 20, [5.0, 15.0]),
        ([1, 1, 1], [4, None, None], 10, [4.0, 3.0, 3.0]),
        ([1, 1], [4, None], 3, [4.0, 0.0]),
        ([2, 0], [None, None], 20, [20.0, 0.0]),
        ([0, 0], [None, None], 20, [None, None]),
        ([1, 1], [None, None], None, [None, None]),
        ([1, 1], [4, 5], 20, [4.0, 5.0]),
    ],
)
def test_products_without_a_price_share_what_is_left_of_the_sum(
    quantities: list[float], prices: list[float | None], revenue: float | None, values: list[float | None]
) -> None:
    products = [
        {"sku": f"s{number}", "quantity": quantity, "price": price}
        for number, (quantity, price) in enumerate(zip(quantities, prices, strict=True))
    ]
    calls = track("Order Completed", {"order_id": "o", "revenue": revenue, "products": products})
    assert column(calls.rows, "value") == values


@pytest.mark.parametrize("event", ["Order Refunded", "Order Cancelled"])
def test_a_refund_takes_back_lines_a_sum_or_the_whole_order(event: str) -> None:
    products = [{"sku": "a", "price": 5, "quantity": 2}, {"sku": "b", "price": 7}, {"sku": "c", "quantity": -1}]
    calls = track(event, {"order_id": "o", "total": 50, "products": products})
    assert columns(calls, *ROW) == [
        (event, "o", "o", "a", None, 2.0, 10.0),
        (event, "o", "o", "b", None, None, None),
        (event, "o", "o", "c", None, 1.0, None),
    ]
    for properties, value in [({"total": -30, "shipping": -5}, 25.0), ({"value": 4}, 4.0), ({}, None)]:
        calls = track(event, {"order_id": "o", **properties})
        assert columns(calls, *ROW) == [(event, "o", "o", None, None, None, value)]


def test_what_is_negative_in_an_order_is_a_refund_of_it() -> None:
    products = [{"sku": "a", "price": 5, "quantity": -2}, {"sku": "b", "price": -1, "quantity": 1}]
    assert columns(track("Order Completed", {"order_id": "o", "products": products}), *ROW) == [
        ("Order Refunded", "o", "o", "a", None, 2.0, 10.0),
        ("Order Completed", "o", "o", "b", None, 1.0, -1.0),
    ]
    assert columns(track("Order Completed", {"order_id": "o", "revenue": -9}), "event", "value") == [
        ("Order Refunded", 9.0)
    ]


def test_lines_of_an_order_without_an_id_are_held_together_by_their_message() -> None:
    products = [{"sku": "a", "price": 1}, {"sku": "b", "price": 1}]
    assert column(track("Order Completed", {"products": products}, messageId="m").rows, "order_id") == ["m", "m"]
    assert column(track("Order Completed", {"products": products}).rows, "order_id") == [None, None]
    assert column(track("Order Completed", {"products": products[:1]}, messageId="m").rows, "order_id") == [None]
    assert column(track("Order Refunded", {"products": products}, messageId="m").rows, "order_id") == [None, None]


def test_any_other_event_is_one_row_with_its_value_if_that_is_a_number() -> None:
    properties = {"order_id": "o", "products": PRODUCTS, "product_id": "p"}
    cases: list[tuple[dict[str, Any], float | None]] = [
        ({"value": "5.5", "revenue": 1}, 5.5),
        ({"value": "high", "revenue": 2}, 2.0),
        ({"value": True}, None),
        ({"value": [1]}, None),
        ({"value": 0, "revenue": 2}, 0.0),
        ({}, None),
    ]
    for sums, value in cases:
        calls = track("Checkout Started", {**properties, **sums})
        assert columns(calls, *ROW) == [("Checkout Started", None, None, None, None, None, value)]


def test_another_currency_needs_a_rate_where_there_is_an_amount() -> None:
    settings = load_settings(currency="USD", currency_rates={"EUR": 1.25})
    for currency, rate in [("USD", 1.0), ("usd", 1.0), (None, 1.0), ("", 1.0), ("eur", 1.25)]:
        calls = track("Order Completed", {"order_id": "o", "revenue": 8, "currency": currency}, settings)
        assert columns(calls, "value", "rate") == [(8.0, rate)]
    calls = track("Order Completed", {"order_id": "o", "revenue": 8, "currency": "GBP"}, settings)
    assert rejected(calls) == [(0, "properties.currency", "GBP", "currency")]
    assert "REGULARS_CURRENCY_RATES" in calls.rejections[0].reason
    assert columns(track("Product Viewed", {"currency": "GBP"}, settings), "rate") == [(1.0,)]


WRONG = [
    ({"order_id": {}}, "order_id", "{…}", "text"),
    ({"order_id": "x" * 10_000}, "order_id", "x" * 199 + "…", "text"),
    ({"order_id": "a\0b"}, "order_id", "a\\x00b", "text"),
    ({"revenue": "free"}, "revenue", "free", "number"),
    ({"revenue": True}, "revenue", "True", "number"),
    ({"revenue": 10**400}, "revenue", "1" + "0" * 198 + "…", "number"),
    ({"revenue": 1e13}, "revenue", "10000000000000.0", "number"),
    ({"total": 1e12, "shipping": -1e12}, "total", None, "number"),
    ({"products": "pen"}, "products", "pen", "products"),
    ({"products": {"sku": "a"}}, "products", "{…}", "products"),
    ({"products": [None] * 5_001}, "products", "[…]", "too_many"),
    ({"products": ["pen"]}, "products[0]", "pen", "object"),
    ({"products": [None, {}]}, "products[1]", "{…}", "product"),
    ({"products": [{"sku": "a"}, {"sku": "b", "price": "x"}]}, "products[1].price", "x", "number"),
    ({"products": [{"sku": "a", "quantity": [2]}]}, "products[0].quantity", "[…]", "number"),
    ({"products": [{"sku": False}]}, "products[0].sku", "False", "text"),
    ({"products": [{"price": 1e9, "quantity": 1e9}]}, "products[0].price", "1000000000.0", "number"),
    ({"products": [{"sku": "a", "category": "x" * 300}]}, "products[0].category", "x" * 199 + "…", "text"),
    ({"value": 1e6, "currency": "EUR"}, "currency", "EUR", "number"),
    ({"value": 1, "currency": ["EUR"]}, "currency", "[…]", "text"),
]


@pytest.mark.parametrize(("properties", "path", "value", "code"), WRONG)
def test_what_is_wrong_in_an_order_is_named_by_its_path(
    properties: dict[str, Any], path: str, value: str | None, code: str
) -> None:
    settings = load_settings(currency_rates={"EUR": 1e8 + 0.5})
    calls = track("Order Completed", properties, settings)
    assert rejected(calls) == [(0, f"properties.{path}", value, code)]
    assert len(calls.rows) == 0


def test_a_list_of_categories_is_no_reason_to_refuse_an_order() -> None:
    calls = track("Order Completed", {"products": [{"sku": "a", "price": 1, "category": ["x", "y"]}]})
    assert columns(calls, "product", "category") == [("a", None)]


def test_a_request_has_fifty_thousand_lines_at_most() -> None:
    def order(products: int) -> dict[str, Any]:
        told = {"order_id": "o", "products": [{"sku": "a", "price": 1}] * products}
        return {"type": "track", "event": "Order Completed", "userId": "u", "properties": told}

    calls = batch(*[order(5_000)] * 9, order(4_000), order(1_001), order(1_000), order(1), order(0))
    assert rejected(calls) == [(place, "properties.products", "[…]", "too_many_lines") for place in (10, 12)]
    assert calls.rejections[0].reason.endswith("more than 50,000 lines; send fewer calls at once")
    assert len(calls.rows) == 50_001
