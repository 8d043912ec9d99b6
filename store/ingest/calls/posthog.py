"""Batches as PostHog's clients send them."""

from __future__ import annotations

from datetime import datetime

from store.ingest.attribute_kinds import AttributeValue
from store.ingest.calls.attributes import category_attribute, read_attributes
from store.ingest.calls.body import read_items
from store.ingest.calls.members import Json, if_readable, read_id, read_label, read_object, required
from store.ingest.calls.moments import Moments
from store.ingest.calls.orders import EventRows
from store.ingest.calls.properties import properties_json
from store.ingest.calls.told import Calls, Head, Learnt, Merge, Told, gather
from store.settings import Settings

__all__ = ["read_posthog"]

_WHERE = "properties."
_EVENTS = {"$pageview": "Page Viewed", "$screen": "Screen Viewed"}
# Tell of a customer, and nothing that happened.
_NO_EVENTS = ("$identify", "$set", "$set_once")
# What the library adds is left out, but for what other clients send under these names.
_PROPERTIES = {
    "$current_url": "url",
    "$pathname": "path",
    "$referrer": "referrer",
    "$screen_name": "name",
    "utm_campaign": "campaign.name",
    "utm_content": "campaign.content",
    "utm_medium": "campaign.medium",
    "utm_source": "campaign.source",
    "utm_term": "campaign.term",
}
_IDS = frozenset({"distinct_id", "token"})


def read_posthog(batch: Json, settings: Settings, received_at: datetime, most_calls: int) -> Calls:
    """Read a batch.

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
    return gather(items, _PosthogReader(settings, received_at, batch.get("sent_at")).tell)


class _PosthogReader:
    """Reads the items of one batch.

    Parameters
    ----------
    settings : Settings
    received_at : datetime
    sent_at : object
        When the sender sent the batch, as it says.
    """

    def __init__(self, settings: Settings, received_at: datetime, sent_at: object) -> None:
        self._moments = Moments(settings, received_at)
        self._rows = EventRows(settings)
        self._correction = self._moments.correction(sent_at)

    def tell(self, position: int, item: Json) -> Told:
        """Return what an item tells; raise `MemberError` for the first thing wrong."""
        told_event = required(read_label(item, "event"), "event", "event")
        properties = read_object(item, "properties")
        customer_id = read_id(item, "distinct_id") or read_id(properties, "distinct_id", _WHERE)
        customer_id = required(customer_id, "distinct_id", "customer_id")
        if told_event == "$create_alias":
            # The id in use so far, and the one that the client has chosen to go on with.
            alias = required(read_id(properties, "alias", _WHERE), f"{_WHERE}alias", "customer_id")
            return Told(merge=_merge(position, customer_id, alias))
        occurred_at, reported_at = self._moments.read(item, self._correction)
        if told_event == "$groupidentify":
            attributes = _account_traits(properties)
            # Told of no customer, it comes under an id made of the group's type and key.
            is_of_nobody = customer_id == f"${properties.get('$group_type')}_{properties.get('$group_key')}"
            return Told(learnt=None if is_of_nobody else Learnt(position, customer_id, occurred_at, attributes))
        attributes = _traits(item, properties)
        learnt = Learnt(position, customer_id, occurred_at, attributes) if attributes else None
        if told_event in _NO_EVENTS:
            anonymous_id = if_readable(read_id, properties, "$anon_distinct_id") if told_event == "$identify" else None
            merge = None if anonymous_id is None else _merge(position, anonymous_id, customer_id)
            return Told(learnt=learnt or Learnt(position, customer_id, occurred_at, {}), merge=merge)
        event = _EVENTS.get(told_event, told_event)
        message_id = _message_id(item, properties)
        channel = if_readable(read_label, properties, "channel")
        rows = self._rows.of(event, properties, message_id)
        kept = properties_json(_kept(properties))
        return Told(Head(customer_id, occurred_at, reported_at, message_id, channel, kept), rows, learnt)


def _merge(position: int, merged: str, into: str) -> Merge | None:
    return None if merged == into else Merge(position, merged, into)


def _message_id(item: Json, properties: Json) -> str | None:
    return (
        read_id(item, "uuid")
        or read_id(properties, "$insert_id", _WHERE)
        or read_id(item, "messageId")
        or read_id(item, "message_id")
    )


def _account_traits(properties: Json) -> dict[str, AttributeValue]:
    path = f"{_WHERE}$group_set"
    group_id = required(read_id(properties, "$group_key", _WHERE), f"{_WHERE}$group_key", "group_id")
    attributes = read_attributes(_own(read_object(properties, "$group_set", _WHERE)), f"{path}.", "account.")
    return attributes | {"account.id": category_attribute(group_id)}


def _traits(item: Json, properties: Json) -> dict[str, AttributeValue]:
    """Return what an item says of its customer; `$set` wins over `$set_once`, which says what was so at first."""
    attributes: dict[str, AttributeValue] = {}
    for name in ("$set_once", "$set"):
        for holder, where in ((properties, _WHERE), (item, "")):
            if name in holder:
                attributes |= read_attributes(_own(read_object(holder, name, where)), f"{where}{name}.")
    return attributes


def _own(members: Json) -> Json:
    """Return the members that are not the library's."""
    return {name: value for name, value in members.items() if not name.startswith("$")}


def _kept(properties: Json) -> Json:
    renamed = {new: properties[name] for name, new in _PROPERTIES.items() if name in properties}
    kept = {name: value for name, value in _own(properties).items() if name not in _PROPERTIES and name not in _IDS}
    return renamed | kept
