"""The outbox: what changed, for each endpoint that asked for it, written in the transaction that changes it.

So nothing is told that did not happen, and nothing that happened is left untold. Without an endpoint that asks nothing
is written.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, select, text

from store.bulk_load import load
from store.tables import WebhookEndpoint
from store.tables.base import to_microseconds

__all__ = [
    "KINDS",
    "MODEL_PROMOTED",
    "NUMBERS_TOLD",
    "SCORE_CHANGED",
    "SEGMENT_ENTERED",
    "SEGMENT_LEFT",
    "Audience",
    "Change",
    "Endpoint",
    "EventKind",
    "Numbers",
    "as_told",
]

SCORE_CHANGED = "customer.score_changed"
SEGMENT_ENTERED, SEGMENT_LEFT = "customer.segment_entered", "customer.segment_left"
MODEL_PROMOTED = "model.promoted"
EventKind = Literal["customer.segment_entered", "customer.segment_left", "customer.score_changed", "model.promoted"]
KINDS: Sequence[EventKind] = get_args(EventKind)

# What `customer.score_changed` tells, before and after, and what thresholds may be set for.
NUMBERS_TOLD = (
    "churn_probability",
    "clv",
    "value_at_risk",
    "upsell_propensity",
    "p_alive",
    "expected_purchases",
)
Numbers = Mapping[str, float | None]

_EVENT = ("id", "kind", "occurred_at", "customer_key", "data")
_DELIVERY = ("endpoint_id", "event_id", "customer_key", "status", "attempts", "next_attempt_at")
_LAST_ID = text("SELECT seq FROM sqlite_sequence WHERE name = 'outbox_event'")
_NEXT_IDS = text("SELECT nextval(pg_get_serial_sequence('outbox_event', 'id')) FROM generate_series(1, :n)")


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    customer_key : int or None
        Whose it is.
    data : mapping of name to value
        What is told of it, as JSON can hold it; of a changed score `before` and `after` with `NUMBERS_TOLD`.
    only : collection of int, optional
        The endpoints for which it is, if not for all that ask for its kind.
    """

    kind: str
    customer_key: int | None
    data: Mapping[str, Any]
    only: Collection[int] | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One that has not been deleted.

    Attributes
    ----------
    endpoint_id : int
    kinds : frozenset of str
        What it asks for.
    thresholds : mapping of name to float
        By how much a number has to change.
    is_disabled : bool
        Whether it is told nothing for now.
    """

    endpoint_id: int
    kinds: frozenset[str]
    thresholds: Mapping[str, float]
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to be told of what.

    Attributes
    ----------
    endpoints : tuple of Endpoint
        All that have not been deleted, by number.
    """

    endpoints: tuple[Endpoint, ...]

    @classmethod
    def of(cls, connection: Connection) -> Audience:
        """Read it, in the transaction that writes."""
        endpoint = WebhookEndpoint
        query = (
            select(endpoint.id, endpoint.events, endpoint.thresholds, endpoint.disabled_at)
            .where(endpoint.deleted_at.is_(None))
            .order_by(endpoint.id)
        )
        return cls(
            tuple(
                Endpoint(endpoint_id, frozenset(kinds), thresholds, disabled_at is not None)
                for endpoint_id, kinds, thresholds, disabled_at in connection.execute(query)
            )
        )

    def asks_for(self, kind: str) -> bool:
        """Whether anybody is to be told of changes of this kind."""
        return self.n_rows(kind) > 0

    def n_rows(self, kind: str) -> int:
        """Return how many rows a change of this kind is, where all who ask for it are told."""
        n_told = sum(kind in endpoint.kinds and not endpoint.is_disabled for endpoint in self.endpoints)
        return 1 + n_told if n_told else 0

    @property
    def of_scores(self) -> tuple[Endpoint, ...]:
        """Those that ask for changed scores, the disabled ones too: what they were told last is to be known still."""
        return tuple(endpoint for endpoint in self.endpoints if SCORE_CHANGED in endpoint.kinds)

    def write(self, connection: Connection, changes: Sequence[Change], *, now: datetime) -> int:
        """Write the changes that somebody asked for and to whom they are to be told; return how many there were.

        Parameters
        ----------
        connection : Connection
            In the transaction that makes the changes.
        changes : sequence of Change
            What one customer is told of comes to an endpoint in this order.
        now : datetime
        """
        told = [(change, to) for change in changes if (to := self._of(change))]
        if not told:
            return 0
        at = to_microseconds(now)
        ids = _next_ids(connection, len(told))
        keys = [change.customer_key for change, _ in told]
        kinds = [change.kind for change, _ in told]
        data = [json.dumps(change.data, allow_nan=False) for change, _ in told]
        load(connection, "outbox_event", _EVENT, [ids, kinds, [at] * len(ids), keys, data])
        rows = [
            (endpoint_id, event_id, key)
            for event_id, key, (_, to) in zip(ids, keys, told, strict=True)
            for endpoint_id in to
        ]
        n_rows = len(rows)
        columns = [*zip(*rows, strict=True), ["pending"] * n_rows, [0] * n_rows, [at] * n_rows]
        load(connection, "webhook_delivery", _DELIVERY, columns)
        return len(told)

    def _of(self, change: Change) -> list[int]:
        return [
            endpoint.endpoint_id
            for endpoint in self.endpoints
            if change.kind in endpoint.kinds
            and not endpoint.is_disabled
            and (change.only is None or endpoint.endpoint_id in change.only)
        ]


def as_told(instant: datetime) -> str:
    """Return an instant as it is told: ISO 8601 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _next_ids(connection: Connection, n: int) -> list[int]:
    """Return ids that no other event has, or ever had."""
    if connection.dialect.name == "sqlite":
        last = connection.scalar(_LAST_ID) or 0
        return list(range(last + 1, last + n + 1))
    return sorted(connection.scalars(_NEXT_IDS, {"n": n}))
