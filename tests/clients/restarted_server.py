"""A server that is killed, and started again at the address where its clients look for it."""

from __future__ import annotations

import io
import multiprocessing
import socket
import time

import uvicorn

from service.app import create_app
from store.settings import Settings

__all__ = ["RestartedServer"]

_HOST = "127.0.0.1"
# The first one has to import the service.
_SECONDS_TO_START = 60.0


class RestartedServer:
    """A server in a process of its own, at the same address each time; who comes while it is away is refused.

    Each process is forked from one that has imported the service, so that it is there in a moment.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        with socket.socket() as found:
            found.bind((_HOST, 0))
            self._port: int = found.getsockname()[1]
        self.root = f"http://{_HOST}:{self._port}"
        self.start()

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        self._process = self._context.Process(target=_serve, args=(self._settings, self._port), daemon=True)
        self._process.start()

    def wait_until_ready(self) -> None:
        """Wait until it takes connections."""
        end = time.monotonic() + _SECONDS_TO_START
        while True:
            with socket.socket() as trying:
                if trying.connect_ex((_HOST, self._port)) == 0:
                    return
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self._process.join()


def _serve(settings: Settings, port: int) -> None:
    app = create_app(settings, log_to=io.StringIO())
    uvicorn.run(app, host=_HOST, port=port, log_config=None, access_log=False, ws="none")
