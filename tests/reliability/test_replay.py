"""The same facts at once or a year later, by requests and by a file: stored once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from store.api_keys import SEND_EVENTS, create_key, create_source
from store.engine import Database
from store.ingest import ingest_events
from store.settings import Settings
from tests.reliability.senders import post
from tests.reliability.server_process import settings_in
from tests.reliability.told_calls import Call, csv_of, mapping_of
from tests.service.live import live
from tests.store.ingest.stored import stored_attributes, stored_events, stored_lines

_MONTH = datetime(2024, 5, 1, tzinfo=UTC)
_DAYS, _CALLS_A_DAY = 30, 40
_THREADS = 10
_YEAR = timedelta(days=365)


class _Service:
    """A server over an empty database, whose clock can be set.

    Attributes
    ----------
    now : datetime
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self.now = _MONTH
        self.root = ""
        self.database = database
        self.settings = settings
        with database.write() as session:
            create_source(session, "shop")
            self._key, _ = create_key(session, SEND_EVENTS, source="shop", now=_MONTH)

    def send(self, calls: Sequence[Call]) -> tuple[int, int]:
        """Send a batch; return how many calls were stored, and how many were there already."""
        body = json.dumps({"batch": calls}).encode()
        with closing(HTTPConnection(str(urlsplit(self.root).netloc), timeout=20)) as connection:
            answer = post(connection, "/v1/batch", body, self._key)
        assert (answer.status, answer.content["rejected"]) == (200, [])
        return answer.content["stored"], answer.content["already_there"]


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Iterator[_Service]:
    url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    service = _Service(database, settings_in(tmp_path, url))
    with live(service.settings, now=lambda: service.now) as service.root:
        yield service


def test_what_comes_ten_times_at_once_or_a_year_later_or_by_a_file_is_stored_once(
    service: _Service, tmp_path: Path
) -> None:
    calls = [_call(number) for number in range(_DAYS * _CALLS_A_DAY)]
    days = [calls[start : start + _CALLS_A_DAY] for start in range(0, len(calls), _CALLS_A_DAY)]
    _send_at_once(service, days[0])
    for number, day in enumerate(days[1:], start=1):
        service.now = _sent_at(number)
        assert service.send(day) == (_CALLS_A_DAY, 0)
    stored = _stored(service.database)
    assert len(stored[0]) == len(calls) - sum(call["type"] == "identify" for call in calls)
    service.now += _YEAR
    # In batches that are cut otherwise.
    again = [service.send(calls[start : start + 250]) for start in range(0, len(calls), 250)]
    assert [sum(counts) for counts in zip(*again, strict=True)] == [0, len(calls)]
    assert _stored(service.database) == stored
    events = [call for call in calls if call["type"] == "track"]
    file = tmp_path / "year.csv"
    file.write_text(csv_of(events), encoding="utf-8")
    report = ingest_events(service.database, service.settings, file, mapping_of("shop"), received_at=service.now)
    assert (report.stored, report.rejected_by_code) == (0, {})
    assert _stored(service.database) == stored


def _send_at_once(service: _Service, day: Sequence[Call]) -> None:
    service.now = _sent_at(0)
    with ThreadPoolExecutor(_THREADS) as pool:
        counts = sorted(pool.map(service.send, [day] * _THREADS))
    assert counts == [(0, len(day))] * (_THREADS - 1) + [(len(day), 0)]


def _call(number: int) -> dict[str, Any]:
    """Return a call of a month: mostly views, every tenth an order, and every hundredth tells who a visitor is."""
    at, sent_at = _MONTH + timedelta(days=1) / _CALLS_A_DAY * number, _sent_at(number // _CALLS_A_DAY)
    instants = {"timestamp": at.isoformat(), "sentAt": sent_at.isoformat()}
    call = {"messageId": f"m{number}", "userId": f"c{number % 17}", **instants}
    if number % 100 == 99:
        return call | {"type": "identify", "anonymousId": f"v{number % 13}", "traits": {"plan": f"p{number}"}}
    if number % 10:
        visitor = {"userId": f"v{number % 13}"} if number % 3 else {}
        return call | visitor | {"type": "track", "event": "Product Viewed", "properties": {"value": number % 7}}
    products = [{"product_id": f"p{number % part}", "quantity": part, "price": 2.5} for part in (2, 3)]
    properties = {"order_id": f"o{number}", "products": products}
    return call | {"type": "track", "event": "Order Completed", "properties": properties}


def _sent_at(day: int) -> datetime:
    """Return the end of a day of the month, when all that was done on it is sent."""
    return _MONTH + timedelta(days=day + 1)


def _stored(database: Database) -> tuple[list[Any], ...]:
    return stored_events(database), stored_lines(database), stored_attributes(database)
