"""Calls of Segment's HTTP tracking API, as its clients and RudderStack's send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from store.ingest.calls import Learnt, Merge
from tests.store.ingest.calls.reading import RECEIVED, batch, call, column, columns, instant, rejected, track

AT = "2024-05-01T10:00:00.000Z"


def test_a_track_call_of_the_python_client_becomes_one_row() -> None:
    calls = batch(
        {
            "integrations": {"All": True},
            "anonymousId": None,
            "properties": {"plan": "pro", "seats": 3, "is_new": True, "value": "12.50"},
            "timestamp": "2024-05-01T10:00:00.000+00:00",
            "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
            "userId": "17",
            "type": "track",
            "event": " Signed Up ",
            "messageId": "m1",
        },
        sentAt="2024-06-01T12:00:00.123456+00:00",
        writeKey="key",
    )
    assert columns(calls, "line", "event", "customer_id", "occurred_at", "reported_at", "value", "message_id") == [
        (0, "Signed Up", "17", instant(AT), instant(AT), 12.5, "m1")
    ]
    assert columns(calls, "properties", "message_ordinal", "order_id", "product", "channel", "quantity", "rate") == [
        ('{"is_new": true, "plan": "pro", "seats": 3, "value": 12.5}', 0, None, None, None, None, 1.0)
    ]
    assert (calls.n_read, calls.learnt, calls.merges) == (1, [], [])


def test_a_customer_is_the_user_else_the_anonymous_one() -> None:
    items = [
        {"type": "track", "event": "E", "userId": "u", "anonymousId": "a"},
        {"type": "track", "event": "E", "userId": None, "anonymousId": "a"},
        {"type": "track", "event": "E", "userId": " ", "anonymousId": 123},
        {"type": "track", "event": "E", "userId": 17850.0},
        {"type": "track", "event": "E", "userId": "", "anonymousId": None},
        {"type": "track", "event": "E"},
    ]
    calls = batch(*items)
    assert column(calls.rows, "customer_id") == ["u", "a", "123", "17850"]
    assert rejected(calls) == [(4, "userId", None, "customer_id"), (5, "userId", None, "customer_id")]


def test_identify_learns_traits_and_merges_the_anonymous_history() -> None:
    traits = {"plan": "pro", "age": 41, "address": {"city": "Rome"}}
    calls = call("identify", {"userId": "u", "anonymousId": "a", "traits": traits, "timestamp": AT})
    assert calls.learnt == [
        Learnt(
            0,
            "u",
            instant(AT),
            {
                "plan": ("category", None, "pro"),
                "age": ("number", 41.0, None),
                "address.city": ("category", None, "Rome"),
            },
        )
    ]
    assert calls.merges == [Merge(0, "a", "u")]
    assert len(calls.rows) == 0


def test_traits_in_the_context_where_rudderstack_has_them_are_learnt_too() -> None:
    members = {"userId": "u", "traits": {"plan": "pro"}, "context": {"traits": {"plan": "free", "age": 41}}}
    (learnt,) = call("identify", members).learnt
    assert learnt.attributes == {"plan": ("category", None, "pro"), "age": ("number", 41.0, None)}


def test_identify_without_traits_tells_of_a_customer_all_the_same() -> None:
    calls = call("identify", {"anonymousId": "a", "traits": None})
    assert calls.learnt == [Learnt(0, "a", RECEIVED, {})]
    assert calls.merges == []


def test_group_sets_account_traits_of_the_customer() -> None:
    members = {"userId": "u", "groupId": 77, "traits": {"name": "Acme", "seats": 5, "id": "x"}, "timestamp": AT}
    (learnt,) = call("group", members).learnt
    assert learnt == Learnt(
        0,
        "u",
        instant(AT),
        {
            "account.name": ("category", None, "Acme"),
            "account.seats": ("number", 5.0, None),
            "account.id": ("category", None, "77"),
        },
    )
    assert rejected(call("group", {"userId": "u"})) == [(0, "groupId", None, "group_id")]


def test_alias_merges_the_previous_id_into_the_user() -> None:
    assert call("alias", {"previousId": "a", "userId": "u"}).merges == [Merge(0, "a", "u")]
    assert call("alias", {"previousId": "u", "userId": "u"}).merges == []
    assert rejected(call("alias", {"userId": "u"})) == [(0, "previousId", None, "customer_id")]
    assert rejected(call("alias", {"previousId": "a"})) == [(0, "userId", None, "customer_id")]


@pytest.mark.parametrize(("kind", "event"), [("page", "Page Viewed"), ("screen", "Screen Viewed")])
def test_pages_and_screens_are_events_with_name_and_category(kind: str, event: str) -> None:
    members = {"userId": "u", "name": "Home", "category": "Docs", "properties": {"url": "/", "name": "other"}}
    assert columns(call(kind, members), "event", "properties") == [
        (event, '{"category": "Docs", "name": "Home", "url": "/"}')
    ]
    bare: dict[str, Any] = {"userId": "u", "name": None, "category": None, "properties": {}}
    assert columns(call(kind, bare), "event", "properties") == [(event, None)]


def test_campaign_and_channel_are_kept() -> None:
    context = {"campaign": {"name": "spring", "source": "google", "more": {}}, "channel": "web"}
    calls = batch(
        {"type": "track", "event": "E", "userId": "u", "context": context},
        {"type": "track", "event": "E", "userId": "u", "context": context, "channel": "server"},
        {"type": "track", "event": "E", "userId": "u", "context": "none", "properties": None},
    )
    campaign = '{"campaign.name": "spring", "campaign.source": "google"}'
    assert columns(calls, "channel", "properties") == [("web", campaign), ("server", campaign), (None, None)]


def test_the_context_of_a_batch_holds_where_an_items_own_says_nothing_at_any_depth() -> None:
    track_call = {"type": "track", "event": "E", "userId": "u"}
    calls = batch(
        track_call,
        {**track_call, "context": {"channel": "own"}},
        {**track_call, "context": {"campaign": {"source": "own"}}},
        {**track_call, "context": {"campaign": None, "channel": {}}},
        {"type": "identify", "userId": "u", "context": {}},
        context={"channel": "batch", "campaign": {"name": "batch"}, "traits": {"plan": "pro"}},
    )
    assert columns(calls, "channel", "properties") == [
        ("batch", '{"campaign.name": "batch"}'),
        ("own", '{"campaign.name": "batch"}'),
        ("batch", '{"campaign.name": "batch", "campaign.source": "own"}'),
        (None, None),
    ]
    assert calls.learnt[0].attributes == {"plan": ("category", None, "pro")}


def test_items_that_are_wrong_are_named_and_the_others_taken() -> None:
    good = {"type": "track", "event": "E", "userId": "u"}
    items: list[Any] = [
        good,
        "no object",
        None,
        {**good, "type": "Track"},
        {"event": "E", "userId": "u"},
        {**good, "event": None},
        {**good, "event": {"a": 1}},
        {**good, "event": "x" * 256},
        {**good, "userId": "x" * 10_000},
        {**good, "userId": True},
        {**good, "userId": ["u"]},
        {**good, "properties": [1]},
        {**good, "timestamp": "yesterday"},
        {**good, "timestamp": 1714557600},
        {**good, "timestamp": "2030-01-01T00:00:00Z"},
        {**good, "timestamp": "0001-01-01T00:00:00Z"},
        {**good, "messageId": "x" * 256},
        {**good, "messageId": {}},
        {**good, "type": "identify", "traits": "gold"},
        good,
    ]
    calls = batch(*items)
    assert calls.rows.line.tolist() == [0, len(items) - 1]
    assert calls.n_read == len(items)
    assert rejected(calls) == [
        (1, "", "no object", "object"),
        (2, "", None, "object"),
        (3, "type", "Track", "type"),
        (4, "type", None, "type"),
        (5, "event", None, "event"),
        (6, "event", "{…}", "text"),
        (7, "event", "x" * 199 + "…", "text"),
        (8, "userId", "x" * 199 + "…", "text"),
        (9, "userId", "True", "text"),
        (10, "userId", "[…]", "text"),
        (11, "properties", "[…]", "object"),
        (12, "timestamp", "yesterday", "occurred_at"),
        (13, "timestamp", "1714557600", "occurred_at"),
        (14, "timestamp", "2030-01-01T00:00:00Z", "future"),
        (15, "timestamp", "0001-01-01T00:00:00Z", "occurred_at"),
        (16, "messageId", "x" * 199 + "…", "text"),
        (17, "messageId", "{…}", "text"),
        (18, "traits", "gold", "object"),
    ]


def test_parts_that_nobody_needs_cost_no_call() -> None:
    good = {"type": "track", "event": "E", "userId": "u"}
    channels: list[Any] = [{"id": 1}, ["web"], True, "x" * 256]
    nothing: list[Any] = [[], "", " ", None, {}]
    strange_ids: list[Any] = [{"x": 1}, ["v"], True, "x" * 10_000]
    calls = batch(
        *({**good, "properties": none} for none in nothing),
        *({**good, "channel": channel, "context": {"channel": "web"}} for channel in channels),
        *({**good, "context": {"channel": channel}} for channel in channels),
        *({**good, "anonymousId": strange} for strange in strange_ids),
    )
    assert columns(calls, "customer_id", "channel", "properties") == [
        ("u", channel, None) for channel in [None] * 5 + ["web"] * 4 + [None] * 8
    ]
    traits = batch(*({"type": "identify", "userId": "u", "anonymousId": strange_ids[0], "traits": t} for t in nothing))
    assert (len(traits.learnt), traits.merges, traits.rejections) == (5, [], [])
    alone = batch(*({"type": "track", "event": "E", "anonymousId": strange} for strange in strange_ids))
    assert {(path, code) for _, path, _, code in rejected(alone)} == {("anonymousId", "text")}


def test_lines_of_one_message_are_counted_within_their_call() -> None:
    order = {"products": [{"sku": "a", "price": 1}, {"sku": "b", "price": 1}], "order_id": "o"}
    item = {"type": "track", "event": "Order Completed", "userId": "u", "properties": order, "messageId": "m"}
    calls = batch(item, item, {**item, "messageId": None})
    assert columns(calls, "line", "message_id", "message_ordinal") == [
        (0, "m", 0),
        (0, "m", 1),
        (1, "m", 0),
        (1, "m", 1),
        (2, None, -1),
        (2, None, -1),
    ]


def test_properties_and_channels_have_ascending_values() -> None:
    calls = batch(
        *(
            {"type": "track", "event": "E", "userId": "u", "channel": name, "properties": {"a": name}}
            for name in ("web", "app", "mail")
        )
    )
    assert calls.rows.channel.values == ("app", "mail", "web")
    assert [json.loads(text)["a"] for text in calls.rows.properties.values] == ["app", "mail", "web"]


def test_a_type_in_the_body_of_a_single_call_does_not_count() -> None:
    assert columns(track("E", {}, type="identify"), "event") == [("E",)]
