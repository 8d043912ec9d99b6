"""Whatever JSON comes: no reader fails, each call is taken or named, and what is taken can be stored."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.ingest.calls import (
    Calls,
    UnreadableBodyError,
    read_batch,
    read_body,
    read_call,
    read_posthog,
    write_key_in,
)
from store.ingest.calls.segment import KINDS
from store.ingest.identity import identify
from store.ingest.ordinals import OrdinalCounter
from store.ingest.texts import Texts
from store.settings import load_settings
from tests.store.ingest.calls.reading import MOST_CALLS, RECEIVED, RECEIVED_AT

SETTINGS = load_settings(currency_rates={"EUR": 1.1})

SEGMENT = [
    {
        "type": "track",
        "event": "Order Completed",
        "userId": "u",
        "anonymousId": "a",
        "messageId": "m1",
        "timestamp": "2024-05-01T10:00:00Z",
        "sentAt": "2024-06-01T11:00:00Z",
        "channel": "web",
        "context": {"campaign": {"name": "spring"}, "channel": "app", "traits": {"plan": "pro"}},
        "properties": {
            "order_id": "o",
            "revenue": 20,
            "total": 25,
            "shipping": 3,
            "currency": "EUR",
            "products": [{"product_id": "p", "price": 5, "quantity": 2, "category": "c"}, {"sku": "s"}],
        },
    },
    {"type": "track", "event": "Order Refunded", "userId": "u", "properties": {"order_id": "o", "total": 3}},
    {"type": "identify", "userId": "u", "anonymousId": "a", "traits": {"age": 4, "home": {"city": "Rome"}}},
    {"type": "group", "userId": "u", "groupId": "g", "traits": {"seats": 4, "since": "2024-01-01"}},
    {"type": "alias", "userId": "u", "previousId": "a"},
    {"type": "page", "userId": "u", "name": "Home", "category": "Docs", "properties": {"url": "/"}},
]
POSTHOG = [
    {
        "event": "Order Completed",
        "distinct_id": "u",
        "uuid": "m1",
        "timestamp": "2024-05-01T10:00:00",
        "properties": {"order_id": "o", "products": [{"sku": "s", "price": 5}], "$set": {"plan": "pro"}},
    },
    {"event": "$pageview", "distinct_id": "u", "properties": {"$current_url": "/", "utm_source": "x"}},
    {"event": "$identify", "distinct_id": "u", "properties": {"$anon_distinct_id": "a", "$set_once": {"n": 1}}},
    {"event": "$create_alias", "distinct_id": "a", "properties": {"alias": "u"}},
    {"event": "$groupidentify", "distinct_id": "u", "properties": {"$group_key": "g", "$group_set": {"n": 1}}},
]

NASTY: list[Any] = [
    None,
    True,
    False,
    0,
    -0.0,
    -1,
    1e308,
    -1e308,
    5e-324,
    float("nan"),
    float("inf"),
    10**30,
    10**400,
    -(10**4_299),
    "",
    "   ",
    "12.50",
    "1e999",
    "NaN",
    "a\0b",
    "\ud800",
    "\udfff\ud83d",
    "😀",
    "x" * 10_000,
    "0001-01-01",
    "1899-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999-14:00",
    "2024-02-30",
    "2024-06-02T11:59:59Z",
    "Order Completed",
    "$identify",
    [],
    [None],
    [[[[]]]],
    ["x"] * 3,
    {},
    {"": None},
    {"a": {"b": {"c": {}}}},
    {"\0": {"\ud800": "\ud800"}},
    [{"sku": "a", "price": "x"}],
    [{"sku": 1, "price": 1e308, "quantity": -1e308}],
    [{"price": -1, "quantity": 0}, {"price": None, "sku": "s"}],
]

NAMES = sorted({"type", "event", "userId", "properties", "traits", "products", "timestamp", "context", "distinct_id"})
SCALARS = st.one_of(st.sampled_from(NASTY), st.integers(), st.floats(), st.text(st.characters(), max_size=8))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(st.characters(), max_size=4)), inner, max_size=4),
    ),
    max_leaves=12,
)

Read = Callable[[bytes], Calls]


def read_segment(body: bytes) -> Calls:
    return read_batch(read_body(body), SETTINGS, RECEIVED_AT, MOST_CALLS)


def read_of_posthog(body: bytes) -> Calls:
    return read_posthog(read_body(body), SETTINGS, RECEIVED_AT, MOST_CALLS)


READERS = [(read_segment, SEGMENT), (read_of_posthog, POSTHOG)]


def body_of(items: list[Any], **members: Any) -> bytes:
    return json.dumps({"batch": items, **members}).encode()


def is_storable(text: str) -> bool:
    """Whether both databases have a place for a text, which raises if it is no text at all."""
    return "\0" not in text and bool(text.encode()) and text == text.strip()


def check(calls: Calls) -> None:
    """Check that every call is taken or named, and that all of it fits into its columns."""
    rows = calls.rows
    assert len({one.line for one in calls.rejections}) == len(calls.rejections)
    taken = {*rows.line.tolist(), *(one.position for one in calls.learnt), *(one.position for one in calls.merges)}
    assert not taken & {one.line for one in calls.rejections}
    assert all(0 <= position < calls.n_read for position in taken | {one.line for one in calls.rejections})
    for field in fields(rows):
        column = getattr(rows, field.name)
        assert len(column) == len(rows)
        if isinstance(column, Texts):
            assert all(map(is_storable, column.values))
            assert len(set(column.values)) == len(column.values)
    for required in (rows.event, rows.customer_id):
        assert required.given.all()
    assert not np.isinf([rows.quantity, rows.value, rows.rate, rows.value * rows.rate]).any()
    assert (rows.occurred_at <= RECEIVED).all()
    for text in rows.properties.values + rows.category.values:
        assert isinstance(json.loads(text), dict)
    for learnt in calls.learnt:
        assert is_storable(learnt.customer_id)
        assert learnt.learnt_at <= RECEIVED
        for name, (kind, number, told) in learnt.attributes.items():
            assert name.isprintable()
            assert (kind == "number") == (number is not None) == (told is None)
            assert number is None or np.isfinite(number)
            assert told is None or is_storable(told)
    for merge in calls.merges:
        assert merge.merged != merge.into
        assert is_storable(merge.merged)
        assert is_storable(merge.into)
    for one in calls.rejections:
        shown = (one.column, one.value or "", one.code, one.reason)
        assert "\0" not in "".join(shown)
        assert "".join(shown).encode()
        assert one.code
        assert one.reason
    assert len(identify(rows, "shop", OrdinalCounter()).own) == len(rows)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """Return a copy of a value with something else at a path."""
    if not path:
        return by
    changed = copy.deepcopy(value)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = by
    return changed


@pytest.mark.parametrize(("read", "good"), READERS)
def test_good_calls_are_all_taken(read: Read, good: list[Any]) -> None:
    calls = read(body_of(good))
    assert calls.rejections == []
    check(calls)


@pytest.mark.parametrize(("read", "good"), READERS)
def test_a_nasty_value_anywhere_costs_its_call_at_most(read: Read, good: list[Any]) -> None:
    for item in good:
        items = [replaced(item, path, value) for path in places(item) for value in NASTY]
        calls = read(body_of([*items, item]))
        check(calls)
        assert calls.n_read == len(items) + 1
        assert len(items) not in {one.line for one in calls.rejections}
        assert len(calls.rejections) < len(items)


@pytest.mark.parametrize(("read", "good"), READERS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_good_calls_changed_at_random_never_fail(read: Read, good: list[Any], data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(good))
    for _ in range(data.draw(st.integers(1, 3))):
        item = replaced(item, data.draw(st.sampled_from(places(item))), data.draw(JSON))
    calls = read(body_of([item, good[0]], context=data.draw(JSON), sentAt=data.draw(JSON), sent_at=data.draw(JSON)))
    check(calls)
    assert calls.n_read == 2


@given(value=JSON)
@settings(max_examples=150, deadline=None)
def test_any_json_is_read_or_refused_as_a_whole(value: Any) -> None:
    body = json.dumps(value).encode()
    readers: list[Read] = [read_segment, read_of_posthog]
    readers += [lambda body, kind=kind: read_call(kind, read_body(body), SETTINGS, RECEIVED_AT) for kind in KINDS]  # type: ignore[misc]
    for read in readers:
        try:
            check(read(body))
        except UnreadableBodyError as refused:
            assert refused.code in {"not_an_object", "no_batch"}  # noqa: PT017
    check(read_segment(body_of([value])))
    check(read_of_posthog(body_of([value])))


@given(body=st.one_of(st.binary(max_size=60), st.text('{}[]",:\\u0d8a1eNaN ', max_size=40).map(str.encode)))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused_as_a_whole(body: bytes) -> None:
    for whole in (body, b'{"batch": [' + body + b"]}"):
        try:
            write_key_in(read_body(whole))
            check(read_segment(whole))
        except UnreadableBodyError as refused:
            assert refused.code  # noqa: PT017


@pytest.mark.parametrize(("read", "good"), READERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_a_call_tells_does_not_depend_on_its_batch(read: Read, good: list[Any], data: st.DataObject) -> None:
    items = data.draw(st.lists(st.one_of(st.sampled_from(good), JSON), min_size=1, max_size=5))
    together = read(body_of(items))
    alone = [read(body_of([item])) for item in items]
    assert len(together.rows) == sum(len(one.rows) for one in alone)
    assert [one.line for one in together.rejections] == [n for n, one in enumerate(alone) if one.rejections]
    for field in fields(together.rows):
        columns = [getattr(one.rows, field.name).tolist() for one in alone]
        if field.name == "line":
            expected = [n for n, one in enumerate(columns) for _ in one]
        else:
            expected = [value for one in columns for value in one]
        assert str(getattr(together.rows, field.name).tolist()) == str(expected)
