"""Live events, by the HTTP tracking API of Segment and by PostHog's, so that existing clients work as they are.

What is answered with 200 is on disk. No other 2xx is ever sent: some clients take 202 for a failure. Clients drop what
is answered with 400 or 413, and send again what is answered with 429 or 503.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from service.access import caller_of_events, secret_in
from service.deps import Services, TheServices
from service.exceptions import RejectedCallError
from service.openapi import PROBLEMS, problems
from service.raw_body import gunzipped, is_gzip, read_raw_body
from service.schemas.tracking import RejectedCall, Taken
from store.api_keys import SEND_EVENTS
from store.ingest.calls import (
    Calls,
    UnreadableBodyError,
    read_batch,
    read_body,
    read_call,
    read_posthog,
    write_key_in,
)
from store.ingest.live import LiveRequest
from store.ingest.rejections import Rejection

__all__ = ["PATHS", "router"]

router = APIRouter(tags=["events"], responses=PROBLEMS | problems(400, 401, 403, 413, 429))

_Read = Callable[..., Calls]

_CALL = {"messageId": "m1", "userId": "ada", "event": "Product Viewed", "properties": {"product_id": "p1"}}

_POSTHOG = {"api_key": "KEY", "batch": [{"uuid": "m1", "distinct_id": "ada", "event": "Product Viewed"}]}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "identify": {"messageId": "m2", "userId": "ada", "anonymousId": "a1", "traits": {"city": "Berlin"}},
    "page": {"messageId": "m3", "userId": "ada", "name": "Pricing"},
    "screen": {"messageId": "m4", "userId": "ada", "name": "Home"},
    "group": {"messageId": "m5", "userId": "ada", "groupId": "g1", "traits": {"plan": "pro"}},
    "alias": {"messageId": "m6", "userId": "ada", "previousId": "a1"},
}


def _described(example: dict[str, Any]) -> dict[str, Any]:
    """Return what the document says of a route beside what FastAPI sees: its scope, and its body, which is read raw."""
    body = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {"security": [{"basic": [SEND_EVENTS]}], "requestBody": {"required": True, "content": body}}


_CALLS = {
    "identify": "Tell who a customer is: traits become attributes, an anonymous history becomes the customer's.",
    "track": "Tell what a customer did.",
    "page": "Tell that a customer has seen a page.",
    "screen": "Tell that a customer has seen a screen.",
    "group": "Tell which account a customer belongs to, and what is known of it.",
    "alias": "Tell that two ids are one customer.",
}


def _add_call(kind: str, description: str) -> None:
    async def take(request: Request, services: TheServices) -> Taken:
        most_bytes = services.settings.most_bytes_a_call
        taken = await _take(request, services, partial(read_call, kind), most_bytes)
        if taken.rejected:
            (rejected,) = taken.rejected
            raise RejectedCallError(rejected.code, rejected.message)
        return taken

    router.add_api_route(
        f"/v1/{kind}",
        take,
        methods=["POST"],
        name=f"Take {kind}",
        description=description,
        openapi_extra=_described(_EXAMPLES.get(kind, _CALL)),
    )


for _kind, _description in _CALLS.items():
    _add_call(_kind, _description)


@router.post("/v1/batch", openapi_extra=_described({"batch": [{"type": "track", **_CALL}]}))
async def take_batch(request: Request, services: TheServices) -> Taken:
    """Take several calls; those that can't be taken are named, and the others stored."""
    return await _take_batch(request, services, read_batch)


# Its client follows no redirect, and ends the address as it likes.
@router.post("/batch", openapi_extra=_described(_POSTHOG))
@router.post("/batch/", openapi_extra=_described(_POSTHOG))
async def take_posthog_batch(request: Request, services: TheServices) -> Taken:
    """Take several calls as PostHog's clients send them."""
    return await _take_batch(request, services, read_posthog)


async def _take_batch(request: Request, services: Services, read: _Read) -> Taken:
    settings = services.settings
    return await _take(
        request, services, partial(read, most_calls=settings.most_calls_a_batch), settings.most_bytes_a_batch
    )


async def _take(request: Request, services: Services, read: _Read, most_bytes: int) -> Taken:
    received_at = services.clock()
    if (secret := secret_in(request.headers.get("authorization"))) is not None:
        # Before the body: of a stranger no more than headers is read.
        caller = await caller_of_events(request, secret)
        body = await _body(request, most_bytes)
        calls = await run_in_threadpool(lambda: read(read_body(body), services.settings, received_at))
    else:
        body = await _body(request, most_bytes)
        try:
            members = await run_in_threadpool(read_body, body)
        except UnreadableBodyError:
            # Nor can a key be read in it.
            await caller_of_events(request, None)
            raise
        caller = await caller_of_events(request, write_key_in(members))
        calls = await run_in_threadpool(read, members, services.settings, received_at)
    source_id, source = await services.ingest.source_of(caller)
    live = LiveRequest(source_id, source, received_at, calls, sha256(body).digest(), len(body))
    result = await services.ingest.store(live)
    return Taken(
        stored=result.stored,
        already_there=result.already_there,
        rejected=[_rejected(rejection) for rejection in result.rejected],
    )


async def _body(request: Request, most_bytes: int) -> bytes:
    raw = await read_raw_body(request, most_bytes=most_bytes)
    # A step through the thread pool costs more than most requests take to be read.
    return await run_in_threadpool(gunzipped, raw, most_bytes=most_bytes) if is_gzip(raw) else raw


def _rejected(rejection: Rejection) -> RejectedCall:
    where = f"{rejection.column}: " if rejection.column else ""
    return RejectedCall(index=rejection.line, code=rejection.code, message=f"{where}{rejection.reason}")


PATHS = frozenset(route.path for route in router.routes if isinstance(route, APIRoute))
