"""Requests over several connections at once, as fast as they are answered.

Prepared bytes, one thread, no library of HTTP: what is measured is the server. What the client itself takes is told
beside it.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Load", "get", "post", "send_all"]

_MOST_BYTES_AT_ONCE = 1 << 16
_HEAD_ENDS = b"\r\n\r\n"
_LENGTH = b"content-length:"
_OK = b"HTTP/1.1 200 "
_SECONDS_TO_WAIT = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """How requests were answered.

    Attributes
    ----------
    seconds : float
        From the first byte sent to the last one received.
    cpu_seconds : float
        Of the client.
    latencies : float64, one a request
        Seconds, in the order in which they were answered.
    """

    seconds: float
    cpu_seconds: float
    latencies: np.ndarray[tuple[int], np.dtype[np.float64]]


def get(path: str, headers: Sequence[str] = ()) -> bytes:
    """Return the bytes of a request."""
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", "")).encode()


def post(path: str, body: bytes, headers: Sequence[str] = ()) -> bytes:
    """Return the bytes of a request."""
    lines = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *headers)
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


def send_all(port: int, requests: Sequence[bytes], connections: int) -> Load:
    """Send requests to this machine, each connection the next one once it has its answer; all must be answered 200."""
    latencies: list[float] = []
    waiting = iter(requests)
    started, cpu_started = time.perf_counter(), time.process_time()
    with selectors.DefaultSelector() as selector:
        for _ in range(min(connections, len(requests))):
            connection = _Connection(port, waiting)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        while selector.get_map():
            ready = selector.select(_SECONDS_TO_WAIT)
            if not ready:
                raise RuntimeError(f"the server has not answered for {_SECONDS_TO_WAIT:.0f} s; see what it has printed")
            for key, _ in ready:
                connection = key.data
                latencies += connection.receive()
                if connection.is_done:
                    selector.unregister(connection.socket)
                    connection.socket.close()
    return Load(time.perf_counter() - started, time.process_time() - cpu_started, np.array(latencies))


class _Connection:
    """One connection, which sends its first request at once.

    Attributes
    ----------
    socket : socket
    is_done : bool
        Whether all is sent and answered.
    """

    def __init__(self, port: int, waiting: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_SECONDS_TO_WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_done = False
        self._waiting = waiting
        self._received = b""
        self._send_next()

    def receive(self) -> list[float]:
        """Take what has come; return the seconds that an answer took, if one is whole now."""
        part = self.socket.recv(_MOST_BYTES_AT_ONCE)
        if not part:
            raise RuntimeError(f"the server closed a connection after {self._received[:500]!r}")
        self._received += part
        head, ends, body = self._received.partition(_HEAD_ENDS)
        if not ends or len(body) < _length(head):
            return []
        if not head.startswith(_OK):
            raise RuntimeError(f"expected every answer to be 200, got {self._received[:500]!r}")
        took = time.perf_counter() - self._sent_at
        self._received = b""
        self._send_next()
        return [took]

    def _send_next(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self.is_done = True
            return
        self._sent_at = time.perf_counter()
        self.socket.sendall(request)


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(_LENGTH) + len(_LENGTH)
    return int(lowered[start:].partition(b"\r\n")[0])
