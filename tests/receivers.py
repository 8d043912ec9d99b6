"""Receivers of webhooks on loopback, which answer as they are told to, well or badly."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

__all__ = ["Handler", "Received", "Receiver", "Reply", "receiver", "reply", "says", "unused_port"]


@dataclass(frozen=True)
class Received:
    """A request that came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """Return what it says, once the package of the specification has verified it."""
        return Webhook(secret).verify(self.body, dict(self.headers))


Reply = Callable[["Handler"], None]


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    """Return what answers with a status."""

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def says(text: bytes) -> Reply:
    """Return what answers with any bytes, and closes."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(text)

    return answer


class Receiver:
    """A server that keeps what comes.

    Parameters
    ----------
    port : int
        0 for any that is free.
    tls : ssl.SSLContext, optional
    before : Receiver, optional
        One that was closed, in whose place this one goes on.

    Attributes
    ----------
    url : str
    received : list of Received
    answer : callable
        Takes the request's number, from 0, and what was received; returns the reply. May be set anew at any time.
    secret : str or None
        By which what comes is verified as it comes, since the package takes nothing that is older than five minutes.
    forged : list of str
        What was wrong with what could not be verified.
    done : Event
        Set when the test ends, for whoever would go on for ever.
    """

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None, *, before: Receiver | None = None) -> None:
        self.received: list[Received] = [] if before is None else before.received
        self.answer: Callable[[int, Received], Reply] = (
            (lambda _number, _received: reply(200)) if before is None else before.answer
        )
        self.secret: str | None = None if before is None else before.secret
        self.forged: list[str] = [] if before is None else before.forged
        self.done = Event()
        self.mutex = Lock()
        self._server = _Server(("127.0.0.1", port), Handler)
        self._server.owner = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}/hooks"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def ids(self) -> list[str]:
        """Message ids, as they came."""
        return [each.message_id for each in self.received]

    def close(self) -> None:
        self.done.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def receiver(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Receive during the body."""
    it = Receiver(port, tls)
    try:
        yield it
    finally:
        it.close()


def unused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Server(ThreadingHTTPServer):
    owner: Receiver
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients go away, as is tested."""


class Handler(BaseHTTPRequestHandler):
    """One request to a receiver."""

    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:
            # Whoever sent it was killed in the middle: nothing has come, as for any server.
            self.close_connection = True
            return
        came = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body, time.monotonic())
        owner = self.server.owner
        with owner.mutex:
            number = len(owner.received)
            owner.received.append(came)
        if owner.secret is not None:
            try:
                came.verified(owner.secret)
            except WebhookVerificationError as error:
                owner.forged.append(str(error))
        self.close_connection = True
        owner.answer(number, came)(self)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""
