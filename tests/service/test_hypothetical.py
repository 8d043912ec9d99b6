"""Scores of what is not stored are those that it would have if it were, and nothing of it is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from store.ingest.cells import LARGEST_AMOUNT
from store.tables import Base, Score
from tests.service.conftest import Shop
from tests.service.shop import AS_OF, NOW, ODD_IDS
from training.score_all import score_all

BOUGHT = [
    {
        "event": "Order Completed",
        "occurred_at": (AS_OF - timedelta(days=days)).isoformat(),
        "properties": {
            "order_id": f"o{days}",
            "products": [{"product_id": "pen", "quantity": 2, "price": 12.5}, {"product_id": "ink", "price": 3}],
        },
    }
    for days in (400, 210, 95, 12)
]
REFUND = {
    "event": "Order Refunded",
    "occurred_at": (AS_OF - timedelta(days=3)).isoformat(),
    "properties": {"order_id": "o12", "products": [{"product_id": "ink", "quantity": 1, "price": 3}]},
}
VISIT = {"event": "Session Started", "occurred_at": (AS_OF - timedelta(days=1)).isoformat(), "channel": "web"}
HUGE = {"event": "Order Completed", "properties": {"order_id": "q", "revenue": 1e160}}
ATTRIBUTES = {"country": "Chile", "age": 41}
HISTORIES: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "a visit": [VISIT],
    "orders": BOUGHT,
    "orders and a refund": [REFUND, VISIT, *BOUGHT],
}


def stored(shop: Shop) -> dict[str, int]:
    """Count the rows of all tables."""
    with shop.database.read() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


def store(shop: Shop, customer_id: str, events: list[dict[str, Any]], attributes: dict[str, Any]) -> None:
    """Store the same by the way of live events."""
    calls: list[dict[str, Any]] = [
        {
            "type": "track",
            "userId": customer_id,
            "event": event["event"],
            "timestamp": event["occurred_at"],
            "properties": event.get("properties", {}),
            "channel": event.get("channel"),
        }
        for event in events
    ]
    learnt_at = (AS_OF - timedelta(hours=1)).isoformat()
    calls.append({"type": "identify", "userId": customer_id, "timestamp": learnt_at, "traits": attributes})
    answer = shop.client.post("/v1/batch", json={"batch": calls})
    assert (answer.json()["stored"], answer.json()["rejected"]) == (len(calls), [])


def ask(shop: Shop, path: str, **body: Any) -> dict[str, Any]:
    answer = shop.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def without_id(score: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said(score).items() if name != "customer_id"}


def said(score: dict[str, Any]) -> dict[str, Any]:
    """A score but for its receipt, which what is only supposed has none of."""
    return score | {"receipt": None}


@pytest.mark.parametrize("history", HISTORIES)
def test_an_unseen_customer_is_scored_as_if_stored(own_shop: Shop, history: str) -> None:
    before = stored(own_shop)
    unseen = ask(own_shop, "/v1/score", events=HISTORIES[history], attributes=ATTRIBUTES)
    assert stored(own_shop) == before
    assert unseen["customer_id"] == "unseen"
    store(own_shop, "new", HISTORIES[history], ATTRIBUTES)
    assert without_id(unseen) == without_id(own_shop.get("/v1/customers/new/score"))


def test_whoever_has_the_id_in_the_store_is_not_read(shop: Shop) -> None:
    alone = ask(shop, "/v1/score", events=BOUGHT)
    assert without_id(ask(shop, "/v1/score", customer_id="c000", events=BOUGHT)) == without_id(alone)
    assert alone["frequency"] == len(BOUGHT) - 1


def test_an_event_without_an_instant_has_just_happened(shop: Shop) -> None:
    now = ask(shop, "/v1/score", events=[*BOUGHT, {"event": "Order Completed", "properties": {"revenue": 5}}])
    assert (now["frequency"], now["days_since_last_purchase"]) == (len(BOUGHT), 0)


def test_what_if_nothing_more_is_the_score_as_it_is(shop: Shop) -> None:
    score = shop.get("/v1/customers/c000/score")
    answer = ask(shop, "/v1/customers/c000/what-if")
    assert answer["now"] == answer["then"] == said(score)
    for change in answer["changes"].values():
        assert change["before"] == change["now"]
        assert {reason["contribution"] for reason in change["reasons"]} <= {0.0}


@pytest.mark.parametrize("customer_id", ["c000", *ODD_IDS[:2]])
def test_what_if_is_the_score_that_would_be_stored_and_says_why(own_shop: Shop, customer_id: str) -> None:
    params = {"customer_id": customer_id}
    before = stored(own_shop)
    now = said(own_shop.get("/v1/score", **params))
    body = {"events": [BOUGHT[-1], VISIT], "attributes": {"country": "Peru"}}
    answer = own_shop.client.post("/v1/what-if", params=params, json=body).json()
    assert stored(own_shop) == before
    store(own_shop, customer_id, [BOUGHT[-1], VISIT], {"country": "Peru"})
    assert answer["now"] == now
    assert answer["then"] == said(own_shop.get("/v1/score", **params))
    assert answer["then"]["frequency"] == now["frequency"] + 1
    clv = answer["changes"]["clv"]
    assert (clv["before"], clv["now"]) == pytest.approx((now["clv"], answer["then"]["clv"]), rel=1e-9)
    for change in answer["changes"].values():
        total = sum(reason["contribution"] for reason in change["reasons"]) + change["all_other_features"]
        assert total == pytest.approx(change["now"] - change["before"], abs=1e-6)


def test_of_merged_ids_the_whole_history_counts(own_shop: Shop) -> None:
    store(own_shop, "visitor", [VISIT, *BOUGHT[:2]], {})
    merge = {"type": "alias", "previousId": "visitor", "userId": "c000"}
    assert own_shop.client.post("/v1/batch", json={"batch": [merge]}).json()["stored"] == 1
    answer = ask(own_shop, "/v1/customers/visitor/what-if", events=[BOUGHT[-1]])
    assert answer["now"] == said(own_shop.get("/v1/customers/c000/score"))
    assert answer["then"]["customer_id"] == "c000"
    assert answer["then"]["frequency"] == answer["now"]["frequency"] + 1


@pytest.mark.parametrize(
    ("body", "status", "code", "where"),
    [
        (
            {"events": [VISIT, {**VISIT, "occurred_at": AS_OF.isoformat()}]},
            422,
            "rejected-event",
            "events.1.occurred_at",
        ),
        ({"events": [{"event": "Order Completed", "properties": {"products": 3}}]}, 422, "rejected-event", "events.0"),
        ({"events": [HUGE]}, 422, "rejected-event", "revenue"),
        ({"events": [{"event": " "}]}, 422, "rejected-event", "events.0"),
        ({"attributes": {"age": 10**400}}, 422, "rejected-event", "attributes"),
        ({"events": [{"event": "x", "at": 1}]}, 422, "invalid-request", "body.events.0.at"),
        ({"events": [{"event": "x", "occurred_at": "2023-01-01T00:00:00"}]}, 422, "invalid-request", "occurred_at"),
        ({"events": [{"event": "x"}] * 2_501}, 422, "invalid-request", "body.events"),
    ],
)
def test_what_can_not_be_taken_is_told(shop: Shop, body: dict[str, Any], status: int, code: str, where: str) -> None:
    for path in ("/v1/score", "/v1/customers/c000/what-if"):
        answer = shop.client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert where in answer.json()["detail"]


def test_the_largest_amounts_that_are_taken_are_scored_and_stop_nobody(own_shop: Shop) -> None:
    largest = {"product_id": "pen", "price": LARGEST_AMOUNT}
    orders: list[dict[str, Any]] = [
        {**order, "properties": {"order_id": f"o{days}", "products": [{**largest, "quantity": sign}] * 50}}
        for days, (order, sign) in enumerate(zip(BOUGHT, (1, 1, -1, 1), strict=True))
    ]
    supposed = ask(own_shop, "/v1/score", customer_id="rich", events=orders)
    store(own_shop, "rich", orders, {})
    score = own_shop.get("/v1/customers/rich/score")
    assert score["clv"] == pytest.approx(supposed["clv"])
    assert score["clv"] > LARGEST_AMOUNT
    run = score_all(own_shop.database, own_shop.settings, now=lambda: NOW)
    with own_shop.database.read() as session:
        assert run.n_customers == session.scalar(
            select(func.count()).select_from(Score).filter_by(scoring_run_id=run.id)
        )
    assert own_shop.get("/v1/customers/rich")["stored_score"]["clv"] == score["clv"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"events": [{"event": "x", "properties": {"a": NaN}}]}', 422),
        (b'{"events": [{"event": "x", "properties": {"a": "\\ud800"}}]}', 200),
        (b'{"events": [{"event": "x", "properties": {"a": "\\u0000"}}]}', 200),
        (b'{"events": [{"event": "x", "properties": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}]}", 400),
        (b'{"events": [{"event": "x", "properties": {"a": ' + b"[" * 950 + b"]" * 950 + b"}}]}", 400),
        (b'{"events": [', 400),
    ],
)
def test_odd_json_is_an_answer(shop: Shop, content: bytes, status: int) -> None:
    for path in ("/v1/score", "/v1/customers/c000/what-if"):
        answer = shop.client.post(path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text


def test_an_id_is_read_as_it_would_be_stored(shop: Shop) -> None:
    assert ask(shop, "/v1/score", customer_id=" 123.0 ", events=BOUGHT)["customer_id"] == "123"
    blank = shop.client.post("/v1/score", json={"customer_id": " "})
    assert (blank.status_code, "body.customer_id: expected an id" in blank.json()["detail"]) == (422, True)


def test_of_nobody_nothing_is_supposed(shop: Shop) -> None:
    answer = shop.client.post("/v1/customers/nobody/what-if", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-customer")
