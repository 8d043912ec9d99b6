"""Errors: each is a problem that says what was expected, what came, and what to do; never a 500 for bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from store import registry
from store.exceptions import SchemaError
from store.list_cursor import Cursor
from tests.service.conftest import Bundles, Shop
from tests.service.shop import PROSPECT, fill, register

BAD_REQUESTS: list[tuple[str, str, dict[str, Any], int, str, str]] = [
    ("GET", "/v1/nothing", {}, 404, "not-found", "There is nothing at this address"),
    ("GET", "/v1/customers/", {}, 404, "not-found", "There is nothing at this address"),
    ("POST", "/v1/at-risk", {}, 405, "method-not-allowed", "Expected GET, got POST."),
    ("GET", "/v1/customers/nobody", {}, 404, "unknown-customer", "No customer has the id 'nobody'."),
    ("GET", "/v1/customers/nobody/score", {}, 404, "unknown-customer", "No customer has the id 'nobody'."),
    ("GET", "/v1/score", {}, 422, "invalid-request", "query.customer_id: expected a value, got nothing."),
    ("GET", "/v1/score?customer_id=%00", {}, 422, "invalid-request", "query.customer_id: expected "),
    ("GET", "/v1/customers/a%00b", {}, 422, "invalid-request", "path.customer_id: expected "),
    ("GET", f"/v1/customers/{'x' * 300}", {}, 422, "invalid-request", "at most 255 characters"),
    ("GET", "/v1/score?customer_id=%ED%A0%80", {}, 404, "unknown-customer", "No customer has the id"),
    ("GET", "/v1/segments/vip/customers", {}, 404, "unknown-segment", "Segments: at_risk, high_value,"),
    ("GET", "/v1/propensities/vip", {}, 404, "unknown-target", "Propensities of model 1: reorder."),
    ("GET", "/v1/propensities/churn?format=csv", {}, 404, "unknown-target", "There is no propensity 'churn'."),
    ("GET", "/v1/propensities/reorder?cursor=abc", {}, 400, "invalid-cursor", "Take it from `next_cursor`"),
    (
        "GET",
        "/v1/segments/dormant/customers?limit=0",
        {},
        422,
        "invalid-request",
        "greater than or equal to 1, got '0'",
    ),
    ("GET", "/v1/at-risk?limit=1001", {}, 422, "invalid-request", "less than or equal to 1000, got '1001'"),
    ("GET", f"/v1/at-risk?budget={'9' * 400}", {}, 422, "invalid-request", "query.budget: expected "),
    ("GET", "/v1/at-risk?budget=ten", {}, 422, "invalid-request", "an integer, got 'ten'."),
    ("GET", "/v1/at-risk?format=xml", {}, 422, "invalid-request", "'json', 'csv' or 'ndjson'"),
    ("GET", "/v1/at-risk?cursor=abc", {}, 400, "invalid-cursor", "Take it from `next_cursor`"),
    ("GET", "/v1/at-risk?cursor=%F0%9F%92%A9", {}, 400, "invalid-cursor", "Take it from `next_cursor`"),
    ("GET", "/v1/at-risk?format=csv&cursor=bnVsbA", {}, 400, "invalid-cursor", "Take it from `next_cursor`"),
    (
        "GET",
        "/v1/changes?customer_id=a&since=2026-01-01",
        {},
        422,
        "invalid-request",
        "with its offset from UTC, such as",
    ),
    ("GET", "/v1/changes?customer_id=a&since=then", {}, 422, "invalid-request", "with its offset from UTC, such as"),
    ("GET", "/v1/score?customer_id=", {}, 422, "invalid-request", "1 or more characters, got ''."),
    ("GET", "/v1/score?customer_id=%00", {}, 422, "invalid-request", "text that matches ^"),
    ("GET", "/v1/models/99", {}, 404, "unknown-model", "Versions: 1."),
    ("GET", "/v1/models/latest", {}, 422, "invalid-request", "path.version: expected "),
    ("GET", "/v1/models/9999999999999999999", {}, 422, "invalid-request", "path.version: expected "),
    ("GET", "/v1/training-runs/77", {}, 404, "unknown-run", "There is no training run 77."),
    ("GET", "/v1/scoring-runs/77", {}, 404, "unknown-run", "There is no scoring run 77."),
    ("GET", "/v1/training-runs/99999999999999999999", {}, 422, "invalid-request", "path.run_id: expected "),
    ("POST", "/v1/scores", {}, 422, "invalid-request", "body: expected a value, got nothing."),
    ("POST", "/v1/scores", {"json": []}, 422, "invalid-request", "body: expected "),
    ("POST", "/v1/scores", {"json": {"customer_ids": []}}, 422, "invalid-request", "1 or more entries, got 0."),
    (
        "POST",
        "/v1/scores",
        {"json": {"customer_ids": ["x"] * 1001}},
        422,
        "invalid-request",
        "at most 1,000 entries, got 1,001.",
    ),
    (
        "POST",
        "/v1/scores",
        {"json": {"customer_ids": ["a\0"]}},
        422,
        "invalid-request",
        "body.customer_ids.0: expected",
    ),
    ("POST", "/v1/scores", {"json": {"customer_ids": [1]}}, 422, "invalid-request", "a valid string, got 1."),
    ("POST", "/v1/scores", {"json": {"ids": ["x"]}}, 422, "invalid-request", "body.ids: expected no such part"),
    ("POST", "/v1/training-runs", {"json": {"trials": 0}}, 422, "invalid-request", "body.trials: expected "),
    ("POST", "/v1/training-runs", {"json": {"as_of": "soon"}}, 422, "invalid-request", "body.as_of: expected "),
    ("POST", "/v1/scoring-runs", {"json": {"as_of": "1998-07-01"}}, 422, "invalid-request", "body.as_of: expected "),
    (
        "POST",
        "/v1/scoring-runs",
        {"json": {"as_of": "9998-01-01T00:00:00Z"}},
        422,
        "invalid-request",
        "an instant from 1970-01-02 to 2099-12-31",
    ),
]

BAD_BODIES: list[tuple[bytes, str, int, str]] = [
    (b'{"customer_ids": ["\\ud800"]}', "application/json", 422, "body.customer_ids.0: expected "),
    (b'{"customer_ids": [NaN]}', "application/json", 422, "body.customer_ids.0: expected "),
    (b'{"\\udfff": 1, "customer_ids": ["x"]}', "application/json", 422, "body: expected a valid string"),
    (b'{"customer_ids": ', "application/json", 400, "at character "),
    (b"\xff\xfe\xfa", "application/json", 400, "JSON in UTF-8"),
    (b"[" * 100_000, "application/json", 400, "JSON"),
    (b'{"customer_ids": ' + b"[" * 500 + b"]" * 500 + b"}", "application/json", 422, "body.customer_ids.0: expected "),
    (b'{"customer_ids": ["x"]}', "text/plain", 415, "application/json, got text/plain"),
    (b'{"customer_ids": ["x"]}', "", 415, "application/json, got none"),
    (b'{"customer_ids": ["' + b"x" * 4_100_000 + b'"]}', "application/json", 413, "4,000,000 bytes"),
]


def _problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["instance"] == f"urn:uuid:{UUID(response.headers['x-request-id'])}"
    assert problem["title"]
    assert (problem["type"], problem["detail"]) == (f"urn:regulars:problem:{problem['code']}", problem["message"])
    return problem


@pytest.mark.parametrize(("method", "path", "sent", "status", "kind", "says"), BAD_REQUESTS)
def test_a_bad_request_is_told_what_was_expected(
    shop: Shop, method: str, path: str, sent: dict[str, Any], status: int, kind: str, says: str
) -> None:
    problem = _problem(shop.client.request(method, path, **sent), status)
    assert problem["type"] == f"urn:regulars:problem:{kind}"
    assert says in problem["detail"]
    assert ("errors" in problem) == (kind == "invalid-request")


@pytest.mark.parametrize(("body", "content_type", "status", "says"), BAD_BODIES)
def test_a_bad_body_is_told_what_was_expected(
    shop: Shop, body: bytes, content_type: str, status: int, says: str
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = shop.client.post("/v1/scores", content=body, headers=headers)
    assert says in _problem(response, status)["detail"]


def test_every_invalid_part_says_where_it_stands_what_was_expected_and_what_came(shop: Shop) -> None:
    response = shop.client.post("/v1/training-runs", json={"trials": 0, "seed": "x", "horizon_days": 10**9, "size": 1})
    parts = {part["where"]: part for part in _problem(response, 422)["errors"]}
    assert parts["body.trials"] == {"where": "body.trials", "expected": "greater than or equal to 1", "came": "0"}
    assert parts["body.seed"]["came"] == "'x'"
    assert set(parts) == {"body.trials", "body.seed", "body.horizon_days", "body.size"}


def test_a_method_that_is_not_allowed_names_those_that_are(shop: Shop) -> None:
    response = shop.client.delete("/v1/models")
    assert response.headers["allow"] == "GET"
    assert "Expected GET, got DELETE." in _problem(response, 405)["detail"]


def test_a_browser_gets_errors_as_pages(shop: Shop) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for path, status in (("/nothing", 404), ("/v1/at-risk?limit=0", 422), ("/customer?customer_id=<b>", 404)):
        response = shop.client.get(path, headers={"accept": accept})
        assert response.status_code == status
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert f"Error {status}" in response.text
        assert "&#39;&lt;b&gt;&#39;" in response.text or "<b>" not in path


def test_an_error_that_nobody_foresaw_tells_nothing_of_the_inside(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_session: object) -> None:
        raise RuntimeError("a secret about c000")

    monkeypatch.setattr(registry, "list_versions", break_down)
    response = shop.client.get("/v1/models")
    problem = _problem(response, 500)
    assert problem["type"] == "urn:regulars:problem:unexpected"
    assert "secret" not in response.text
    logged = shop.log.getvalue()
    assert "secret" not in logged
    broke = next(json.loads(line) for line in logged.splitlines() if "request_broke" in line)
    assert (broke["error"], broke["route"]) == ("RuntimeError", "/v1/models")
    assert any("break_down" in place for place in broke["at"])
    assert UUID(broke["request_id"]).urn == problem["instance"]


def test_a_database_that_does_not_answer_is_a_503_to_try_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_session: object) -> None:
        raise OperationalError("SELECT 'c000'", {}, Exception("database is locked"))

    monkeypatch.setattr(registry, "aliases", locked)
    response = shop.client.get("/v1/models")
    problem = _problem(response, 503)
    assert problem["type"] == "urn:regulars:problem:database-unavailable"
    assert response.headers["retry-after"] == "5"
    assert "SELECT" not in response.text


def test_before_the_first_training_scores_say_that_there_is_no_model(
    database_url: str, serve: Callable[..., Shop], tmp_path: Path
) -> None:
    shop = serve(database_url, tmp_path)
    fill(shop.database)
    problem = _problem(shop.client.get(f"/v1/customers/{PROSPECT}/score"), 503)
    assert problem["type"] == "urn:regulars:problem:model-unavailable"
    assert "Run: regulars train" in problem["detail"]
    assert "regulars train" in _problem(shop.client.get("/readyz"), 503)["detail"]
    assert shop.client.get("/livez").json() == {"status": "alive"}
    assert _problem(shop.client.post("/v1/scoring-runs", json={}), 503)
    assert shop.get(f"/v1/customers/{PROSPECT}")["stored_score"] is None
    assert shop.get("/v1/models") == {"models": []}
    html = shop.client.get(f"/customers/{PROSPECT}", headers={"accept": "text/html"})
    assert (html.status_code, "No model has been trained" in html.text) == (200, True)


@pytest.mark.parametrize("path", ["/v1/segments", "/v1/at-risk", "/v1/at-risk?format=csv", "/segments", "/"])
def test_before_the_first_scoring_lists_say_what_to_run(
    database_url: str, serve: Callable[..., Shop], bundles: Bundles, path: str
) -> None:
    shop = serve(database_url, bundles.directory)
    register(shop.database, bundles.first)
    assert "Run: regulars score" in _problem(shop.client.get(path), 409)["detail"]


def test_a_cursor_of_a_run_that_is_gone_says_to_begin_again(shop: Shop) -> None:
    cursor = Cursor(4711, "at_risk", 1.0, 1, 1, 1).encode()
    problem = _problem(shop.client.get("/v1/at-risk", params={"cursor": cursor}), 400)
    assert "Begin again without a cursor" in problem["detail"]


def test_a_database_without_tables_is_refused_at_the_start(serve: Callable[..., Shop], tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="Run: regulars db upgrade"):
        serve(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path)
