"""While the service is open it answers this machine alone: not pages from elsewhere in its browser, and no proxy.

A page of any web site may send requests to loopback, and by rebinding a name of its own to 127.0.0.1 read the answers:
what gives it away is the name in `Host`, or where it comes from in `Origin`. A proxy brings requests from anywhere.
"""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access import Access
from service.errors import error_response
from service.exceptions import ForeignRequestError

__all__ = ["HostCheck", "is_loopback", "what_is_foreign"]

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/@]+))(?::[0-9]+)?")


class HostCheck:
    """ASGI middleware that refuses, while the service is open, whatever may come from elsewhere.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        access: Access = scope["app"].state.services.access
        headers = Headers(scope=scope)
        foreign = what_is_foreign(headers)
        if foreign is not None and await access.is_open():
            await error_response(ForeignRequestError(foreign), accept=headers.get("accept"))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def what_is_foreign(headers: Headers) -> str | None:
    """Return the name of the header that says, or may say, that a request is not from this machine; None if none does.

    Examples
    --------
    >>> what_is_foreign(Headers({"host": "localhost:8000"}))
    >>> what_is_foreign(Headers({"host": "127.0.0.1:8000", "origin": "https://shop.example"}))
    'Origin'
    """
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if not hosts or not all(map(_is_here, hosts)):
        return "Host"
    if not all(scheme in ("http", "https") and _is_here(host) for scheme, host in map(_split_origin, origins)):
        return "Origin"
    for name in headers:
        if name == "forwarded" or name.startswith("x-forwarded-"):
            return str(name).title()
    return None


def is_loopback(host: str) -> bool:
    """Whether an address, or the name `localhost`, can be reached from this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_here(host_and_port: str) -> bool:
    found = _HOST.fullmatch(host_and_port)
    return found is not None and is_loopback(found["v6"] or found["name"])


def _split_origin(origin: str) -> tuple[str, str]:
    scheme, _, host = origin.partition("://")
    return scheme, host
