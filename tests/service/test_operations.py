"""What those who run the service need: health, request ids, logs without customers, metrics, offline docs."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import pytest
from fastapi.routing import iter_route_contexts
from numpy.typing import NDArray

from models.propensity import PropensityModel
from service.app import create_app
from service.media_types import preferred
from service.routers.tracking import PATHS
from tests.service.conftest import Bundles, Shop
from tests.service.shop import NOW, settings_for


def test_livez_and_readyz_answer(shop: Shop) -> None:
    assert shop.get("/livez") == {"status": "alive"}
    assert shop.get("/readyz") == {"status": "ready", "model_version": 1, "warning": None}


def test_a_request_id_that_is_a_uuid_is_kept_and_any_other_is_replaced(shop: Shop) -> None:
    sent = str(uuid4())
    assert shop.client.get("/livez", headers={"x-request-id": sent}).headers["x-request-id"] == sent
    got = shop.client.get("/livez", headers={"x-request-id": "customer-c000"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", got)


def test_the_log_names_routes_and_request_ids_and_never_a_customer(shop: Shop) -> None:
    shop.client.get("/v1/customers/c007/score")
    shop.client.get("/v1/score", params={"customer_id": "c008"})
    shop.client.get("/customers/c009", headers={"accept": "text/html"})
    shop.client.get("/c010/nothing")
    shop.client.get("/v1/customers/c011secret")
    lines = [json.loads(line) for line in shop.log.getvalue().splitlines()]
    told = [value for line in lines for name, value in line.items() if name != "request_id"]
    assert not re.search(r"c007|c008|c009|c010|c011", str(told))
    routes = [line["route"] for line in lines if line["event"] == "request"][-5:]
    expected = ["/v1/customers/{customer_id}/score", "/v1/score", "/customers/{customer_id}", "none"]
    assert routes == [*expected, "/v1/customers/{customer_id}"]
    assert all(re.fullmatch(r"[0-9a-f]{32}", line["request_id"]) and line["ms"] >= 0 for line in lines[-5:])


def test_metrics_count_by_route_template_and_never_by_customer(shop: Shop) -> None:
    shop.client.get("/v1/customers/c007/score")
    response = shop.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'handler="/v1/customers/{customer_id}/score",method="GET",status="2xx"' in response.text
    assert "process_cpu_seconds_total" in response.text
    assert "c007" not in response.text


def test_what_takes_long_is_computed_beside_the_event_loop_by_one_thread_a_request(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[tuple[int, int]] = []
    contributions = PropensityModel.contributions

    def noting(model: PropensityModel, X: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            pytest.fail("the event loop waits for this")
        computed.append((threading.get_ident(), model.num_threads))
        return contributions(model, X)

    monkeypatch.setattr(PropensityModel, "contributions", noting)
    body = {
        "events": [{"event": "Order Completed", "occurred_at": "2023-12-01T00:00:00Z", "properties": {"revenue": 9}}]
    }
    asks: list[Callable[[], httpx.Response]] = [
        lambda: shop.client.get("/v1/customers/c007/score"),
        lambda: shop.client.post("/v1/scores", json={"customer_ids": [f"c{number:03}" for number in range(50)]}),
        lambda: shop.client.post("/v1/score", json=body),
        lambda: shop.client.post("/v1/customers/c007/what-if", json=body),
        lambda: shop.client.get("/v1/customers/c007/changes", params={"since": "2023-06-01T00:00:00Z"}),
        lambda: shop.client.get("/customers/c007", headers={"accept": "text/html"}),
    ]
    for ask in asks:
        computed.clear()
        answer = ask()
        assert answer.status_code == 200, answer.text
        assert computed, answer.url
        assert len({thread for thread, _ in computed}) == 1
        assert {num_threads for _, num_threads in computed} == {1}


def test_while_a_score_is_computed_the_event_loop_answers_others(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    is_computed, may_go_on = threading.Event(), threading.Event()
    contributions = PropensityModel.contributions

    def slow(model: PropensityModel, X: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        is_computed.set()
        assert may_go_on.wait(30), "nobody else was answered"
        return contributions(model, X)

    with monkeypatch.context() as during, ThreadPoolExecutor(1) as pool:
        during.setattr(PropensityModel, "contributions", slow)
        asked = pool.submit(shop.client.get, "/v1/customers/c007/score")
        assert is_computed.wait(30)
        try:
            assert shop.get("/livez") == {"status": "alive"}
            assert not asked.done()
        finally:
            may_go_on.set()
        assert asked.result(30).status_code == 200


def test_routes_run_in_a_thread_but_those_that_wait_for_others_only(shop: Shop) -> None:
    contexts = iter_route_contexts(shop.client.app.routes)  # type: ignore[attr-defined]
    on_the_loop = {context.path for context in contexts if inspect.iscoroutinefunction(context.endpoint)}
    assert on_the_loop == {"/livez", "/docs", "/redoc", *PATHS}


def test_every_answer_tells_browsers_to_load_nothing_from_elsewhere(shop: Shop) -> None:
    for path in ("/", "/v1/models", "/nothing", "/static/regulars.css"):
        policy = shop.client.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'")
    for path in ("/docs", "/redoc"):
        response = shop.client.get(path)
        assert "default-src 'self'" in response.headers["content-security-policy"]
        assert not re.findall(r"(?:src|href|url)[=:]\s*[\"']https?://", response.text)


def test_two_apps_in_one_process_count_for_themselves(bundles: Bundles, tmp_path: Path) -> None:
    settings = settings_for(f"sqlite:///{tmp_path / 'none.db'}", bundles.directory)
    apps = [create_app(settings, now=lambda: NOW) for _ in range(2)]
    assert apps[0].state is not apps[1].state
    # Composing an app touches nothing: no database was made.
    assert not (tmp_path / "none.db").exists()


def test_without_a_fixed_as_of_a_score_speaks_of_now(own_shop: Shop, serve: object, bundles: Bundles) -> None:
    assert callable(serve)
    live = serve(own_shop.settings.database_url, bundles.directory, as_of=None)
    score = live.get("/v1/customers/c000/score")
    assert score["as_of"] == NOW.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert datetime.fromisoformat(score["as_of"]) == NOW


@pytest.mark.parametrize(
    ("accept", "best"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/html"),
        ("text/html", "text/html"),
        ("application/json;q=0.5, text/html", "text/html"),
        ("text/html;q=0.4, application/json;q=0.5", "application/json"),
        ("text/html;q=broken, */*;q=0.1", "application/json"),
        ("TEXT/HTML", "text/html"),
        ("image/png", "application/json"),
    ],
)
def test_the_media_type_is_the_one_that_the_client_would_rather_have(accept: str | None, best: str) -> None:
    assert preferred(accept, ("application/json", "text/html")) == best
