"""Batches of PostHog's clients."""

from __future__ import annotations

from typing import Any

from store.ingest.calls import Learnt, Merge
from tests.store.ingest.calls.reading import RECEIVED, column, columns, instant, posthog, rejected

AT = "2024-05-01T10:00:00.000Z"


def captured(event: str, properties: dict[str, Any] | None = None, /, **members: Any) -> dict[str, Any]:
    """Return an event as the Python client sends it."""
    library = {"$lib": "posthog-python", "$lib_version": "7.0.0", "$geoip_disable": True}
    return {
        "properties": {**(properties or {}), **library},
        "timestamp": AT,
        "distinct_id": "anna",
        "event": event,
        "uuid": "7e6f",
        **members,
    }


def test_an_event_of_the_python_client_becomes_one_row() -> None:
    calls = posthog(captured("signed_up", {"plan": "pro", "seats": 3}), historical_migration=False, sent_at=AT)
    assert columns(calls, "event", "customer_id", "occurred_at", "message_id", "properties") == [
        ("signed_up", "anna", instant(AT), "7e6f", '{"plan": "pro", "seats": 3}')
    ]
    assert (calls.learnt, calls.merges, calls.n_read) == ([], [], 1)


def test_orders_have_their_lines_as_with_segment() -> None:
    products = [{"sku": "a", "price": 5, "quantity": 2}, {"sku": "b", "price": 1}]
    calls = posthog(captured("Order Completed", {"order_id": "o", "products": products}))
    assert columns(calls, "order_id", "product", "quantity", "value", "message_ordinal") == [
        ("o", "a", 2.0, 10.0, 0),
        ("o", "b", 1.0, 1.0, 1),
    ]


def test_page_and_screen_views_have_the_names_that_segment_gives_them() -> None:
    calls = posthog(
        captured("$pageview", {"$current_url": "https://shop.example/a", "$pathname": "/a", "utm_source": "google"}),
        captured("$screen", {"$screen_name": "Cart"}),
        captured("$pageleave", {"$current_url": "u", "url": "own"}),
    )
    assert columns(calls, "event", "properties") == [
        ("Page Viewed", '{"campaign.source": "google", "path": "/a", "url": "https://shop.example/a"}'),
        ("Screen Viewed", '{"name": "Cart"}'),
        ("$pageleave", '{"url": "own"}'),
    ]


def test_the_customer_is_named_at_the_top_or_in_the_properties() -> None:
    calls = posthog(
        captured("e", {"distinct_id": "ben"}),
        captured("e", {"distinct_id": "ben", "token": "key"}, distinct_id=None),
        captured("e", distinct_id=5),
        captured("e", distinct_id=""),
    )
    assert columns_of_taken(calls) == [("anna", None), ("ben", None), ("5", None)]
    assert rejected(calls) == [(3, "distinct_id", None, "customer_id")]


def columns_of_taken(calls: Any) -> list[tuple[Any, ...]]:
    return list(zip(column(calls.rows, "customer_id"), column(calls.rows, "properties"), strict=True))


def test_the_message_id_is_the_uuid_or_the_insert_id() -> None:
    calls = posthog(
        captured("e", {"$insert_id": "i"}),
        captured("e", {"$insert_id": "i"}, uuid=None),
        captured("e", uuid=None, messageId="m"),
        captured("e", uuid=None),
    )
    assert columns(calls, "message_id", "message_ordinal") == [("7e6f", 0), ("i", 0), ("m", 0), (None, -1)]


def test_identify_learns_and_merges() -> None:
    properties = {
        "$anon_distinct_id": "a1",
        "$set": {"plan": "pro", "$name": "x"},
        "$set_once": {"plan": "free", "n": 1},
    }
    calls = posthog(captured("$identify", properties), captured("$identify", {"$anon_distinct_id": "anna"}))
    plan_and_n = {"plan": ("category", None, "pro"), "n": ("number", 1.0, None)}
    assert calls.learnt == [Learnt(0, "anna", instant(AT), plan_and_n), Learnt(1, "anna", instant(AT), {})]
    assert calls.merges == [Merge(0, "a1", "anna")]
    assert len(calls.rows) == 0


def test_what_is_set_at_the_top_is_learnt_with_or_without_an_event() -> None:
    calls = posthog(
        captured("$set", **{"$set": {"plan": "pro"}}),
        captured("$set_once", **{"$set_once": {"since": "2024-01-05"}}),
        captured("bought", **{"$set": {"vip": True}}),
    )
    assert [dict(learnt.attributes) for learnt in calls.learnt] == [
        {"plan": ("category", None, "pro")},
        {"since": ("date", None, "2024-01-05")},
        {"vip": ("category", None, "true")},
    ]
    assert columns(calls, "line", "event") == [(2, "bought")]


def test_alias_as_the_python_client_sends_it_merges_the_previous_id_into_the_new_one() -> None:
    alias = {"distinct_id": "previous", "alias": "anna"}
    calls = posthog(
        captured("$create_alias", alias, distinct_id="previous"), captured("$create_alias", {"alias": "anna"})
    )
    assert calls.merges == [Merge(0, "previous", "anna")]
    assert rejected(posthog(captured("$create_alias"))) == [(0, "properties.alias", None, "customer_id")]


def test_groups_set_account_traits_of_the_one_who_told_them() -> None:
    group = {"$group_type": "company", "$group_key": "acme", "$group_set": {"seats": 5, "$x": 1}}
    account = {"account.seats": ("number", 5.0, None), "account.id": ("category", None, "acme")}
    calls = posthog(captured("$groupidentify", group), captured("$groupidentify", group, distinct_id="$company_acme"))
    assert calls.learnt == [Learnt(0, "anna", instant(AT), account)]
    assert calls.rejections == []
    assert rejected(posthog(captured("$groupidentify"))) == [(0, "properties.$group_key", None, "group_id")]


def test_items_that_are_wrong_are_named_and_the_others_taken() -> None:
    calls = posthog(
        captured("e"),
        7,
        captured("e", event=None),
        captured("e", properties="x"),
        captured("$identify", {"$set": ["x"]}),
        captured("Order Completed", {"products": [{"sku": "a", "price": "x"}]}),
        captured("e", timestamp="2024-13-01"),
        captured("e", timestamp="2024-05-01T10:00:00"),
        captured("e", timestamp=None),
    )
    assert rejected(calls) == [
        (1, "", "7", "object"),
        (2, "event", None, "event"),
        (3, "properties", "x", "object"),
        (4, "properties.$set", "[…]", "object"),
        (5, "properties.products[0].price", "x", "number"),
        (6, "timestamp", "2024-13-01", "occurred_at"),
    ]
    assert column(calls.rows, "occurred_at") == [instant(AT), instant(AT), RECEIVED]


def test_parts_that_nobody_needs_cost_no_call() -> None:
    calls = posthog(
        captured("E", {"channel": {"id": 1}}),
        captured("$identify", {"$anon_distinct_id": {"x": 1}, "$set": []}),
        {"event": "E", "distinct_id": "anna", "properties": []},
    )
    assert columns(calls, "event", "channel") == [("E", None)] * 2
    assert ([told.customer_id for told in calls.learnt], calls.merges) == (["anna"], [])
