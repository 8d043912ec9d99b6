"""Calls of the HTTP tracking API of Segment, as its clients and those of RudderStack send them.

`integrations`, which says where else a call should go, is of no consequence here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from store.ingest.calls.attributes import category_attribute, read_attributes
from store.ingest.calls.body import read_items
from store.ingest.calls.members import Json, MemberError, if_readable, read_id, read_label, read_object, required
from store.ingest.calls.moments import Moments
from store.ingest.calls.orders import EventRows
from store.ingest.calls.properties import campaign_properties, properties_json
from store.ingest.calls.told import Calls, Head, Learnt, Merge, Told, gather
from store.settings import Settings

__all__ = ["KINDS", "read_batch", "read_call"]

KINDS = ("alias", "group", "identify", "page", "screen", "track")

_EVENT_OF_KIND = {"page": "Page Viewed", "screen": "Screen Viewed"}


def read_call(kind: str, call: Json, settings: Settings, received_at: datetime) -> Calls:
    """Read one call.

    Parameters
    ----------
    kind : str
        One of `KINDS`; what the body says of its type does not count.
    call : dict
        A body, by `read_body`.
    settings : Settings
        For currency, rates and time zone.
    received_at : datetime
        Aware.

    Returns
    -------
    Calls
        Of one call, at position 0.
    """
    reader = _SegmentReader(settings, received_at, {})
    return gather([call], lambda position, item: reader.tell(position, item, kind))


def read_batch(batch: Json, settings: Settings, received_at: datetime, most_calls: int) -> Calls:
    """Read a batch; each item names its `type`, and the batch's `context` holds where its own says nothing.

    Parameters
    ----------
    batch : dict
        A body, by `read_body`.
    settings : Settings
        For currency, rates and time zone.
    received_at : datetime
        Aware.
    most_calls : int

    Raises
    ------
    UnreadableBodyError
        If it has no list `batch` of at most so many calls.
    """
    items = read_items(batch, most_calls)
    reader = _SegmentReader(settings, received_at, batch)
    return gather(items, lambda position, item: reader.tell(position, item, _kind(item)))


def _kind(item: Json) -> str:
    kind = item.get("type")
    if kind not in KINDS:
        raise MemberError("type", kind, "type", f"is not a kind of call; expected one of {', '.join(KINDS)}")
    return str(kind)


class _SegmentReader:
    """Reads the calls of one request.

    Parameters
    ----------
    settings : Settings
    received_at : datetime
    batch : mapping
        What holds for all calls: `context` and `sentAt`.
    """

    def __init__(self, settings: Settings, received_at: datetime, batch: Json) -> None:
        self._moments = Moments(settings, received_at)
        self._rows = EventRows(settings)
        context = batch.get("context")
        self._context: Json = context if isinstance(context, dict) else {}
        self._correction = self._moments.correction(batch.get("sentAt"))

    def tell(self, position: int, call: Json, kind: str) -> Told:
        """Return what a call tells; raise `MemberError` for the first thing wrong."""
        if kind == "alias":
            return _alias(position, call)
        user_id = read_id(call, "userId")
        anonymous_id = read_id(call, "anonymousId") if user_id is None else if_readable(read_id, call, "anonymousId")
        customer_id = user_id or anonymous_id
        if customer_id is None:
            reason = "is empty, and so is anonymousId; every call needs one of them"
            raise MemberError("userId", None, "customer_id", reason)
        sent_at = call.get("sentAt")
        correction = self._correction if sent_at is None else self._moments.correction(sent_at)
        occurred_at, reported_at = self._moments.read(call, correction)
        context = self._context_of(call)
        if kind == "identify":
            # RudderStack's clients keep traits in the context.
            attributes = read_attributes(read_object(context, "traits", "context."), "context.traits.")
            attributes |= read_attributes(read_object(call, "traits"), "traits.")
            learnt = Learnt(position, customer_id, occurred_at, attributes)
            merges = user_id is not None and anonymous_id is not None and user_id != anonymous_id
            return Told(learnt=learnt, merge=Merge(position, str(anonymous_id), customer_id) if merges else None)
        if kind == "group":
            group_id = required(read_id(call, "groupId"), "groupId", "group_id")
            attributes = read_attributes(read_object(call, "traits"), "traits.", "account.")
            attributes["account.id"] = category_attribute(group_id)
            return Told(learnt=Learnt(position, customer_id, occurred_at, attributes))
        message_id = read_id(call, "messageId")
        properties: dict[str, Any] = campaign_properties(context) | dict(read_object(call, "properties"))
        if kind == "track":
            event = required(read_label(call, "event"), "event", "event")
        else:
            event = _EVENT_OF_KIND[kind]
            properties |= {name: call[name] for name in ("name", "category") if call.get(name) is not None}
        channel = if_readable(read_label, call, "channel") or if_readable(read_label, context, "channel")
        rows = self._rows.of(event, properties, message_id)
        head = Head(customer_id, occurred_at, reported_at, message_id, channel, properties_json(properties))
        return Told(head, rows)

    def _context_of(self, call: Json) -> Json:
        own = call.get("context")
        if not isinstance(own, dict):
            return self._context
        return _with_own(self._context, own) if self._context else own


def _with_own(whole: Json, own: Json) -> Json:
    """Return the members of both; where both are objects, theirs, and where not, its own."""
    both = {
        name: _with_own(whole[name], value)
        for name, value in own.items()
        if isinstance(value, dict) and isinstance(whole.get(name), dict)
    }
    return {**whole, **own, **both}


def _alias(position: int, call: Json) -> Told:
    previous = required(read_id(call, "previousId"), "previousId", "customer_id")
    user = required(read_id(call, "userId"), "userId", "customer_id")
    return Told(merge=Merge(position, previous, user)) if previous != user else Told()
