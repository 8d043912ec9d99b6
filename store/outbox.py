"""The outbox: what changed, for each endpoint that asked for it, written in the transaction that changes it.

So nothing is told that did not happen, and nothing that happened is left untold. Without an endpoint that asks nothing
is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, select, text

from store.bulk_load import load
from store.tables import WebhookEndpoint
from store.tables.base import to_microseconds

__all__ = [
    "DEFAULT_THRESHOLDS",
    "KINDS",
    "MODEL_PROMOTED",
    "NUMBERS_TOLD",
    "SCORE_CHANGED",
    "SEGMENT_ENTERED",
    "SEGMENT_LEFT",
    "Audience",
    "Change",
]

SCORE_CHANGED = "customer.score_changed"
SEGMENT_ENTERED, SEGMENT_LEFT = "customer.segment_entered", "customer.segment_left"
MODEL_PROMOTED = "model.promoted"
KINDS = (SCORE_CHANGED, SEGMENT_ENTERED, SEGMENT_LEFT, MODEL_PROMOTED)

# What `customer.score_changed` tells, before and after, and what thresholds may be set for.
NUMBERS_TOLD = (
    "churn_probability",
    "clv",
    "value_at_risk",
    "upsell_propensity",
    "p_alive",
    "expected_purchases",
)
DEFAULT_THRESHOLDS: Mapping[str, float] = MappingProxyType({"churn_probability": 0.1})

# .5 to .4 is a change of .1, though not in binary fractions.
_ROUNDING = 1e-9

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
    """

    kind: str
    customer_key: int | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    endpoint_id: int
    kinds: frozenset[str]
    thresholds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to be told of what: the endpoints that are neither disabled nor deleted."""

    endpoints: tuple[_Endpoint, ...]

    @classmethod
    def of(cls, connection: Connection) -> Audience:
        """Read it, in the transaction that writes."""
        endpoint = WebhookEndpoint
        query = (
            select(endpoint.id, endpoint.events, endpoint.thresholds)
            .where(endpoint.disabled_at.is_(None), endpoint.deleted_at.is_(None))
            .order_by(endpoint.id)
        )
        return cls(
            tuple(
                _Endpoint(endpoint_id, frozenset(kinds), thresholds or DEFAULT_THRESHOLDS)
                for endpoint_id, kinds, thresholds in connection.execute(query)
            )
        )

    def asks_for(self, kind: str) -> bool:
        """Whether anybody is to be told of changes of this kind."""
        return any(kind in endpoint.kinds for endpoint in self.endpoints)

    def has_moved(self, before: Mapping[str, float | None], after: Mapping[str, float | None]) -> bool:
        """Whether anybody is to be told that a score has changed.

        A number that appears or vanishes has not moved: with it the customer enters or leaves a segment.

        Parameters
        ----------
        before, after : mapping of name to float or None
            By `NUMBERS_TOLD`.
        """
        return any(
            SCORE_CHANGED in endpoint.kinds and _exceeds(endpoint.thresholds, before, after)
            for endpoint in self.endpoints
        )

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
            and (
                change.kind != SCORE_CHANGED
                or _exceeds(endpoint.thresholds, change.data["before"], change.data["after"])
            )
        ]


def _exceeds(
    thresholds: Mapping[str, float], before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> bool:
    for name, threshold in thresholds.items():
        was, is_now = before.get(name), after.get(name)
        if was is not None and is_now is not None and abs(is_now - was) >= threshold - _ROUNDING:
            return True
    return False


def _next_ids(connection: Connection, n: int) -> list[int]:
    """Return ids that no other event has, or ever had."""
    if connection.dialect.name == "sqlite":
        last = connection.scalar(_LAST_ID) or 0
        return list(range(last + 1, last + n + 1))
    return sorted(connection.scalars(_NEXT_IDS, {"n": n}))
