"""One line of log a request: route template, status, duration, request id; never a path, an id or a value.

The template is logged and not the path, because paths hold customer ids; so do the texts of exceptions, of which only
the type and the place are logged.
"""

from __future__ import annotations

import time
import traceback
from typing import Any, TextIO

import structlog
from asgi_correlation_id import correlation_id
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import unexpected_problem
from service.exceptions import AbortedResponseError

__all__ = ["RequestLog", "make_logger"]


def make_logger(log_format: str, stream: TextIO) -> Any:
    """Return a logger that writes to a stream, as text for people or as JSON for machines.

    Parameters
    ----------
    log_format : {"console", "json"}
    stream : text file
    """
    renderer: Any = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    processors = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        renderer,
    ]
    return structlog.wrap_logger(structlog.PrintLogger(stream), processors=processors)


class RequestLog:
    """ASGI middleware that logs each request, and answers with a problem where an error was not foreseen.

    Parameters
    ----------
    app : ASGIApp
    log : structlog logger
    """

    def __init__(self, app: ASGIApp, *, log: Any) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_status)
        except Exception as error:  # noqa: BLE001  # the last resort: whatever it was, a client gets a problem
            self._log.error("request_broke", route=_route(scope), error=type(error).__name__, at=_places(error))
            if status:
                # The answer has begun and can't be taken back; breaking off tells the client that it is not whole.
                raise AbortedResponseError("The answer had begun when it failed.") from None
            await unexpected_problem(Headers(scope=scope))(scope, receive, noting_status)
        finally:
            milliseconds = round(1000 * (time.perf_counter() - started), 2)
            self._log.info("request", method=scope["method"], route=_route(scope), status=status, ms=milliseconds)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "none")


def _places(error: BaseException) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]


def _add_request_id(_logger: Any, _method: str, event: Any) -> Any:
    event["request_id"] = correlation_id.get()
    return event
