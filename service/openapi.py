"""The OpenAPI document: errors are problems with their own media type, and keys come in two ways."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from service.errors import PROBLEM_MEDIA_TYPE
from service.schemas.problem import Problem

__all__ = ["PROBLEMS", "describe_problems", "problems"]

_BEARER = {"type": "http", "scheme": "bearer", "description": "The key as token."}

_DESCRIPTIONS = {
    400: "The body or the cursor can't be read.",
    401: "A key is needed, and none came or one that nobody holds.",
    403: "The key may do other things, or the service is open to its own machine only.",
    404: "There is no such thing.",
    405: "The method is not one of this address.",
    409: "Something has to be done first; the problem says what.",
    410: "What the score rested on is not there any more; the problem says what became of it.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A part of the request can't be taken; the problem names each.",
    429: "More came than may; `Retry-After` says when to come again.",
    500: "Something went wrong here.",
    503: "There is no model to score with, or the database does not answer.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the responses of a route that are problems."""
    return {status: {"model": Problem, "description": _DESCRIPTIONS[status]} for status in statuses}


# Of every route that needs a key.
PROBLEMS = problems(401, 403, 422, 429, 500, 503)


def describe_problems(app: FastAPI) -> None:
    """Give the problems in an app's document their media type, which FastAPI takes for that of the answers.

    Beside the one way to send a key that the code names it gets the other. The document is still made when somebody
    first asks for it.
    """
    as_fastapi_makes_it = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = as_fastapi_makes_it()
            _name_media_types(document)
            _add_bearer(document)
        return as_fastapi_makes_it()

    app.openapi = described  # type: ignore[method-assign]  # the way FastAPI itself tells to extend it


def _name_media_types(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status.isdecimal() and int(status) >= 400 and "application/json" in response["content"]:
                    response["content"] = {PROBLEM_MEDIA_TYPE: response["content"]["application/json"]}


def _add_bearer(document: dict[str, Any]) -> None:
    document["components"]["securitySchemes"]["bearer"] = _BEARER
    for operations in document["paths"].values():
        for operation in operations.values():
            # Either of those in the list will do.
            ways = operation.get("security", [])
            ways += [{"bearer": way["basic"]} for way in ways]
