"""A web server in a process of its own, on loopback, and what it takes."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

__all__ = ["ServerProcess", "serving"]

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_SECONDS_TO_STOP = 20


class ServerProcess:
    """A server that runs.

    Parameters
    ----------
    pid, port : int
    """

    def __init__(self, pid: int, port: int) -> None:
        self.port = port
        self._folder = Path(f"/proc/{pid}")

    def cpu_seconds(self) -> float:
        """Return the processor time that all its threads have taken so far."""
        # What stands before the last parenthesis is the name, which may hold anything.
        _, _, fields = (self._folder / "stat").read_text().rpartition(")")
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / _TICKS_A_SECOND

    def written_bytes(self) -> int:
        """Return the bytes that it has written into files so far."""
        return self._number("io", "wchar")

    def peak_bytes(self) -> int:
        """Return the most memory that it has held."""
        return 1024 * self._number("status", "VmHWM")

    def _number(self, file: str, name: str) -> int:
        lines = (self._folder / file).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@contextmanager
def serving(make_app: Callable[..., Any], *arguments: object) -> Iterator[ServerProcess]:
    """Serve an app by one worker of uvicorn, as it is set up by default and without a log of accesses.

    Parameters
    ----------
    make_app : callable
        A function at the top of a module, called in the server's process.
    *arguments
        Anything that pickles.
    """
    # Named, since asyncio sends at once (TCP_NODELAY) only through sockets that name their protocol.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        # Whoever connects before the server is up waits for it.
        listening.listen()
        port = listening.getsockname()[1]
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(listening, make_app, arguments))
        process.start()
    assert process.pid is not None
    try:
        yield ServerProcess(process.pid, port)
    finally:
        process.terminate()
        process.join(_SECONDS_TO_STOP)
        process.kill()
        process.join()


def _serve(listening: socket.socket, make_app: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    config = uvicorn.Config(make_app(*arguments), log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listening])
