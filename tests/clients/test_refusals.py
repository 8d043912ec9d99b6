"""A client that is refused with 429 and 503 comes again with the same, compressed as before, and it is stored once."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access import secret_in
from service.app import create_app
from service.clock import utc_now
from service.errors import error_response
from service.exceptions import TooManyRequestsError
from store.engine import Database
from store.exceptions import QueueFullError
from tests.clients.senders import CLIENTS, Sending, clients_here, require, send_at_once
from tests.clients.shop import empty_shop, make_keys, stored_numbers, views
from tests.service.live import serving

N = 30


class Seen(NamedTuple):
    """What was answered to a request, and how its body was encoded."""

    status: int
    encoding: str | None


class Refusing:
    """Refuses the first request of each key with 429, and loses the answer to the second one: 503 though it is stored.

    Attributes
    ----------
    seen : dict of list of Seen
        In order, by key; those that bring theirs in the body share `None`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.seen: dict[str | None, list[Seen]] = defaultdict(list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        seen = self.seen[secret_in(headers.get("authorization"))]
        encoding = headers.get("content-encoding")
        if not seen:
            seen.append(Seen(429, encoding))
            await self._refuse(TooManyRequestsError(1), scope, receive, send)
        elif len(seen) == 1:
            seen.append(Seen(503, encoding))
            await self._app(scope, receive, _to_nobody)
            await self._refuse(QueueFullError("Too much waits."), scope, receive, send)
        else:
            seen.append(Seen(200, encoding))
            await self._app(scope, receive, send)

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        response = error_response(error, accept=None)
        # As the service answers, but for a shorter wait.
        response.headers["Retry-After"] = "1"
        await response(scope, receive, send)


async def _to_nobody(_: Message) -> None:
    """Take an answer that gets lost."""


class Delivered(NamedTuple):
    """What came of it, by client."""

    numbers: Mapping[str, list[int]]
    seen: Mapping[str, list[Seen]]


@pytest.fixture(scope="module")
def delivered(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    settings = empty_shop(sqlite_template, tmp_path_factory.mktemp("refused"))
    with closing(Database(settings.database_url)) as database:
        keys = make_keys(database, clients_here())
    refusing = Refusing(create_app(settings, now=utc_now, log_to=io.StringIO()))
    with serving(refusing) as root:
        send_at_once({name: Sending(root, key, views(name, N), compressed=True) for name, key in keys.items()})
    by_name = {name: refusing.seen[key if key in refusing.seen else None] for name, key in keys.items()}
    return Delivered(stored_numbers(settings.database_url), by_name)


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_refused_comes_again_and_is_stored_once(client: str, delivered: Delivered) -> None:
    require(client)
    statuses = [status for status, _ in delivered.seen[client]]
    assert statuses[:2] == [429, 503]
    assert set(statuses[2:]) == {200}
    assert delivered.numbers[client] == list(range(N))


@pytest.mark.parametrize("client", CLIENTS)
def test_what_can_be_compressed_is(client: str, delivered: Delivered) -> None:
    require(client)
    encodings = {encoding for _, encoding in delivered.seen[client]}
    assert encodings == ({None} if client == "segment-node" else {"gzip"})
