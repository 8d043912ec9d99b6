"""Calls as a test writes them, and what is read of them as it looks at it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from store.ingest.calls import Calls, read_batch, read_body, read_call, read_posthog
from store.ingest.canonical import CanonicalRows
from store.ingest.texts import Texts
from store.settings import Settings, load_settings
from store.tables.base import to_microseconds

RECEIVED_AT = datetime(2024, 6, 1, 12, tzinfo=UTC)
RECEIVED = to_microseconds(RECEIVED_AT)
MOST_CALLS = 2_500

Json = dict[str, Any]


def instant(text: str) -> int:
    """Return microseconds since 1970-01-01 UTC of an ISO 8601 instant."""
    return to_microseconds(datetime.fromisoformat(text))


def call(kind: str, members: Json, settings: Settings | None = None) -> Calls:
    """Read one call of Segment's."""
    return read_call(kind, read_body(json.dumps(members).encode()), settings or load_settings(), RECEIVED_AT)


def track(event: str, properties: Json, settings: Settings | None = None, **members: Any) -> Calls:
    """Read one track call, of customer anna unless it says otherwise."""
    return call("track", {"userId": "anna", "event": event, "properties": properties, **members}, settings)


def batch(*items: Any, **members: Any) -> Calls:
    """Read a batch of Segment's."""
    body = json.dumps({"batch": items, **members}).encode()
    return read_batch(read_body(body), load_settings(), RECEIVED_AT, MOST_CALLS)


def posthog(*items: Any, **members: Any) -> Calls:
    """Read a batch of PostHog's."""
    body = json.dumps({"api_key": "key", "batch": items, **members}).encode()
    return read_posthog(read_body(body), load_settings(), RECEIVED_AT, MOST_CALLS)


def column(rows: CanonicalRows, name: str) -> list[Any]:
    """Return a column of rows as a list; None for what is unknown."""
    values = getattr(rows, name)
    if isinstance(values, Texts):
        return values.tolist()
    return [None if value != value else value for value in values.tolist()]


def columns(calls: Calls, *names: str) -> list[tuple[Any, ...]]:
    """Return some columns of the rows of calls, row by row."""
    assert calls.rejections == []
    return list(zip(*(column(calls.rows, name) for name in names), strict=True))


def rejected(calls: Calls) -> list[tuple[int, str, str | None, str]]:
    """Return position, path, value and code of each call that was not taken."""
    assert all(one.reason for one in calls.rejections)
    return [(one.line, one.column, one.value, one.code) for one in calls.rejections]
