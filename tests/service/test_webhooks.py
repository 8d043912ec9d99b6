"""Webhooks over HTTP: added, shown without their secrets, rotated, tested, listed, replayed, deleted."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from store.tables import WebhookDelivery, WebhookEndpoint
from tests.service.conftest import Shop
from tests.service.shop import NOW
from tests.store.webhook_rows import tell
from training.delivery import Deliverer
from training.webhook_client import Answer
from training.webhook_message import Message

ASKED: dict[str, Any] = {
    "url": "https://crm.example.com/hooks",
    "events": ["customer.segment_entered", "customer.score_changed"],
    "thresholds": {"churn_probability": 0.1},
}


def _add(shop: Shop, **changes: Any) -> Any:
    response = shop.client.post("/v1/webhooks", json=ASKED | changes)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/v1/webhooks/{response.json()['id']}"
    return response.json()


def _deliver(shop: Shop, status: int, at: datetime = NOW) -> list[Message]:
    sent: list[Message] = []

    def send(message: Message) -> Answer:
        sent.append(message)
        return Answer(status)

    deliverer = Deliverer(shop.database, send, now=lambda: at, randomness=Random(0))
    while deliverer.go_on():
        deliverer.wait(5)
    deliverer.close()
    return sent


def test_a_webhook_is_added_and_its_secret_shown_once(own_shop: Shop) -> None:
    made = _add(own_shop)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made == ASKED | {
        "id": 1,
        "created_at": "2024-01-01T09:30:00Z",
        "previous_secret_until": None,
        "disabled_at": None,
        "disabled_why": None,
        "failing_since": None,
        "rest_until": None,
    }
    assert own_shop.get("/v1/webhooks") == {"webhooks": [made]}
    assert own_shop.get("/v1/webhooks/1") == made
    assert secret not in own_shop.log.getvalue()
    rotated = own_shop.client.post("/v1/webhooks/1/rotate-secret", json={"previous_valid_hours": 2}).json()
    assert rotated["secret"] != secret
    assert rotated["previous_secret_until"] == "2024-01-01T11:30:00Z"  # noqa: S105
    by_default = own_shop.client.post("/v1/webhooks/1/rotate-secret").json()
    assert by_default["previous_secret_until"] == "2024-01-02T09:30:00Z"  # noqa: S105
    assert own_shop.client.delete("/v1/webhooks/1").status_code == 204
    assert own_shop.get("/v1/webhooks") == {"webhooks": []}
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/test"), ("GET", "/deliveries")):
        response = own_shop.client.request(method, f"/v1/webhooks/1{path}")
        assert (response.status_code, response.json()["code"]) == (404, "unknown-webhook")


@pytest.mark.parametrize(
    ("changes", "status", "code", "detail"),
    [
        ({"url": "http://10.0.0.1/"}, 400, "private-address", "got 10.0.0.1, which"),
        ({"url": "http://2130706433/"}, 400, "private-address", "got 2130706433, which"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, 400, "private-address", "on the public internet"),
        ({"url": "http://localhost:8000/"}, 400, "private-address", "on the public internet"),
        ({"url": "https://u:p@crm.example.com/"}, 422, "invalid-request", "body.url: expected a URL without user"),
        ({"url": "gopher://crm.example.com/"}, 422, "invalid-request", "begins with https:// or http://"),
        ({"url": 7}, 422, "invalid-request", "body.url"),
        ({"events": []}, 422, "invalid-request", "body.events"),
        ({"events": ["customer.born"]}, 422, "invalid-request", "body.events.0"),
        ({"thresholds": {}}, 422, "invalid-request", "expected thresholds if events name customer.score_changed"),
        ({"thresholds": {"clv": -1}}, 422, "invalid-request", "body.thresholds.clv: expected greater than 0"),
        ({"more": 1}, 422, "invalid-request", "body.more: expected no such part"),
    ],
)
def test_what_can_not_be_added_is_a_problem_that_says_why(
    shop: Shop, changes: dict[str, Any], status: int, code: str, detail: str
) -> None:
    response = shop.client.post("/v1/webhooks", json=ASKED | changes)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert detail in response.json()["detail"]
    assert shop.get("/v1/webhooks") == {"webhooks": []}


def test_a_test_is_queued_sent_and_listed(own_shop: Shop) -> None:
    _add(own_shop)
    response = own_shop.client.post("/v1/webhooks/1/test")
    assert response.status_code == 202
    queued = response.json()
    assert (queued["type"], queued["status"], queued["next_attempt_at"]) == (
        "webhook.test",
        "pending",
        "2024-01-01T09:30:00Z",
    )
    (sent,) = _deliver(own_shop, 200)
    assert sent.body == b'{"type":"webhook.test","timestamp":"2024-01-01T09:30:00Z","data":{"webhook_id":1}}'
    listed = own_shop.get("/v1/webhooks/1/deliveries")
    assert listed["next_cursor"] is None
    assert [(each["status"], each["attempts"], each["last_status"]) for each in listed["deliveries"]] == [
        ("delivered", 1, 200)
    ]
    assert listed["deliveries"][0]["next_attempt_at"] is None
    assert own_shop.get(f"/v1/webhooks/1/deliveries/{queued['id']}")["data"] == {"webhook_id": 1}


def test_dead_deliveries_are_listed_and_replayed_one_or_all_since_an_instant(own_shop: Shop) -> None:
    _add(own_shop)
    tell(own_shop.database, 1, [1, 2], at=NOW - timedelta(days=2))
    tell(own_shop.database, 1, [1, 2], at=NOW - timedelta(hours=1))
    with own_shop.database.write() as session:
        for delivery in session.scalars(select(WebhookDelivery)):
            delivery.status = "dead"
    assert own_shop.get("/v1/webhooks/1/deliveries", status="pending")["deliveries"] == []
    first = own_shop.get("/v1/webhooks/1/deliveries", status="dead", limit=3)
    rest = own_shop.get("/v1/webhooks/1/deliveries", status="dead", limit=3, cursor=first["next_cursor"])
    assert [each["id"] for each in first["deliveries"] + rest["deliveries"]] == [4, 3, 2, 1]
    replayed = own_shop.client.post("/v1/webhooks/1/deliveries/1/replay")
    assert (replayed.status_code, replayed.json()["status"], replayed.json()["attempts"]) == (202, "pending", 0)
    again = own_shop.client.post("/v1/webhooks/1/deliveries/1/replay")
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    since = own_shop.client.post("/v1/webhooks/1/replay", json={"since": "2024-01-01T08:00:00+00:00"})
    assert (since.status_code, since.json()) == (202, {"replayed": 2})
    assert sorted(message.headers["webhook-id"].split("_")[1] for message in _deliver(own_shop, 200)) == ["1", "3", "4"]
    for path, code in (("deliveries/9/replay", "unknown-webhook"), ("deliveries/0/replay", "invalid-request")):
        assert own_shop.client.post(f"/v1/webhooks/1/{path}").json()["code"] == code
    assert own_shop.client.get("/v1/webhooks/1/deliveries?cursor=x").json()["code"] == "invalid-cursor"
    assert own_shop.client.post("/v1/webhooks/1/replay", json={"since": "2024-01-01"}).status_code == 422


def test_a_webhook_that_answered_gone_is_shown_with_its_reason_and_enabled_again(own_shop: Shop) -> None:
    _add(own_shop)
    own_shop.client.post("/v1/webhooks/1/test")
    _deliver(own_shop, 410)
    shown = own_shop.get("/v1/webhooks/1")
    assert (shown["disabled_at"], shown["disabled_why"]) == ("2024-01-01T09:30:00Z", "It answered 410 Gone.")
    refused = own_shop.client.post("/v1/webhooks/1/test")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook-state")
    assert own_shop.client.post("/v1/webhooks/1/enable").json()["disabled_at"] is None
    assert own_shop.client.post("/v1/webhooks/1/deliveries/1/replay").status_code == 202
    with own_shop.database.read() as session:
        assert session.get_one(WebhookEndpoint, 1).disabled_why is None
