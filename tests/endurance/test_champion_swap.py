"""Champions exchanged 60 times under load of `regulars serve --processes 2`; `SWAPS` says how often."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.engine import Database
from store.settings import Settings
from tests.reliability.champion_swap import swap_under_load
from tests.reliability.scored_shop import store_shop
from tests.service.shop import AS_OF

SWAPS = int(os.environ.get("SWAPS", "60"))
SECONDS_TO_START = 240


def test_two_processes_take_every_champion_up_at_once(database_url: str, tmp_path: Path) -> None:
    settings = store_shop(database_url, tmp_path, models=2)
    with _served(settings, tmp_path) as port:
        database = Database(database_url)
        began = time.monotonic()
        found = swap_under_load(database, settings, [port], swaps=SWAPS)
        seconds = time.monotonic() - began
        engine = "SQLite" if database.is_sqlite else "PostgreSQL"
        database.close()
    print(f"{engine}: {found} in {seconds:.0f} s")  # noqa: T201
    assert (found.not_2xx, found.mixed, found.not_whole) == (0, 0, 0)
    assert found.versions == {1, 2}


@contextmanager
def _served(settings: Settings, folder: Path) -> Iterator[int]:
    """Serve with the command, as an operator does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "REGULARS_DATABASE_URL": settings.database_url,
        "REGULARS_BUNDLE_DIR": str(settings.bundle_dir),
        "REGULARS_AS_OF": AS_OF.isoformat(),
        "REGULARS_OPEN": "1",
        "REGULARS_PORT": str(port),
        "REGULARS_LOG_FORMAT": "json",
    }
    with (folder / "serve.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--processes", "2", "--no-worker"],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_ready(port)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _wait_until_ready(port: int) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    raise AssertionError("the server did not start")
