"""Servers in processes of their own, which can be killed, each there again in a moment.

Importing the service takes seconds, and its first request another one, since routes and compiled code are made ready
then. So one process, the nursery, does all that once and forks servers: processes as any other, each of which opens the
database for itself, and none of which anybody misses when it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from service.app import create_app
from store.api_keys import SEND_EVENTS, create_key, find_or_create_source
from store.engine import Database
from store.ingest.live_requests import PreparedRequest
from store.settings import Settings
from tests.service.shop import NOW, settings_for
from tests.store.ingest.live_requests import order, request

__all__ = ["HOST", "ServerProcess", "make_key", "serving", "settings_in", "start_server"]

HOST = "127.0.0.1"
_SECONDS_TO_BEGIN = 60.0
_SECONDS_TO_END = 20.0
_MOST_WAITING_CONNECTIONS = 64


class ServerProcess:
    """A server on loopback; requests that come while it starts wait until it has.

    Attributes
    ----------
    pid, port : int
    """

    def __init__(self, pid: int, port: int, to_nursery: Connection) -> None:
        self.pid = pid
        self.port = port
        self._to_nursery = to_nursery

    def kill(self) -> None:
        """End it as the kernel does when memory runs out, without a chance to do anything more; return once it has."""
        self._end_by(signal.SIGKILL)

    def end(self) -> None:
        """End it as an operator does; return once it has."""
        self._end_by(signal.SIGTERM)

    def peak_bytes(self) -> int:
        """Return the most memory that it has held since it began, or since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def forget_peak(self) -> None:
        """Let the peak begin anew with what is held now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def _end_by(self, number: int) -> None:
        os.kill(self.pid, number)
        self._to_nursery.send(self.pid)
        assert self._to_nursery.poll(_SECONDS_TO_END), "the server did not end"
        self._to_nursery.recv()


def start_server(settings: Settings, log: Path) -> ServerProcess:
    """Start a server, which adds to a log."""
    to_nursery = _nursery()
    to_nursery.send((settings, log))
    assert to_nursery.poll(_SECONDS_TO_BEGIN), "the server did not begin"
    pid, port = to_nursery.recv()
    return ServerProcess(pid, port, to_nursery)


@contextmanager
def serving(settings: Settings, log: Path) -> Iterator[ServerProcess]:
    """Start a server, and end it after the body."""
    server = start_server(settings, log)
    try:
        yield server
    finally:
        server.end()


def settings_in(folder: Path, database_url: str, **others: Any) -> Settings:
    """Return the settings of servers that keep all that is their own in a folder."""
    return settings_for(database_url, folder / "bundles", secret_file=folder / "secret.key", **others)


def make_key(database: Database) -> str:
    """Make a key to send events in the name of the source `shop`; returns the secret."""
    with database.write() as session:
        find_or_create_source(session, "shop")
        return create_key(session, SEND_EVENTS, source="shop", now=NOW)[0]


@cache
def _nursery() -> Connection:
    """Begin the nursery of this process; it ends with it."""
    # Not forked from this process itself, which may have databases open and threads at work.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe()
    context.Process(target=_nurse, args=(theirs,), daemon=True).start()
    theirs.close()
    return ours


def _nurse(asked: Connection) -> None:
    """Fork a server for all settings that come, and wait for the end of each that is named, until nobody asks."""
    PreparedRequest.of(request(order("ada", "o1", "pen")))
    composed_of: tuple[Settings, Path] | None = None
    with ExitStack() as stack:
        while (told := _next(asked)) is not None:
            if isinstance(told, int):
                os.waitpid(told, 0)
                asked.send(None)
                continue
            if told != composed_of:
                composed_of = settings, log = told
                log_to = stack.enter_context(log.open("a", encoding="utf-8"))
                # What a server says that can't start goes there too.
                os.dup2(log_to.fileno(), 2)
                app = create_app(settings, log_to=log_to)
                _make_routes_ready(app)
            asked.send(_fork_server(app, asked))


def _next(asked: Connection) -> tuple[Settings, Path] | int | None:
    try:
        told: tuple[Settings, Path] | int = asked.recv()
    except EOFError:
        return None
    return told


def _fork_server(app: FastAPI, asked: Connection) -> tuple[int, int]:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        # Here and not by the server: whoever comes before that is ready waits, instead of being refused.
        listening.listen(_MOST_WAITING_CONNECTIONS)
        pid = os.fork()
        if pid == 0:
            asked.close()
            config = uvicorn.Config(app, log_config=None, access_log=False, ws="none")
            uvicorn.Server(config).run([listening])
            os._exit(0)
        return pid, listening.getsockname()[1]


def _make_routes_ready(app: FastAPI) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(scope)
