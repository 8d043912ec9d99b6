"""What is sent of a change: a body of JSON, and headers that prove who sends it (Standard Webhooks)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from standardwebhooks import Webhook

from store.tables.base import to_microseconds
from store.webhook_queue import Claimed

__all__ = ["Message", "message_of"]


@dataclass(frozen=True, slots=True)
class Message:
    """One request: where to, and what.

    Attributes
    ----------
    url : str
    headers : dict of str to str
        In lower case.
    body : bytes
    """

    url: str
    headers: dict[str, str]
    body: bytes


def message_of(claimed: Claimed, *, now: datetime) -> Message:
    """Return the request that tells a change.

    Its id and body are the same at every attempt, so that a receiver knows what it has; timestamp and signature are of
    the attempt.
    """
    body = json.dumps(
        {
            "type": claimed.kind,
            "timestamp": claimed.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": claimed.data,
        },
        separators=(",", ":"),
    )
    # With the instant, since SQLite gives the number of the newest row again once that row was erased.
    message_id = f"msg_{claimed.event_id}_{claimed.endpoint_id}_{to_microseconds(claimed.occurred_at):x}"
    # The package takes whatever zone a datetime has for UTC.
    sent_at = now.astimezone(UTC)
    signatures = [Webhook(secret).sign(msg_id=message_id, timestamp=sent_at, data=body) for secret in claimed.secrets]
    headers = {
        "content-type": "application/json",
        "user-agent": f"Regulars/{version('regulars')} (webhooks)",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return Message(claimed.url, headers, body.encode())
