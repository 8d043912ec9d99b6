"""Erasure and export over HTTP: hidden at once, deleted after the answer, everything held as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from service import erasures
from store.engine import Database
from store.tables import Customer, ErasedCustomer, ModelVersion
from tests.service.conftest import Shop

BUYER, ODD = "c001", "a/b"


def _ids(shop: Shop) -> set[str]:
    with shop.database.read() as session:
        return set(session.scalars(select(Customer.customer_id)))


@pytest.mark.parametrize("by_query", [False, True])
def test_a_customer_is_erased_and_in_no_answer(own_shop: Shop, by_query: bool) -> None:
    customer_id = ODD if by_query else BUYER
    listed = own_shop.get("/v1/customers", customer_id=customer_id)["stored_score"]["segment"]
    answer = (
        own_shop.client.delete("/v1/customers", params={"customer_id": customer_id})
        if by_query
        else own_shop.client.delete(f"/v1/customers/{customer_id}")
    )
    assert (answer.status_code, answer.json()) == (202, {"state": "hidden, being deleted"})
    assert customer_id not in _ids(own_shop)
    for path in ("/v1/customers", "/v1/score"):
        assert own_shop.client.get(path, params={"customer_id": customer_id}).status_code == 404
    assert own_shop.client.delete("/v1/customers", params={"customer_id": customer_id}).status_code == 404
    rows = own_shop.get(f"/v1/segments/{listed}/customers", limit=1000)["rows"]
    assert customer_id not in {row["customer_id"] for row in rows}
    assert own_shop.client.post("/v1/scores", json={"customer_ids": [customer_id]}).json()["unknown"] == [customer_id]
    with own_shop.database.read() as session:
        assert len(session.scalars(select(ErasedCustomer)).all()) == 1
        assert session.scalars(select(ModelVersion.erased_customers)).all() == [1]


def test_nothing_that_is_logged_names_the_customer(own_shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    assert own_shop.client.delete(f"/v1/customers/{BUYER}").status_code == 202
    assert own_shop.client.get(f"/v1/customers/{BUYER}/export").status_code == 404
    logged = own_shop.log.getvalue()
    assert "erasures_resumed" in logged
    assert BUYER not in logged
    # All goes to the log of the service.
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", ["/v1/customers/nobody", "/v1/customers?customer_id=nobody"])
def test_erasing_somebody_unknown_is_refused(shop: Shop, path: str) -> None:
    answer = shop.client.delete(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:regulars:problem:unknown-customer")


def test_an_erasure_that_the_database_interrupts_stays_hidden_and_is_resumed(
    own_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Database) -> int:
        raise OperationalError("DELETE", {}, Exception("disk is full"))

    monkeypatch.setattr(erasures, "resume_erasures", broken)
    answer = own_shop.client.delete(f"/v1/customers/{BUYER}")
    monkeypatch.undo()
    assert answer.status_code == 202
    logged = [json.loads(line) for line in own_shop.log.getvalue().splitlines()]
    (interrupted,) = [line for line in logged if line["event"] == "erasures_interrupted"]
    assert interrupted["error"] == "OperationalError"
    assert interrupted["request_id"] == answer.headers["X-Request-ID"]
    assert BUYER in _ids(own_shop)
    assert own_shop.client.get(f"/v1/customers/{BUYER}").status_code == 404
    assert own_shop.client.delete("/v1/customers/c002").status_code == 202
    assert not _ids(own_shop) & {BUYER, "c002"}


def test_everything_held_is_exported_as_json(shop: Shop) -> None:
    answer = shop.client.get("/v1/customers/c001/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = json.loads(answer.text)
    known = shop.get("/v1/customers/c001")
    assert document["customer_ids"] == ["c001"]
    assert len(document["events"]) == known["events"]
    assert document["events"][0]["occurred_at"] == known["first_event_at"]
    (score,) = document["scores"]
    assert (score["is_published"], score["clv"]) == (True, known["stored_score"]["clv"])
    with shop.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM customer WHERE erased_at IS NOT NULL")) == 0


def test_ids_that_fit_no_path_are_exported_by_query(shop: Shop) -> None:
    document = json.loads(shop.client.get("/v1/export", params={"customer_id": ODD}).text)
    assert document["customer_ids"] == [ODD]
