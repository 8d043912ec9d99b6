"""From exceptions to answers: the one place that knows which HTTP status an error has.

Every error is a problem (RFC 9457), as JSON or, for whoever would rather have HTML, as a page.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from starlette.exceptions import HTTPException

from service.exceptions import (
    BodyTooLargeError,
    BrokenGzipError,
    ForeignRequestError,
    FutureScoresError,
    GoneReceiptError,
    IngestBusyError,
    ListFilterError,
    ModelUnavailableError,
    NoKeyError,
    PeriodError,
    RejectedCallError,
    RejectedEventError,
    ScopeError,
    TooManyRequestsError,
    UnknownKeyError,
    UnknownReceiptError,
    UnknownRunError,
    UnknownSegmentError,
    UnknownTargetError,
)
from service.media_types import preferred
from service.pages.error import error_page
from service.schemas.problem import InvalidPart, Problem
from store.campaigns import CampaignExistsError, UnknownCampaignError
from store.exceptions import (
    CursorError,
    DatabaseBusyError,
    PromotionRefusedError,
    QueueFullError,
    SchemaError,
    StoreError,
    UnknownCustomerError,
    UnknownModelError,
    UnknownWebhookError,
    WebhookStateError,
    WebhookTargetError,
)
from store.ingest.calls import UnreadableBodyError

__all__ = [
    "MAX_BODY_BYTES",
    "PROBLEM_MEDIA_TYPE",
    "add_error_handlers",
    "all_kinds",
    "body_too_large",
    "error_response",
    "problem_response",
    "unexpected_problem",
]

PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_BODY_BYTES = 4_000_000

_TRY_AGAIN = {"Retry-After": "5"}
# For which a browser asks its user for a key.
_SHOW_A_KEY = {"WWW-Authenticate": 'Basic realm="Regulars"'}


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of problem; without a `detail` of its own the exception's text is one."""

    status: int
    name: str
    title: str
    detail: str | None = None
    headers: Mapping[str, str] | None = None


_DATABASE_AWAY = _Kind(
    503,
    "database-unavailable",
    "The database does not answer",
    "It is locked, full or not reachable at the moment. Try again in a few seconds.",
    _TRY_AGAIN,
)

_KINDS: Mapping[type[Exception], _Kind] = {
    UnknownCustomerError: _Kind(404, "unknown-customer", "There is no such customer"),
    UnknownModelError: _Kind(404, "unknown-model", "There is no such model version"),
    UnknownSegmentError: _Kind(404, "unknown-segment", "There is no such segment"),
    UnknownTargetError: _Kind(404, "unknown-target", "There is no such target"),
    UnknownRunError: _Kind(404, "unknown-run", "There is no such run"),
    UnknownReceiptError: _Kind(404, "unknown-receipt", "There is no such receipt"),
    GoneReceiptError: _Kind(410, "receipt-gone", "The score can't be computed again"),
    UnknownCampaignError: _Kind(404, "unknown-campaign", "There is no such campaign"),
    CampaignExistsError: _Kind(409, "campaign-exists", "The campaign is another one"),
    UnknownWebhookError: _Kind(404, "unknown-webhook", "There is no such webhook or delivery"),
    WebhookTargetError: _Kind(400, "private-address", "Webhooks may not be sent there"),
    WebhookStateError: _Kind(409, "webhook-state", "The webhook or delivery is not in the state for that"),
    RejectedEventError: _Kind(422, "rejected-event", "An event can't be taken"),
    FutureScoresError: _Kind(422, "future-scores", "Scores of the future can't be computed"),
    PeriodError: _Kind(422, "invalid-period", "The period can't be compared"),
    ListFilterError: _Kind(422, "invalid-filter", "What is wanted can't be asked for"),
    CursorError: _Kind(400, "invalid-cursor", "The cursor can't be used"),
    PromotionRefusedError: _Kind(409, "promotion-refused", "The challenger is worse than the champion"),
    SchemaError: _Kind(503, "database-outdated", "The database is not ready", headers=_TRY_AGAIN),
    StoreError: _Kind(409, "not-yet", "Something has to be done first"),
    ModelUnavailableError: _Kind(503, "model-unavailable", "There is no model to score with", headers=_TRY_AGAIN),
    NoKeyError: _Kind(401, "key-needed", "A key is needed", headers=_SHOW_A_KEY),
    UnknownKeyError: _Kind(401, "unknown-key", "There is no such key", headers=_SHOW_A_KEY),
    ScopeError: _Kind(403, "wrong-scope", "The key may do other things"),
    ForeignRequestError: _Kind(403, "foreign-request", "The service is open to its own machine only"),
    BodyTooLargeError: _Kind(413, "content-too-large", "The body is too large"),
    BrokenGzipError: _Kind(400, "broken-gzip", "The body can't be unpacked"),
    UnreadableBodyError: _Kind(400, "unreadable-body", "The body can't be read"),
    RejectedCallError: _Kind(400, "rejected-call", "The call can't be taken"),
    IngestBusyError: _Kind(503, "ingest-busy", "Events can't be stored at the moment", headers=_TRY_AGAIN),
    QueueFullError: _Kind(503, "ingest-busy", "Events can't be stored at the moment", headers=_TRY_AGAIN),
    DatabaseBusyError: _DATABASE_AWAY,
    TooManyRequestsError: _Kind(429, "too-many-requests", "More requests came than may"),
    OperationalError: _DATABASE_AWAY,
    NoConnectionError: _DATABASE_AWAY,
}

_UNREADABLE = _KINDS[UnreadableBodyError]
_OF_ANOTHER_TYPE = _Kind(415, "unsupported-media-type", "The body is not of the expected type")
_INVALID = _Kind(422, "invalid-request", "The request is not valid")
_UNEXPECTED = _Kind(
    500, "unexpected", "Something went wrong here", "It is not the request's fault. The log has it under this id."
)

# What pydantic expected, by the type of its error, where its own words are about its insides.
_AN_INSTANT = "an instant with its offset from UTC, such as 2026-03-01T00:00:00Z"
_EXPECTED: Mapping[str, str] = {
    "datetime_from_date_parsing": _AN_INSTANT,
    "datetime_parsing": _AN_INSTANT,
    "datetime_type": _AN_INSTANT,
    "extra_forbidden": "no such part",
    "int_parsing": "an integer",
    "int_parsing_size": "an integer of fewer digits",
    "missing": "a value",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "at most {max_length:,} characters",
    "string_too_short": "{min_length:,} or more characters",
    "timezone_aware": _AN_INSTANT,
    "too_long": "at most {max_length:,} entries",
    "too_short": "{min_length:,} or more entries",
}

_HTTP_DETAILS: Mapping[int, str] = {
    400: "Expected a body of JSON in UTF-8; what came could not be read.",
    404: "There is nothing at this address. The API is described at /docs.",
    413: f"Expected a body of at most {MAX_BODY_BYTES:,} bytes; more came. Send it in parts.",
}


def all_kinds() -> list[tuple[int, str, str]]:
    """Return status, name and title of each kind of problem that is foreseen, by status."""
    return sorted({(kind.status, kind.name, kind.title) for kind in (*_KINDS.values(), _OF_ANOTHER_TYPE, _INVALID)})


def add_error_handlers(app: FastAPI) -> None:
    """Have all errors of an app answered as problems."""
    for kind in (*_KINDS, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)


def unexpected_problem(headers: Mapping[str, str]) -> Response:
    """Return the answer to an error that nobody foresaw; it tells nothing of the inside."""
    return problem_response(_problem(_UNEXPECTED, ""), accept=headers.get("accept"))


def error_response(error: Exception, *, accept: str | None) -> Response:
    """Return the answer to an error of a kind that is foreseen."""
    kind = next(_KINDS[ancestor] for ancestor in type(error).__mro__ if ancestor in _KINDS)
    headers = dict(kind.headers or {})
    if isinstance(error, TooManyRequestsError):
        headers["Retry-After"] = str(error.retry_after)
    # Of a call, a body or a receipt the reason has a name of its own.
    code = error.code if isinstance(error, (GoneReceiptError, RejectedCallError, UnreadableBodyError)) else kind.name
    return problem_response(
        _problem(kind, str(error)).model_copy(update={"code": code}), accept=accept, headers=headers
    )


def body_too_large() -> HTTPException:
    """Return the error of a body beyond `MAX_BODY_BYTES`."""
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def problem_response(problem: Problem, *, accept: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as the client would rather have it: a page for a browser, else JSON."""
    if preferred(accept, (PROBLEM_MEDIA_TYPE, "text/html")) == "text/html":
        return error_page(problem, headers=headers)
    content = problem.model_dump_json(exclude=set() if problem.errors else {"errors"})
    return Response(content, problem.status, headers, PROBLEM_MEDIA_TYPE)


async def _answer(request: Request, error: Exception) -> Response:
    accept = request.headers.get("accept")
    if isinstance(error, RequestValidationError):
        return problem_response(_invalid(error, request.headers.get("content-type")), accept=accept)
    if isinstance(error, HTTPException):
        return problem_response(_http_problem(error, request.method), accept=accept, headers=error.headers)
    return error_response(error, accept=accept)


def _problem(kind: _Kind, detail: str, errors: Sequence[InvalidPart] = ()) -> Problem:
    told = _printable(kind.detail or detail)
    return Problem(
        type=f"urn:regulars:problem:{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=told,
        code=kind.name,
        message=told,
        instance=f"urn:uuid:{UUID(correlation_id.get() or '0' * 32)}",
        errors=list(errors),
    )


def _http_problem(error: HTTPException, method: str) -> Problem:
    if error.status_code == 413:
        return _problem(_KINDS[BodyTooLargeError], _HTTP_DETAILS[413])
    phrase = HTTPStatus(error.status_code).phrase
    detail = _HTTP_DETAILS.get(error.status_code, error.detail)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"Expected {allowed}, got {method}."
    return _problem(_Kind(error.status_code, phrase.lower().replace(" ", "-"), phrase), detail)


def _invalid(error: RequestValidationError, content_type: str | None) -> Problem:
    """Say which parts of a request can't be taken, each with what was expected and what came."""
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        place = found[0]["loc"][-1]
        detail = (
            f"Expected a body of JSON; it breaks off or goes wrong at character {place}: {found[0]['ctx']['error']}."
        )
        return _problem(_UNREADABLE, detail)
    if any(item["loc"] == ("body",) and isinstance(item.get("input"), bytes) for item in found):
        detail = f"Expected a body of content type application/json, got {content_type or 'none'}."
        return _problem(_OF_ANOTHER_TYPE, detail)
    errors = [_invalid_part(item) for item in found]
    detail = " ".join(f"{part.where}: expected {part.expected}, got {part.came}." for part in errors[:3])
    more = f" And {len(errors) - 3:,} more." if len(errors) > 3 else ""
    return _problem(_INVALID, detail + more, errors[:100])


def _invalid_part(item: Mapping[str, Any]) -> InvalidPart:
    """Return one finding of pydantic as a problem's part.

    Examples
    --------
    >>> item = {"type": "", "loc": ("query", "limit"), "msg": "Input should be a valid integer", "input": "x"}
    >>> _invalid_part(item)
    InvalidPart(where='query.limit', expected='a valid integer', came="'x'")
    >>> _invalid_part({"type": "too_long", "loc": ("body", "ids"), "ctx": {"max_length": 1, "actual_length": 2}})
    InvalidPart(where='body.ids', expected='at most 1 entries', came='2')
    """
    kind, limits = item["type"], item.get("ctx", {})
    came = "nothing" if kind == "missing" else _shown(item.get("input"))
    if kind in _EXPECTED:
        message = _EXPECTED[kind].format_map(limits)
    else:
        message = str(item["msg"]).removeprefix("Value error, ")
        for opening in ("Input should be ", "Input should ", "expected "):
            message = message.removeprefix(opening)
    if limits.get("actual_length") is not None:
        came = f"{limits['actual_length']:,}"
    where = ".".join(str(part) for part in item["loc"])
    return InvalidPart(where=_printable(where)[:200], expected=_printable(message), came=came)


def _shown(value: object) -> str:
    """Return a value as text that is short, however deep or long it is, and can be sent."""
    return _printable(reprlib.repr(value))


def _printable(text: str) -> str:
    # A lone surrogate, which JSON can carry, has no UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()
