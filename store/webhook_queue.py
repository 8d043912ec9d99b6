"""Deliveries of webhooks as a queue: what is due is claimed for a while, and what became of it is recorded.

What one endpoint is told of one customer goes in order: only the first pending delivery of the two is ever claimed, by
id, so whoever writes them holds what keeps a customer's changes apart before taking ids. Those behind it are set aside
until it has ended, so that a receiver that is away for a day costs no look at all that waits for it.

A claim is a lease, written as the instant of the next attempt: if its process dies the delivery is due again when the
lease is over, so that everything is sent at least once. Nobody can record what became of a lease that another has
taken over since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, literal_column, or_, select, update
from sqlalchemy.orm import Session

from store.exceptions import UnknownWebhookError
from store.tables import Customer, OutboxEvent, WebhookDelivery, WebhookEndpoint
from store.webhooks import TEST_KIND, disable_endpoint, find_endpoint, signing_secrets

__all__ = [
    "FAILING_FOR",
    "LEASE",
    "Claimed",
    "Ended",
    "any_pending",
    "claim_due",
    "drop_unwanted",
    "endpoints_with_due",
    "record",
    "unwanted_endpoints",
]

# Well beyond what one attempt may take, and what recording it may take beside others who write.
LEASE = timedelta(seconds=60)

# Longer than all attempts at one delivery take, however late each is.
FAILING_FOR = timedelta(hours=84)

# Longer than attempts at one delivery are apart, unless the endpoint asks for more.
_PAUSE = timedelta(hours=30)

# So many are looked at to claim one, and then at a time: among them are those that wait for one of their customer.
_CANDIDATES_A_PLACE, _CANDIDATES = 4, 200
# What waits for one that is due itself, and will be claimed in a moment; its end brings them back before that.
_SET_ASIDE = timedelta(seconds=5)
_LOOKS = 10
_DROPPED_A_TRANSACTION = 1_000

# As text, since partial indexes are used only where the statement itself says what they hold.
_PENDING = WebhookDelivery.status == literal_column("'pending'")
_WANTED = and_(WebhookEndpoint.deleted_at.is_(None), WebhookEndpoint.disabled_at.is_(None))
_AS_IT_IS = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until `lease_until`, with all that an attempt needs.

    Attributes
    ----------
    delivery_id, endpoint_id, event_id : int
    attempts : int
        So many were made before.
    lease_until : datetime
    url : str
    secrets : tuple of str
        Those that sign, the newest first.
    kind : str
    occurred_at : datetime
    data : dict
        What is told.
    """

    delivery_id: int
    endpoint_id: int
    event_id: int
    attempts: int
    lease_until: datetime
    url: str
    secrets: tuple[str, ...]
    kind: str
    occurred_at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of an attempt.

    Attributes
    ----------
    claimed : Claimed
    attempted_at : datetime
    status : int or None
        Of HTTP; None where no answer came.
    error : str or None
        Why it failed; None if it was taken.
    retry_at : datetime or None
        When to try again; None if it was taken, or never will be.
    disable : str or None
        Why the endpoint is told nothing more.
    rest_until : datetime or None
        Until when the endpoint asks to be sent nothing.
    """

    claimed: Claimed
    attempted_at: datetime
    status: int | None
    error: str | None
    retry_at: datetime | None
    disable: str | None = None
    rest_until: datetime | None = None


def any_pending(session: Session) -> bool:
    """Whether anything waits at all, due or not."""
    return session.scalar(select(WebhookDelivery.id).where(_PENDING).limit(1)) is not None


def endpoints_with_due(session: Session, *, now: datetime) -> list[int]:
    """Return the endpoints that something is due to, or was set aside for until now, and that don't rest."""
    due = and_(_PENDING, WebhookDelivery.endpoint_id == WebhookEndpoint.id, WebhookDelivery.next_attempt_at <= now)
    some = select(WebhookDelivery.id).where(due).exists()
    return list(session.scalars(select(WebhookEndpoint.id).where(*_open(now), some).order_by(WebhookEndpoint.id)))


def unwanted_endpoints(session: Session) -> list[int]:
    """Return the endpoints that are disabled or deleted while something waits for them."""
    some = select(WebhookDelivery.id).where(_PENDING, WebhookDelivery.endpoint_id == WebhookEndpoint.id).exists()
    return list(session.scalars(select(WebhookEndpoint.id).where(~_WANTED, some).order_by(WebhookEndpoint.id)))


def claim_due(session: Session, endpoint_id: int, *, limit: int, now: datetime) -> list[Claimed]:
    """Claim deliveries of an endpoint that are due, the longest due first, one a customer.

    Parameters
    ----------
    session : Session
    endpoint_id : int
    limit : int
        So many at most.
    now : datetime

    Returns
    -------
    list of Claimed
        Each is ours for `LEASE`.
    """
    if session.scalar(select(WebhookEndpoint.id).where(WebhookEndpoint.id == endpoint_id, *_open(now))) is None:
        return []
    chosen: list[int] = []
    candidates = _CANDIDATES_A_PLACE * limit
    for _ in range(_LOOKS):
        # What another worker is just claiming is passed over; SQLite has one writer at a time and needs no such lock.
        due = session.execute(
            select(WebhookDelivery.id, WebhookDelivery.customer_key)
            .where(WebhookDelivery.endpoint_id == endpoint_id, _PENDING, WebhookDelivery.next_attempt_at <= now)
            .where(WebhookDelivery.id.not_in(chosen))
            .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
            .limit(candidates)
            .with_for_update(skip_locked=True)
        ).all()
        tests = _tests(session, [key for key, customer in due if customer is None])
        firsts: dict[int | None, int | None] = {}
        waits_for: dict[int, int] = {}
        for key, customer in due:
            if customer not in firsts:
                # In a statement of its own, which sees what ended while the rows were being locked.
                firsts[customer] = _first(session, endpoint_id, customer)
            first = firsts[customer]
            if first is not None and first != key and key not in tests:
                waits_for[key] = first
            else:
                chosen.append(key)
                if len(chosen) == limit:
                    break
        _set_aside(session, waits_for, now=now)
        if len(chosen) == limit or len(due) < candidates:
            break
        candidates = _CANDIDATES
    return _leased(session, chosen, now=now) if chosen else []


def record(session: Session, ended: Iterable[Ended], *, now: datetime) -> None:
    """Write down what became of attempts; of those that are ours no more nothing is written."""
    for each in sorted(ended, key=lambda one: one.claimed.delivery_id):
        claimed = each.claimed
        values: dict[str, Any] = {
            "attempts": claimed.attempts + 1,
            "last_attempt_at": each.attempted_at,
            "last_status": each.status,
            "last_error": each.error,
        }
        if each.error is None:
            values |= {"status": "delivered", "delivered_at": now}
        elif each.retry_at is None:
            values["status"] = "dead"
        else:
            values["next_attempt_at"] = each.retry_at
        ours = and_(
            WebhookDelivery.id == claimed.delivery_id, _PENDING, WebhookDelivery.next_attempt_at == claimed.lease_until
        )
        written = session.execute(
            update(WebhookDelivery).where(ours).values(**values).returning(WebhookDelivery.customer_key), _AS_IT_IS
        ).all()
        if written and "status" in values:
            # By the customer of now: ids may have been merged meanwhile.
            _bring_back(session, claimed.endpoint_id, written[0].customer_key, now=now)
        with suppress(UnknownWebhookError):
            _note(session, each, now=now)


def drop_unwanted(session: Session, endpoint_id: int, *, now: datetime) -> int:
    """End deliveries of an endpoint that is disabled or deleted, some at a time; return how many.

    What may be on the wire this moment is left to whoever sent it.
    """
    endpoint = session.get(WebhookEndpoint, endpoint_id)
    if endpoint is None or (endpoint.deleted_at is None and endpoint.disabled_at is None):
        return 0
    why = "The webhook was deleted." if endpoint.deleted_at else f"The webhook is disabled: {endpoint.disabled_why}"
    at_rest = or_(WebhookDelivery.last_attempt_at.is_(None), WebhookDelivery.last_attempt_at <= now - LEASE)
    ids = session.scalars(
        select(WebhookDelivery.id)
        .where(WebhookDelivery.endpoint_id == endpoint_id, _PENDING, at_rest)
        .limit(_DROPPED_A_TRANSACTION)
        .with_for_update(skip_locked=True)
    ).all()
    if ids:
        dead = update(WebhookDelivery).where(WebhookDelivery.id.in_(ids)).values(status="dead", last_error=why)
        session.execute(dead, _AS_IT_IS)
    return len(ids)


def _open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Which endpoints may be sent something."""
    return _WANTED, or_(WebhookEndpoint.rest_until.is_(None), WebhookEndpoint.rest_until <= now)


def _note(session: Session, ended: Ended, *, now: datetime) -> None:
    """Write down of an endpoint what an attempt says of it as a whole."""
    endpoint = find_endpoint(session, ended.claimed.endpoint_id)
    if ended.rest_until is not None:
        endpoint.rest_until = ended.rest_until
    if ended.error is None:
        endpoint.failing_since = None
    elif endpoint.failing_since is None:
        endpoint.failing_since = ended.attempted_at
    elif endpoint.disabled_at is None and ended.attempted_at - endpoint.failing_since > FAILING_FOR:
        if ended.claimed.attempts > 0 or _was_tried(session, ended.claimed, since=ended.attempted_at - _PAUSE):
            why = f"It has taken nothing since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC."
            disable_endpoint(session, endpoint.id, why=why, now=now)
        else:
            # Nothing was sent for so long that nobody knows how it was meanwhile.
            endpoint.failing_since = ended.attempted_at
    if ended.disable is not None:
        disable_endpoint(session, endpoint.id, why=ended.disable, now=now)


def _was_tried(session: Session, claimed: Claimed, *, since: datetime) -> bool:
    """Whether an endpoint was sent anything else since an instant."""
    delivery = WebhookDelivery
    tried = select(delivery.id).where(delivery.endpoint_id == claimed.endpoint_id, delivery.id != claimed.delivery_id)
    return session.scalar(tried.where(delivery.last_attempt_at > since).limit(1)) is not None


def _tests(session: Session, ids: Sequence[int]) -> set[int]:
    """Return which deliveries are tests, which whoever asked for them wants at once, whatever waits."""
    if not ids:
        return set()
    query = select(WebhookDelivery.id).join(OutboxEvent, OutboxEvent.id == WebhookDelivery.event_id)
    return set(session.scalars(query.where(WebhookDelivery.id.in_(ids), OutboxEvent.kind == TEST_KIND)))


def _first(session: Session, endpoint_id: int, customer: int | None) -> int | None:
    """Return the first that is pending of a customer, or about none: one look by index, however much waits behind."""
    pending = select(WebhookDelivery.id).where(WebhookDelivery.endpoint_id == endpoint_id, _PENDING)
    if customer is None:
        is_test = exists().where(OutboxEvent.id == WebhookDelivery.event_id, OutboxEvent.kind == TEST_KIND)
        pending = pending.where(WebhookDelivery.customer_key.is_(None), ~is_test)
    else:
        pending = pending.where(WebhookDelivery.customer_key == customer)
    return session.scalar(pending.order_by(WebhookDelivery.id).limit(1))


def _set_aside(session: Session, waits_for: Mapping[int, int], *, now: datetime) -> None:
    """Look at deliveries again only when the one that each waits for may be sent."""
    if not waits_for:
        return
    heads = select(WebhookDelivery.id, WebhookDelivery.next_attempt_at)
    due_at = dict(session.execute(heads.where(WebhookDelivery.id.in_(set(waits_for.values())))).all())
    soonest = now + _SET_ASIDE
    session.execute(
        update(WebhookDelivery),
        [
            {"id": key, "next_attempt_at": max(due_at.get(head, soonest), soonest)}
            for key, head in sorted(waits_for.items())
        ],
    )


def _bring_back(session: Session, endpoint_id: int, customer: int | None, *, now: datetime) -> None:
    """Make due what comes next of a customer, if it was never tried: what was keeps its own time."""
    first = _first(session, endpoint_id, customer)
    if first is not None:
        # Whenever it is due: another worker may be setting it aside this moment, and is waited for only by a statement
        # that would change the row as it was before.
        untried = and_(WebhookDelivery.id == first, WebhookDelivery.last_attempt_at.is_(None))
        session.execute(update(WebhookDelivery).where(untried).values(next_attempt_at=now), _AS_IT_IS)


def _leased(session: Session, ids: Sequence[int], *, now: datetime) -> list[Claimed]:
    lease_until = now + LEASE
    ours = update(WebhookDelivery).where(WebhookDelivery.id.in_(ids))
    session.execute(ours.values(next_attempt_at=lease_until, last_attempt_at=now), _AS_IT_IS)
    rows = session.execute(
        select(WebhookDelivery, OutboxEvent, WebhookEndpoint)
        .join(OutboxEvent, OutboxEvent.id == WebhookDelivery.event_id)
        .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .outerjoin(Customer, Customer.id == WebhookDelivery.customer_key)
        # Of whoever is being erased nothing goes out any more.
        .where(WebhookDelivery.id.in_(ids), Customer.erased_at.is_(None))
    )
    found = {
        delivery.id: Claimed(
            delivery_id=delivery.id,
            endpoint_id=endpoint.id,
            event_id=event.id,
            attempts=delivery.attempts,
            lease_until=lease_until,
            url=endpoint.url,
            secrets=signing_secrets(endpoint, now=now),
            kind=event.kind,
            occurred_at=event.occurred_at,
            data=event.data,
        )
        for delivery, event, endpoint in rows
    }
    return [found[key] for key in ids if key in found]
