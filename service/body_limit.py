"""No request may send more than is read in one go: the rest is not even received."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import body_too_large

__all__ = ["BodyLimit"]


class BodyLimit:
    """ASGI middleware that ends reading a body at a limit, whatever length the client has announced.

    Parameters
    ----------
    app : ASGIApp
    most_bytes : int
    without_limit : collection of str
        Paths that limit their bodies themselves.
    """

    def __init__(self, app: ASGIApp, *, most_bytes: int, without_limit: Collection[str] = ()) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._without_limit = without_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in self._without_limit:
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        too_large = announced.isdecimal() and (len(announced) > 18 or int(announced) > self._most_bytes)
        received = 0

        async def limited() -> Message:
            nonlocal received
            # Raised where the body is read, so that it is answered like every other error.
            if too_large:
                raise body_too_large()
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most_bytes:
                raise body_too_large()
            return message

        await self._app(scope, limited, send)
