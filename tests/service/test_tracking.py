"""Live events over HTTP: what is answered with 200 is stored once, and what can't be taken is told."""

from __future__ import annotations

import errno
import gzip
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from service.app import create_app
from store.api_keys import SEND_EVENTS, create_key, create_source
from store.engine import Database
from store.settings import Settings
from tests.service.conftest import TestClient as Client
from tests.service.shop import NOW, settings_for

AT = (NOW - timedelta(hours=1)).isoformat()
TRACK = {"userId": "ada", "event": "Product Viewed", "messageId": "m1", "timestamp": AT}
MOST_BYTES = 20_000


def count(database: Database, table: str = "event") -> int:
    with database.read() as session:
        return session.scalar(text(f"SELECT count(*) FROM {table}")) or 0


def batch_of(*calls: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"batch": [{"type": "track", **call} for call in calls], **others}


def test_a_call_is_stored_once_however_often_it_comes(client: Client, database: Database) -> None:
    answers = [client.post("/v1/track", json=TRACK).json() for _ in range(3)]
    assert [(answer["stored"], answer["already_there"]) for answer in answers] == [(1, 0), (0, 1), (0, 1)]
    assert client.post("/v1/batch", json=batch_of(TRACK)).json()["already_there"] == 1
    assert count(database) == 1


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("identify", {"userId": "ada", "traits": {"city": "Berlin"}}),
        ("track", TRACK),
        ("page", {"userId": "ada", "name": "API"}),
        ("screen", {"anonymousId": "a1", "name": "Home"}),
        ("group", {"userId": "ada", "groupId": "g1", "traits": {"plan": "pro"}}),
        ("alias", {"userId": "ada", "previousId": "a1"}),
    ],
)
def test_each_kind_of_call_is_answered_with_200(client: Client, path: str, call: dict[str, Any]) -> None:
    answer = client.post(f"/v1/{path}", json=call)
    assert answer.status_code == 200, answer.text
    assert answer.json()["rejected"] == []


def test_bad_calls_of_a_batch_are_named_and_kept_and_the_others_stored(client: Client, database: Database) -> None:
    bad = {"event": "Product Viewed", "messageId": "m2"}
    answer = client.post("/v1/batch", json=batch_of(bad, TRACK, {**TRACK, "event": None, "messageId": "m3"}))
    assert answer.status_code == 200
    assert answer.json()["stored"] == 1
    assert [rejected["index"] for rejected in answer.json()["rejected"]] == [0, 2]
    assert all(rejected["code"] and rejected["message"] for rejected in answer.json()["rejected"])
    assert count(database, "rejected_row") == 2
    client.post("/v1/batch", json=batch_of(bad, TRACK, {**TRACK, "event": None, "messageId": "m3"}))
    assert (count(database), count(database, "rejected_row")) == (1, 2)


def test_a_bad_call_alone_is_a_400_that_says_why(client: Client, database: Database) -> None:
    answer = client.post("/v1/track", json={"userId": "ada"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "event"
    assert answer.json()["message"].startswith("event: ")
    assert count(database) == 0


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_the_body_is_read_whatever_it_is_called(client: Client, database: Database, content_type: str) -> None:
    body = json.dumps(batch_of(TRACK)).encode()
    for content in (body, gzip.compress(body)):
        answer = client.post("/v1/batch", content=content, headers={"content-type": content_type})
        assert answer.status_code == 200, answer.text
    assert count(database) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"[]", "not_an_object"),
        (b"{}", "no_batch"),
        (b"\x1f\x8bnothing", "broken-gzip"),
        (b'{"batch":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too_deep"),
    ],
)
def test_an_unreadable_body_is_a_400(client: Client, content: bytes, code: str) -> None:
    answer = client.post("/v1/batch", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/batch", "/batch/"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_more_bytes_than_are_taken_are_a_413(client: Client, path: str, is_packed: bool) -> None:
    body = json.dumps({**TRACK, "properties": {"text": "x" * MOST_BYTES}}).encode()
    answer = client.post(path, content=gzip.compress(body) if is_packed else body)
    assert (answer.status_code, answer.json()["code"]) == (413, "content-too-large")
    assert f"{MOST_BYTES:,}" in answer.json()["message"]


def test_more_calls_than_are_taken_are_refused_as_a_whole(client: Client, database: Database) -> None:
    answer = client.post("/v1/batch", json=batch_of(*({**TRACK, "messageId": str(i)} for i in range(11))))
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_calls")
    assert count(database) == 0


@pytest.mark.parametrize("path", ["/batch", "/batch/"])
def test_posthogs_batches_are_taken_with_their_key_in_the_body(
    keyless: Client, key: str, database: Database, path: str
) -> None:
    body = {"api_key": key, "batch": [{"event": "Product Viewed", "distinct_id": "ada", "properties": {}}]}
    assert keyless.post(path, json=body).status_code == 200
    assert keyless.post(path, json={**body, "api_key": "rg_none"}).status_code == 401
    assert count(database) == 1


def test_the_write_key_comes_in_the_header_or_in_the_body(keyless: Client, key: str) -> None:
    assert keyless.post("/v1/batch", json=batch_of(TRACK, writeKey=key)).status_code == 200
    assert keyless.post("/v1/batch", json=batch_of(TRACK), auth=(key, "")).status_code == 200
    assert (
        keyless.post("/v1/batch", json=batch_of(TRACK), headers={"authorization": f"Bearer {key}"}).status_code == 200
    )
    assert keyless.post("/v1/batch", json=batch_of(TRACK)).status_code == 401


def test_a_stranger_is_refused_before_the_body_is_read(keyless: Client) -> None:
    answer = keyless.post("/v1/batch", content=b"x" * (10 * MOST_BYTES), auth=("rg_none", ""))
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown-key")


def test_a_locked_database_is_a_503_that_says_when_to_come_again(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as hurried, database.write() as session:
        hurried.setattr("store.ingest.live._LONGEST_WAIT", 0.2)
        if not database.is_sqlite:
            session.execute(text("LOCK TABLE event"))
        answer = client.post("/v1/track", json=TRACK)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert client.post("/v1/track", json=TRACK).json()["stored"] == 1


def test_in_an_open_service_too_a_locked_database_is_a_503(
    opened: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as hurried, database.write() as session:
        hurried.setattr("service.live_ingest._SECONDS_TO_FIND_A_SOURCE", 0.2)
        if not database.is_sqlite:
            session.execute(text("LOCK TABLE source"))
        assert opened.post("/v1/track", json=TRACK).status_code == 503
    assert opened.post("/v1/track", json=TRACK).json()["stored"] == 1


def test_what_the_operating_system_refuses_is_a_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as during:
        during.setattr("store.ingest.live.LiveWriter.write", fails)
        answer = client.post("/v1/track", json=TRACK)
    assert (answer.status_code, answer.json()["code"]) == (503, "ingest-busy")
    assert client.post("/v1/track", json=TRACK).json()["stored"] == 1


def test_metrics_count_what_came_and_what_was_refused(client: Client, admin: httpx.BasicAuth) -> None:
    client.post("/v1/batch", json=batch_of(TRACK, {"event": "x"}))
    shown = client.get("/metrics", auth=admin).text
    assert 'regulars_events_total{result="stored",source="shop"} 1.0' in shown
    assert 'regulars_events_total{result="rejected",source="shop"} 1.0' in shown
    assert "regulars_event_lag_seconds_count 1.0" in shown
    assert "regulars_event_lag_seconds_sum 3600.0" in shown
    assert "regulars_ingest_waiting 0.0" in shown
    assert not re.search(r"\bada\b", shown)


def test_the_log_has_no_id_and_no_key(client: Client, log: io.StringIO, key: str) -> None:
    client.post("/v1/track", json=TRACK)
    client.post("/v1/track", json={"userId": "ada"})
    assert not re.search(r"\bada\b", log.getvalue())
    assert key not in log.getvalue()
    assert "/v1/track" in log.getvalue()


@pytest.fixture
def key(database: Database) -> str:
    with database.write() as session:
        create_source(session, "shop")
        return create_key(session, SEND_EVENTS, source="shop", now=NOW)[0]


@pytest.fixture
def admin(database: Database, key: str) -> httpx.BasicAuth:
    del key  # made first, as the first key is
    with database.write() as session:
        return httpx.BasicAuth(create_key(session, "admin", source=None, now=NOW)[0], "")


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    limits = {"most_bytes_a_call": MOST_BYTES, "most_bytes_a_batch": MOST_BYTES, "most_calls_a_batch": 10}
    return settings_for(url, tmp_path / "bundles").model_copy(
        update={"secret_file": tmp_path / "secret.key", "open": False, **limits}
    )


@pytest.fixture
def keyless(settings: Settings, log: io.StringIO) -> Iterator[Client]:
    app = create_app(settings, now=lambda: NOW, log_to=log)
    with Client(app, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def client(keyless: Client, key: str) -> Client:
    keyless.auth = httpx.BasicAuth(key, "")
    return keyless


@pytest.fixture
def opened(settings: Settings, log: io.StringIO) -> Iterator[Client]:
    app = create_app(settings.model_copy(update={"open": True}), now=lambda: NOW, log_to=log)
    with Client(app, base_url="http://localhost", client=("127.0.0.1", 50_000)) as client:
        yield client
