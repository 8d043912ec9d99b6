"""A server that is killed and started again while clients send to it: every event is delivered, and stored once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from store.engine import Database
from tests.clients.restarted_server import RestartedServer
from tests.clients.senders import CLIENTS, Sending, clients_here, require, send_at_once
from tests.clients.shop import empty_shop, make_keys, stored_numbers, views

N, PAUSE = 100, 0.05
SECONDS_AWAY = 0.5
_SECONDS_TO_STORE = 30.0


@pytest.fixture(scope="module")
def delivered(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[int]]:
    """The numbers that are stored in the end, by client."""
    settings = empty_shop(sqlite_template, tmp_path_factory.mktemp("restarted"))
    url = settings.database_url
    with closing(Database(url)) as database:
        keys = make_keys(database, clients_here())
    server = RestartedServer(settings)
    try:
        server.wait_until_ready()
        sendings = {
            name: Sending(server.root, key, views(name, N), compressed=False, pause=PAUSE) for name, key in keys.items()
        }
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send_at_once, sendings)
            _wait_until_all_deliver(url, keys)
            server.kill()
            time.sleep(SECONDS_AWAY)
            server.start()
            sending.result()
    finally:
        server.kill()
    return stored_numbers(url)


def _wait_until_all_deliver(url: str, clients: Iterable[str]) -> None:
    end = time.monotonic() + _SECONDS_TO_STORE
    stored: Mapping[str, list[int]] = {}
    while not all(stored.get(client) for client in clients):
        assert time.monotonic() < end, f"Expected events of each client; only these sent any: {sorted(stored)}"
        time.sleep(0.05)
        stored = stored_numbers(url)
    done = [client for client in clients if len(stored[client]) == N]
    assert done == [], "these had nothing left to send when the server was to be killed"


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_sent_while_the_server_is_killed_and_started_is_stored_once(
    client: str, delivered: Mapping[str, list[int]]
) -> None:
    require(client)
    assert delivered[client] == list(range(N))
