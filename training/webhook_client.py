"""Sends one webhook: over HTTP/1.1, to a checked address, within a deadline.

A receiver is somebody else's machine. It is looked up once, every address that its name has must be public, and the
connection goes to exactly the address that was checked, so that a name which changes between check and use changes
nothing. No redirect is followed and no proxy asked. Whatever the receiver does, trickling a byte a second included, an
attempt ends in time, and little of the answer is read.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Lock, Thread, Timer
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from store.webhook_urls import Target, is_public, split_url
from training.webhook_message import Message

__all__ = ["Answer", "Resolve", "WebhookClient"]

_SECONDS_TO_CONNECT = 5.0
_SECONDS_IN_ALL = 15.0
# Of an answer whose status is known already; nothing in it counts.
_SECONDS_FOR_THE_REST = 2.0
_MOST_BYTES_READ = 65_536

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes
    ----------
    status : int or None
        Of HTTP; None where no answer came.
    error : str or None
        Why none came, fit for a person; it holds nothing of the URL.
    retry_after : str or None
        The header of that name.
    """

    status: int | None
    error: str | None = None
    retry_after: str | None = None


class WebhookClient:
    """Sends webhooks; one may be used by many threads.

    Parameters
    ----------
    allow_private : bool
        Whether addresses that are not public may be sent to.
    resolve : callable
        Takes a host and a port, and returns addresses as text; raises `OSError` if there are none.
    tls : ssl.SSLContext, optional
        Whom to trust; without it whom the system trusts.
    seconds_in_all, seconds_to_connect : float
        How long one attempt may take, from the look-up of the name on, and each connection of it.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        seconds_in_all: float = _SECONDS_IN_ALL,
        seconds_to_connect: float = _SECONDS_TO_CONNECT,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve or _addresses
        self._tls = tls or ssl.create_default_context()
        self._seconds_in_all = seconds_in_all
        self._seconds_to_connect = seconds_to_connect
        # It logs URLs whose answers have odd headers, and their queries may be secrets.
        logging.getLogger("urllib3.connection").setLevel(logging.CRITICAL)

    def send(self, message: Message) -> Answer:
        """Send a message once, and return what came of it; it raises nothing that a receiver can cause."""
        deadline = _Deadline(self._seconds_in_all)
        try:
            target = split_url(message.url)
            addresses = self._checked(target, deadline)
            return self._sent(message, target, addresses, deadline)
        except _RefusedError as error:
            return Answer(None, str(error))
        except (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            if deadline.is_over:
                return Answer(None, f"No answer within {self._seconds_in_all:g} s.")
            return Answer(None, _in_words(error))
        finally:
            deadline.end()

    def _checked(self, target: Target, deadline: _Deadline) -> Sequence[str]:
        addresses = _within(deadline, lambda: self._resolve(target.host, target.port))
        if not addresses:
            raise _RefusedError("The host has no address.")
        if not self._allow_private:
            for address in addresses:
                if not is_public(ip_address(address)):
                    raise _RefusedError(
                        f"The host leads to {address}, which is this machine, a private network or reserved. Nothing "
                        "was sent; REGULARS_WEBHOOK_ALLOW_PRIVATE=1 allows it."
                    )
        return addresses

    def _sent(self, message: Message, target: Target, addresses: Sequence[str], deadline: _Deadline) -> Answer:
        timeout = self._seconds_to_connect
        opened = _opener(addresses, target.port, timeout, deadline)
        connection: _Plain | _Encrypted
        if target.scheme == "https":
            connection = _Encrypted(target.host, target.port, timeout=self._seconds_in_all, ssl_context=self._tls)
        else:
            connection = _Plain(target.host, target.port, timeout=self._seconds_in_all)
        connection.opened = opened
        try:
            connection.request(
                "POST",
                target.path,
                message.body,
                {"host": target.host_header, "connection": "close", "accept-encoding": "identity", **message.headers},
                preload_content=False,
                decode_content=False,
            )
            with closing(connection.getresponse()) as response:
                if deadline.is_over:
                    # Headers that were cut off by us look like all there are.
                    raise TimeoutError
                deadline.come_nearer(_SECONDS_FOR_THE_REST)
                _read_some(response)
                return Answer(response.status, retry_after=response.headers.get("retry-after"))
        finally:
            connection.close()


class _RefusedError(Exception):
    """What may not be sent; the text says why."""


class _Plain(HTTPConnection):
    """A connection to an address that was checked; the name is in the headers only."""

    opened: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.opened()


class _Encrypted(HTTPSConnection):
    """The same with TLS, whose certificate is checked against the name."""

    opened: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.opened()


class _Deadline:
    """Ends a connection from outside when its time is over: a socket's own timeout begins anew with every byte."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._mutex = Lock()
        self._watched: socket.socket | None = None
        self._timer: Timer | None = None

    @property
    def left(self) -> float:
        return max(self._until - time.monotonic(), 0.0)

    @property
    def is_over(self) -> bool:
        return self.left == 0.0

    def watch(self, connection: socket.socket) -> None:
        """Watch a connection until `end`."""
        self.end()
        # A descriptor of our own for the same connection: TLS takes the other one over.
        self._watched = connection.dup()
        self._begin()

    def come_nearer(self, seconds: float) -> None:
        """Leave only so many seconds, if there are more."""
        self._until = min(self._until, time.monotonic() + seconds)
        if self._timer is not None:
            self._timer.cancel()
            self._begin()

    def end(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
        with self._mutex:
            if self._watched is not None:
                self._watched.close()
            self._watched = None

    def _begin(self) -> None:
        self._timer = Timer(self.left, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        with self._mutex:
            if self._watched is not None:
                try:
                    self._watched.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # The other side was faster.
                    return


def _opener(addresses: Sequence[str], port: int, timeout: float, deadline: _Deadline) -> Callable[[], socket.socket]:
    """Return what connects to the first of the addresses that answers."""

    def opened() -> socket.socket:
        failed: OSError | None = None
        for address in addresses:
            within = min(timeout, deadline.left)
            if within <= 0:
                break
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(within)
                connection.connect((address, port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(max(deadline.left, 0.001))
                deadline.watch(connection)
            except OSError as error:
                connection.close()
                failed = error
                continue
            return connection
        if isinstance(failed, TimeoutError):
            raise _RefusedError(f"No connection within {timeout:g} s.")
        raise failed or TimeoutError

    return opened


def _within(deadline: _Deadline, look_up: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return what a resolver finds; it has no timeout of its own that holds everywhere, so a thread waits for it."""
    found: list[Any] = []

    def look() -> None:
        try:
            found.append(look_up())
        except (OSError, ValueError) as error:
            found.append(error)

    thread = Thread(target=look, name="looks up a host", daemon=True)
    thread.start()
    thread.join(deadline.left)
    if not found:
        raise TimeoutError
    if isinstance(found[0], ValueError):
        # Of a name with an empty or an endless part.
        raise _RefusedError("The host is no name that can be looked up.")
    if isinstance(found[0], OSError):
        raise _RefusedError(f"The host can't be looked up: {found[0].strerror or type(found[0]).__name__}.")
    addresses: Sequence[str] = found[0]
    return addresses


def _addresses(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # With its zone, if it has one, an address is refused.
    return list(dict.fromkeys(str(place[4][0]) for place in found))


def _read_some(response: urllib3.HTTPResponse) -> None:
    """Read the rest of an answer as far as it is short, so that its sender is not cut off; what it says is nothing."""
    try:
        response.read(_MOST_BYTES_READ)
    except (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError):
        return


def _in_words(error: Exception) -> str:
    """Say what went wrong on the way, without what it was sent to."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"Its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS could not be agreed on: {error.reason or 'it broke off'}."
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
        return "The connection was closed before an answer came."
    if isinstance(error, ConnectionRefusedError):
        return "The connection was refused."
    if isinstance(error, TimeoutError):
        return "No answer came in time."
    if isinstance(error, OSError) and error.strerror:
        return f"It could not be reached: {error.strerror}."
    if isinstance(error, http.client.HTTPException | urllib3.exceptions.HTTPError):
        return "What came is not an answer of HTTP."
    return f"It could not be sent: {type(error).__name__}."
