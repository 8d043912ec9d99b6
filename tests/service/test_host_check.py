"""Which requests may come from elsewhere, and that a service without keys answers none of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.datastructures import Headers

from service.host_check import what_is_foreign
from store.api_keys import create_key
from tests.service.conftest import Bundles, Shop
from tests.service.shop import NOW

OWN = [
    {"host": "localhost"},
    {"host": "LocalHost:8000"},
    {"host": "127.0.0.1:8000"},
    {"host": "[::1]:8000"},
    {"host": "127.0.0.5"},
    {"host": "localhost:8000", "origin": "http://localhost:8000"},
    {"host": "localhost:8000", "origin": "http://127.0.0.1:3000"},
    {"host": "127.0.0.1", "origin": "https://[::1]"},
]
FOREIGN = [
    ({}, "Host"),
    ({"host": ""}, "Host"),
    ({"host": "shop.example"}, "Host"),
    ({"host": "localhost.shop.example:8000"}, "Host"),
    ({"host": "localhost@shop.example"}, "Host"),
    ({"host": "127.0.0.1.shop.example"}, "Host"),
    ({"host": "192.168.1.7:8000"}, "Host"),
    ({"host": "0.0.0.0"}, "Host"),  # noqa: S104  # what is refused
    ({"host": "[::2]"}, "Host"),
    ({"host": "2130706433"}, "Host"),
    ({"host": "localhost", "origin": "null"}, "Origin"),
    ({"host": "localhost", "origin": ""}, "Origin"),
    ({"host": "localhost", "origin": "https://shop.example"}, "Origin"),
    ({"host": "localhost", "origin": "http://localhost.shop.example"}, "Origin"),
    ({"host": "localhost", "origin": "file://localhost"}, "Origin"),
    ({"host": "localhost", "origin": "http://localhost/path"}, "Origin"),
    ({"host": "localhost", "forwarded": "for=10.0.0.1"}, "Forwarded"),
    ({"host": "localhost", "x-forwarded-for": "127.0.0.1"}, "X-Forwarded-For"),
    ({"host": "localhost", "X-Forwarded-Anything": ""}, "X-Forwarded-Anything"),
]


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_a_request_of_this_machine_for_it_is_not_foreign(headers: dict[str, str]) -> None:
    assert what_is_foreign(Headers(headers)) is None


@pytest.mark.parametrize(("headers", "told"), FOREIGN, ids=str)
def test_a_request_that_may_come_from_elsewhere_is_told_by_its_header(headers: dict[str, str], told: str) -> None:
    assert what_is_foreign(Headers(headers)) == told


def test_of_two_hosts_both_count() -> None:
    assert what_is_foreign(Headers(raw=[(b"host", b"localhost"), (b"host", b"shop.example")])) == "Host"


@pytest.mark.parametrize("path", ["/v1/models", "/livez", "/metrics", "/static/regulars.css", "/nothing"])
def test_a_service_without_keys_refuses_what_may_come_from_elsewhere_whatever_it_asks(shop: Shop, path: str) -> None:
    for headers in ({"host": "shop.example"}, {"origin": "https://shop.example"}, {"x-forwarded-for": "10.0.0.1"}):
        response = shop.client.get(path, headers=headers)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (403, "foreign-request")
        assert "Make keys, and it answers whoever has one: regulars keys create" in problem["detail"]
        assert "shop.example" not in response.text
    assert shop.client.get(path).status_code in (200, 404)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_service_with_keys_answers_by_any_name_and_behind_a_proxy(
    database_url: str, serve: Callable[..., Shop], bundles: Bundles
) -> None:
    shop = serve(database_url, bundles.directory)
    with shop.database.write() as session:
        secret, _ = create_key(session, "scores:read", source=None, now=NOW)
    headers = {
        "host": "shop.example",
        "origin": "https://shop.example",
        "x-forwarded-for": "10.0.0.1",
        "authorization": f"Bearer {secret}",
    }
    assert shop.client.get("/v1/models", headers=headers).status_code == 200
