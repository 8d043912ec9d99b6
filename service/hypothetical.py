"""Scores of what is not stored: of customers who are told whole, and of those stored if they did something more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from features.event_log import EventLog
from models.change_reasons import Change
from models.score_changes import score_changes
from service.bundle_cache import ServedModel
from service.exceptions import RejectedEventError
from service.scorer import ScoredCustomers, Scorer
from store.customer_keys import CustomerKeys
from store.events import find_customer, read_events
from store.ingest.calls import UnreadableBodyError, read_batch, read_body
from store.memberships import open_memberships
from store.scratch import Scratch, ScratchStores
from store.settings import Settings

__all__ = ["MOST_EVENTS", "Hypotheses", "SupposedEvent", "WhatIf"]

MOST_EVENTS = 2_500
_JUST_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SupposedEvent:
    """An event that nobody has stored.

    Attributes
    ----------
    event : str
        Its name.
    properties : mapping
        As a `track` call has them.
    occurred_at : datetime or None
        Aware, before the instant that scores speak of; None for the moment before it.
    channel : str or None
    """

    event: str
    properties: Mapping[str, Any]
    occurred_at: datetime | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WhatIf:
    """A customer's score as it is and as it would be, both of one instant, and why they differ.

    Attributes
    ----------
    now, then : ScoredCustomers
    changes : mapping of name to Change
        From now to then, as `score_changes` returns them.
    """

    now: ScoredCustomers
    then: ScoredCustomers
    changes: Mapping[str, Change]


class Hypotheses:
    """Tells events to a store for a moment, by the rules of live events, and scores what is in it then.

    Parameters
    ----------
    scorer : Scorer
    stores : ScratchStores
    settings : Settings
        For currency, rates and time zone.
    """

    def __init__(self, scorer: Scorer, stores: ScratchStores, settings: Settings) -> None:
        self._scorer = scorer
        self._stores = stores
        self._settings = settings

    def unseen(
        self,
        session: Session,
        customer_id: str,
        events: Sequence[SupposedEvent],
        attributes: Mapping[str, Any],
    ) -> ScoredCustomers:
        """Score a customer of whom no more is known than what is told.

        Raises
        ------
        RejectedEventError
            An event can't be taken.
        ModelUnavailableError
            There is no model to score with.
        """
        as_of, terms = self._scorer.as_of(), self._scorer.terms(session)
        with self._stores.open() as scratch:
            self._tell(scratch, customer_id, events, attributes, as_of)
            return terms.score(_log(scratch, customer_id, terms.model), {}, as_of)

    def what_if(
        self, session: Session, customer: CustomerKeys, events: Sequence[SupposedEvent], attributes: Mapping[str, Any]
    ) -> WhatIf:
        """Score a stored customer, and once more with some events and attributes added to what is stored.

        Raises
        ------
        RejectedEventError
            An event can't be taken.
        ModelUnavailableError
            There is no model to score with.
        """
        as_of, terms = self._scorer.as_of(), self._scorer.terms(session)
        (customer_id,) = customer.customer_ids
        memberships = open_memberships(session, customer.keys)
        with self._stores.open() as scratch:
            scratch.copy(session, int(customer.keys[0]))
            now = terms.score(_log(scratch, customer_id, terms.model), memberships, as_of)
            self._tell(scratch, customer_id, events, attributes, as_of)
            then = terms.score(_log(scratch, customer_id, terms.model), memberships, as_of)
        return WhatIf(now, then, score_changes(now.scores, then.scores))

    def _tell(
        self,
        scratch: Scratch,
        customer_id: str,
        events: Sequence[SupposedEvent],
        attributes: Mapping[str, Any],
        as_of: datetime,
    ) -> None:
        for position, each in enumerate(events):
            if each.occurred_at is not None and each.occurred_at >= as_of:
                raise RejectedEventError(
                    f"events.{position}.occurred_at",
                    f"expected an instant before {as_of.isoformat()}, of which scores speak",
                )
        just_before = (as_of - _JUST_BEFORE).isoformat()
        calls = [_track(customer_id, each, just_before) for each in events]
        traits = dict(attributes)
        calls.append({"type": "identify", "userId": customer_id, "timestamp": just_before, "traits": traits})
        told = read_batch(_read_again({"batch": calls}), self._settings, as_of, most_calls=len(calls))
        result = scratch.tell(told, received_at=as_of)
        if result.rejected:
            rejection = result.rejected[0]
            where = f"events.{rejection.line}" if rejection.line < len(events) else "attributes"
            raise RejectedEventError(where, f"{rejection.column} {rejection.reason}")


def _read_again(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body as live events read theirs, so that what it may not hold is found in the same way."""
    try:
        return read_body(json.dumps(body).encode())
    except RecursionError:
        raise UnreadableBodyError(
            "too_deep", "The body nests lists and objects too deep; flatten what it holds."
        ) from None


def _track(customer_id: str, event: SupposedEvent, just_before: str) -> dict[str, Any]:
    return {
        "type": "track",
        "userId": customer_id,
        "event": event.event,
        "timestamp": just_before if event.occurred_at is None else event.occurred_at.isoformat(),
        "properties": dict(event.properties),
        "channel": event.channel,
    }


def _log(scratch: Scratch, customer_id: str, model: ServedModel) -> EventLog:
    with scratch.database.read() as session:
        customer = find_customer(session, customer_id)
        return read_events(session, customer, model.calendar, model.bundle.events_with_properties)
