"""Who may ask what: every route names a scope, keys come in three ways, and without one nothing is told."""

from __future__ import annotations

import asyncio
import re
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from service.access import Access, Caller, secret_in
from service.exceptions import NoKeyError, ScopeError, TooManyRequestsError, UnknownKeyError
from store.api_keys import SCOPES
from store.engine import Database
from tests.service.conftest import Bundles, Shop
from tests.service.keys import make_keys
from tests.service.test_rate_limit import Clock

FREE = {"/livez", "/readyz"}
CALLS = ("alias", "batch", "group", "identify", "page", "screen", "track")
WEBHOOK_STEPS = ("enable", "replay", "rotate-secret", "test", "deliveries/{delivery_id}/replay")
# What else than reading scores a route is for.
NEEDED = {
    ("GET", "/metrics"): "admin",
    **{(method, "/v1/webhooks"): "admin" for method in ("GET", "POST")},
    **{(method, "/v1/webhooks/{webhook_id}"): "admin" for method in ("GET", "DELETE")},
    **{("POST", f"/v1/webhooks/{{webhook_id}}/{what}"): "admin" for what in WEBHOOK_STEPS},
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"): "admin",
    ("GET", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}"): "admin",
    ("POST", "/v1/campaigns/{campaign_id}/adopt"): "admin",
    **{("POST", path): "contacts:write" for path in ("/v1/contacts", "/v1/campaigns")},
    **{("POST", f"/v1/campaigns/{{campaign_id}}/{what}"): "contacts:write" for what in ("assignments", "effect")},
    ("POST", "/v1/training-runs"): "admin",
    ("POST", "/v1/scoring-runs"): "admin",
    ("DELETE", "/v1/customers"): "customers:erase",
    ("DELETE", "/v1/customers/{customer_id}"): "customers:erase",
    ("GET", "/v1/customers/{customer_id}/export"): "customers:erase",
    ("GET", "/v1/export"): "customers:erase",
    **{("POST", path): "events:write" for path in ("/batch", "/batch/", *(f"/v1/{call}" for call in CALLS))},
}
MAY = {
    "events:write": {"events:write"},
    "scores:read": {"scores:read"},
    "customers:erase": {"customers:erase"},
    "contacts:write": {"contacts:write"},
    "admin": {"scores:read", "contacts:write", "customers:erase", "admin"},
}


def _basic(user: str, password: str = "") -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """That keys are found on either engine the store sees to; one is enough here."""
    path = tmp_path / "keys.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def closed(database_url: str, serve: Callable[..., Shop], bundles: Bundles) -> tuple[Shop, dict[str, str]]:
    """A service with keys, and the keys by scope."""
    shop = serve(database_url, bundles.directory, open=False)
    return shop, make_keys(shop.database)


def _routes(shop: Shop) -> list[tuple[str, str]]:
    """Method and path of every route, all but the folders of static files."""
    contexts = [context for context in iter_route_contexts(shop.client.app.routes) if context.path is not None]  # type: ignore[attr-defined]
    assert {context.path for context in contexts if not isinstance(context.original_route, APIRoute)} == {
        "/static",
        "/static-offline-docs",
    }
    return [
        (method, str(context.path))
        for context in contexts
        if isinstance(context.original_route, APIRoute)
        for method in context.methods or ()
    ]


def _needed(method: str, path: str) -> str:
    return NEEDED.get((method, path), "scores:read")


def test_every_route_but_those_of_health_asks_for_a_key(closed: tuple[Shop, dict[str, str]]) -> None:
    shop, _ = closed
    routes = _routes(shop)
    assert {("GET", "/"), ("GET", "/docs"), ("GET", "/openapi.json"), ("POST", "/v1/scores")} <= set(routes)
    for method, path in routes:
        response = shop.client.request(method, re.sub(r"{.*?}", "1", path))
        assert (response.status_code == 401) == (path not in FREE), (method, path, response.text)
        if response.status_code == 401:
            assert response.headers["www-authenticate"] == 'Basic realm="Regulars"'
            assert response.json()["code"] == "key-needed"
            assert f"a key with the scope {_needed(method, path)}," in response.json()["message"]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_the_routes_of_its_scope_and_no_other(closed: tuple[Shop, dict[str, str]], scope: str) -> None:
    shop, secrets = closed
    headers = {"authorization": f"Bearer {secrets[scope]}"}
    for method, path in _routes(shop):
        if path in FREE:
            continue
        response = shop.client.request(method, re.sub(r"{.*?}", "1", path), headers=headers)
        assert response.status_code != 401, (method, path)
        refused = response.status_code == 403
        assert refused == (_needed(method, path) not in MAY[scope]), (method, path, response.text)
        if refused:
            assert response.json()["code"] == "wrong-scope"
            assert response.json()["detail"].endswith(f"the one that came has {scope}.")


def test_the_document_names_the_scope_of_each_route(shop: Shop) -> None:
    document = shop.get("/openapi.json")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scope = _needed(method.upper(), path)
            expected = [] if path in FREE else [{"basic": [scope]}, {"bearer": [scope]}]
            assert operation.get("security", []) == expected, (method, path)
            assert path in FREE or {"401", "403", "429"} <= set(operation["responses"]), (method, path)


def test_a_key_comes_as_user_name_as_password_or_as_bearer(closed: tuple[Shop, dict[str, str]]) -> None:
    shop, secrets = closed
    secret = secrets["scores:read"]
    for sent in (_basic(secret), _basic(secret, "x"), _basic("anna", secret), _basic("", secret), f"bearer {secret}"):
        assert shop.client.get("/v1/models", headers={"authorization": sent}).status_code == 200, sent
    for sent in ("", secret, "Basic", "Basic !", "Basic /w==", _basic(""), "Bearer ", f"Digest {secret}"):
        response = shop.client.get("/v1/models", headers={"authorization": sent})
        assert (response.status_code, response.json()["code"]) == (401, "key-needed"), sent
    for sent in (_basic(secret[:-1]), _basic("anna", "x"), "Bearer rg_none", "Bearer \xff"):
        response = shop.client.get("/v1/models", headers={"authorization": sent.encode("latin-1")})
        assert (response.status_code, response.json()["code"]) == (401, "unknown-key"), sent


def test_a_browser_is_told_to_ask_for_a_key_on_a_page_and_shows_what_is_asked_for_with_it(
    closed: tuple[Shop, dict[str, str]],
) -> None:
    shop, secrets = closed
    accept = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    refused = shop.client.get("/models", headers=accept)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Basic realm="Regulars"')
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert "A key is needed" in refused.text
    # What the page of the error itself looks like needs no key.
    assert shop.client.get("/static/regulars.css").status_code == 200
    shown = shop.client.get("/models", headers=accept, auth=("anna", secrets["scores:read"]))
    assert (shown.status_code, "Models" in shown.text) == (200, True)


def test_a_key_that_asks_too_often_is_told_when_to_come_again_and_others_are_not(
    database_url: str, serve: Callable[..., Shop], bundles: Bundles
) -> None:
    shop = serve(database_url, bundles.directory, open=False, requests_per_second_per_key=0.05)
    secrets = make_keys(shop.database)
    asking = [shop.client.get("/v1/models", auth=(secrets["scores:read"], "")) for _ in range(2)]
    assert [response.status_code for response in asking] == [200, 429]
    assert asking[1].headers["retry-after"] == "20"
    assert asking[1].json()["code"] == "too-many-requests"
    assert asking[1].json()["detail"] == "More requests came than may. Send it again in 20 s."
    assert shop.client.get("/v1/models", auth=(secrets["admin"], "")).status_code == 200
    assert shop.client.get("/livez").status_code == 200


def test_neither_keys_nor_addresses_are_logged_or_counted(closed: tuple[Shop, dict[str, str]]) -> None:
    shop, secrets = closed
    for secret in (*secrets.values(), "rg_guess"):
        for sent in (_basic(secret), _basic("anna", secret), f"Bearer {secret}"):
            shop.client.get("/v1/models", headers={"authorization": sent})
    told = shop.log.getvalue() + shop.client.get("/metrics", auth=(secrets["admin"], "")).text
    assert "/v1/models" in told
    for secret in (*secrets.values(), "rg_guess"):
        assert secret[:9] not in told
        assert _basic(secret).split()[1] not in told
    assert "testclient" not in told
    assert "anna" not in told


def test_an_open_service_closes_when_the_first_key_is_made_whatever_the_settings_say(
    database_url: str, serve: Callable[..., Shop], bundles: Bundles
) -> None:
    before = serve(database_url, bundles.directory)
    assert before.client.get("/v1/models").status_code == 200
    make_keys(before.database)
    after = serve(database_url, bundles.directory)
    assert after.client.get("/v1/models").status_code == 401


class Door:
    """The access to a database, beside a clock that stands still."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.clock = Clock()
        self.access = Access(
            database, clock=self.clock, **({"may_be_open": False, "requests_per_second": 100.0} | options)
        )

    def admit(self, secret: str | None, scope: str = "scores:read", address: str | None = "10.0.0.1") -> Caller:
        """Ask once."""
        return asyncio.run(self.access.admit(secret, scope, address=address))


def test_who_sends_events_does_it_for_the_source_of_the_key(database: Database) -> None:
    secrets = make_keys(database)
    caller = Door(database).admit(secrets["events:write"], "events:write")
    assert (caller.scope, caller.source) == ("events:write", "web")
    assert caller.source_id is not None
    with pytest.raises(ScopeError, match="Expected a key with the scope events:write; the one that came has admin"):
        Door(database).admit(secrets["admin"], "events:write")


def test_in_a_service_that_may_be_open_nobody_needs_a_key_until_there_is_one(database: Database) -> None:
    door = Door(database, may_be_open=True)
    assert door.admit(None, "admin") == Caller(None, "admin", None, None)
    assert door.admit("whatever", "events:write") == Caller(None, "events:write", None, None)
    secrets = make_keys(database)
    door.clock.seconds += 5
    with pytest.raises(NoKeyError, match="Expected a key with the scope admin"):
        door.admit(None, "admin")
    assert door.admit(secrets["admin"], "admin").key_id is not None


def test_without_any_key_a_service_that_may_not_be_open_lets_nobody_in(database: Database) -> None:
    with pytest.raises(NoKeyError, match="Make one with: regulars keys create"):
        Door(database).admit(None)


def test_whoever_tries_secrets_is_slowed_by_address_and_no_key_that_is_known_is(database: Database) -> None:
    secrets = make_keys(database)
    door = Door(database)
    known = door.admit(secrets["admin"])
    for number in range(20):
        with pytest.raises(UnknownKeyError, match="The key that came is none, or was revoked"):
            door.admit(f"rg_{number}")
    with pytest.raises(TooManyRequestsError, match="Send it again in 1 s"):
        door.admit("rg_20")
    with pytest.raises(TooManyRequestsError, match="Send it again in 1 s"):
        door.admit("rg_1")
    assert door.admit(secrets["admin"]) == known
    with pytest.raises(UnknownKeyError, match="was revoked"):
        door.admit("rg_20", address="10.0.0.2")
    door.clock.seconds += 10  # the key is not remembered any more, but that it was one is
    for number in range(20):
        with pytest.raises(UnknownKeyError, match="was revoked"):
            door.admit(f"rg_again_{number}")
    assert door.admit(secrets["admin"]) == known


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic ====", "Basic YQ", "Bearer", "Token rg_a", "Basic Og=="])
def test_a_header_without_a_secret_brings_none(header: str | None) -> None:
    assert secret_in(header) is None
