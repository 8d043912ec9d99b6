"""A real server on loopback, for tests that need one: a browser, and requests that no client of ours would send."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from service.app import create_app
from service.clock import Clock
from store.settings import Settings
from tests.service.shop import NOW

__all__ = ["live", "serving"]

_SECONDS_TO_START = 30


@contextmanager
def live(settings: Settings, now: Clock = lambda: NOW) -> Iterator[str]:
    """Serve what a database holds; yields the root address."""
    with serving(create_app(settings, now=now, log_to=io.StringIO())) as root:
        yield root


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an app in a thread, on a port that the system chooses; yields the root address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + _SECONDS_TO_START
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise AssertionError("the server did not start")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
