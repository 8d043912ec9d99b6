"""Exporting a customer: everything held, as JSON that reads back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from store import export
from store.engine import Database
from store.erasure import hide_customer
from store.exceptions import UnknownCustomerError
from store.export import export_customer
from store.keyed_hash import KeyedHash
from tests.store.builders import NOW, add_customers
from tests.store.held import ANNA, ANONYMOUS, BERT, FIRST, add_events, fill


def _exported(database: Database, customer_id: str = ANNA) -> dict[str, Any]:
    document: dict[str, Any] = json.loads("".join(export_customer(database, customer_id)))
    return document


@pytest.mark.parametrize("asked_for", [ANNA, ANONYMOUS])
def test_everything_that_is_held_is_exported(database: Database, asked_for: str) -> None:
    keys = fill(database)
    add_events(database, keys[ANNA], [NOW - timedelta(days=2)], orders=[1], event_type=2)
    found = _exported(database, asked_for)
    assert found["customer_ids"] == [ANNA, ANONYMOUS]
    assert found["known_since"] == "2024-05-01T00:00:00Z"
    assert found["attributes"] == [
        {"name": "age", "kind": "number", "value": 40.0, "learnt_at": "2023-03-28T00:00:00Z"},
        {"name": "age", "kind": "number", "value": 41.0, "learnt_at": "2023-04-02T00:00:00Z"},
        {"name": "city", "kind": "category", "value": "Łódź", "learnt_at": "2023-03-28T00:00:00Z"},
        {"name": "city", "kind": "category", "value": "Gent", "learnt_at": "2024-05-01T00:00:00Z"},
        {"name": "email", "kind": "category", "value": ANNA, "learnt_at": None},
    ]
    assert found["replaced_attributes"] == [
        {"name": "city", "kind": "category", "value": f"near {ANNA}", "learnt_at": "2023-03-28T00:00:00Z"}
    ]
    assert [
        (score["segments"], score["churn_probability"], score["as_of"], score["is_published"])
        for score in found["scores"]
    ] == [
        ("at_risk", 0.75, "2024-05-01T00:00:00Z", False),
        ("at_risk high_value", 0.5, "2024-05-02T00:00:00Z", True),
    ]
    assert [score["propensities"] for score in found["scores"]] == [{}, {"upsell": {"probability": 0.25}}]
    assert [(stay["segment"], stay["entered_at"], stay["left_at"]) for stay in found["segment_memberships"]] == [
        ("at_risk", "2024-05-01T00:00:00Z", None),
        ("high_value", "2024-05-02T00:00:00Z", None),
    ]
    assert [(each["webhook"], each["churn_probability"], each["clv"]) for each in found["scores_told"]] == [
        (1, 0.625, None)
    ]
    assert found["campaign_assignments"] == [
        {"campaign": "spring", "arm": "contacted", "assigned_at": "2023-03-28T00:00:00Z"}
    ]
    assert [(contact["contacted_at"], contact["campaign"]) for contact in found["contacts"]] == [
        ("2023-03-28T00:00:00Z", "spring"),
        ("2024-05-01T00:00:00Z", None),
    ]
    assert found["contacts"][0] | {"contacted_at": None} == {
        "contacted_at": None,
        "received_at": "2024-05-01T00:00:00Z",
        "campaign": "spring",
        "channel": "phone",
        "cost": 2.5,
        "message_id": f"call {ANNA}",
    }
    assert [(row["line"], row["value"]) for row in found["rejected_rows"]] == [(1, "12,50"), (2, ANONYMOUS)]
    assert [event["occurred_at"] for event in found["events"]] == [
        "2023-03-28T00:00:00Z",
        "2024-04-28T00:00:00Z",
        "2024-04-29T00:00:00Z",
    ]
    assert found["events"][0] == {
        "event": "Order Completed",
        "occurred_at": "2023-03-28T00:00:00Z",
        "reported_at": None,
        "received_at": "2024-05-01T00:00:00Z",
        "source": "shop",
        "channel": "web",
        "order_id": "o1",
        "value": None,
        "properties": {"coupon": "Ärger", "deep": 1.5},
        "replaced": [{"channel": "web", "properties": {"coupon": "Ohr"}}],
        "lines": [
            {
                "occurred_at": "2023-03-28T00:00:00Z",
                "product_id": "p-1",
                "category": {"department": "toys"},
                "quantity": 2.0,
                "value": 0.1,
                "discount": None,
            }
        ],
    }
    assert found["events"][2]["event"] == "Order Refunded"
    assert BERT not in json.dumps(found)


def test_many_events_come_in_pieces_and_each_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = fill(database)
    monkeypatch.setattr(export, "_EVENTS_A_READ", 7)
    add_events(database, keys[ANNA], [FIRST + timedelta(days=i // 3) for i in range(60)])
    pieces = list(export_customer(database, ANNA))
    assert len(pieces) > 60
    orders = [event["order_id"] for event in json.loads("".join(pieces))["events"]]
    assert len(orders) == len(set(orders)) == 62


def test_a_customer_of_whom_nothing_else_is_known_is_exported(database: Database) -> None:
    add_customers(database, ["alone"])
    found = _exported(database, "alone")
    assert (found["customer_ids"], found["scores"], found["events"], found["rejected_rows"]) == (["alone"], [], [], [])


def test_nobody_and_whoever_was_erased_are_refused_before_anything_is_written(database: Database) -> None:
    fill(database)
    hide_customer(database, ANNA, KeyedHash(b"k" * 32), now=NOW)
    for name in ("nobody", ANNA):
        with pytest.raises(UnknownCustomerError, match="No customer has the id"):
            assert isinstance(export_customer(database, name), Iterator)
