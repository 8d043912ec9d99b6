"""Sources that send events, and the keys that say what their bearers may do.

AccessError (a StoreError)  a source or a key that can't be made, or that there is none of
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.exceptions import StoreError
from store.tables import ApiKey, Source

__all__ = [
    "ADMIN",
    "KEY_PREFIX",
    "SCOPES",
    "SEND_CONTACTS",
    "SEND_EVENTS",
    "AccessError",
    "KeyInUse",
    "ListedKey",
    "allows",
    "any_key",
    "create_key",
    "create_source",
    "find_key",
    "find_or_create_source",
    "list_keys",
    "list_sources",
    "revoke_key",
    "secret_hash",
]

SEND_EVENTS = "events:write"
SEND_CONTACTS = "contacts:write"
ADMIN = "admin"
SCOPES = (SEND_EVENTS, "scores:read", SEND_CONTACTS, "customers:erase", ADMIN)

# By which a secret is known for one, by people and by programs that look for secrets in texts.
KEY_PREFIX = "rg_"

_RANDOM_BYTES = 32
_BEGINNING = len(KEY_PREFIX) + 6
_LONGEST_NAME = 255


class AccessError(StoreError):
    """A source or a key that can't be made, or that there is none of."""


class KeyInUse(NamedTuple):
    """What a key that is not revoked stands for; one that sends events does it for a source."""

    key_id: int
    scope: str
    source_id: int | None
    source: str | None


class ListedKey(NamedTuple):
    """A key with the name of its source."""

    key: ApiKey
    source: str | None


def allows(held: str, needed: str) -> bool:
    """Whether who holds one scope may do what needs another.

    Examples
    --------
    >>> allows("admin", "scores:read"), allows("admin", "events:write"), allows("scores:read", "admin")
    (True, False, False)
    """
    # Events come from a source, which no administrator is.
    return held == needed or (held == ADMIN and needed != SEND_EVENTS)


def secret_hash(secret: str) -> bytes:
    """Return the SHA-256 of what a bearer shows, whatever text that is.

    The secrets are random and long, so that one round of a fast hash leaves nothing to guess.
    """
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def create_source(session: Session, name: str) -> Source:
    """Add a source that can be given keys.

    Raises
    ------
    AccessError
        There is one of that name, or the name can't be used.
    """
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise AccessError(f"Expected a name of 1 to {_LONGEST_NAME} characters that can be printed, got {name[:50]!r}.")
    if _find_source(session, name) is not None:
        raise AccessError(f"There is a source {name!r} already. Its keys: regulars keys list")
    source = Source(name=name)
    session.add(source)
    session.flush()
    return source


def find_or_create_source(session: Session, name: str) -> Source:
    """Return the source of a name, made if there is none."""
    return _find_source(session, name) or create_source(session, name)


def list_sources(session: Session) -> Sequence[Source]:
    """Return all sources by name, those of files too."""
    return session.scalars(select(Source).order_by(Source.name)).all()


def create_key(session: Session, scope: str, *, source: str | None, now: datetime) -> tuple[str, ApiKey]:
    """Make a key.

    Parameters
    ----------
    session : Session
    scope : str
        One of `SCOPES`.
    source : str or None
        The name of the source, for a key that sends events; None for any other.
    now : datetime

    Returns
    -------
    tuple of str and ApiKey
        The secret, which is kept nowhere, and the key.

    Raises
    ------
    AccessError
        There is no such scope or source, or they don't go together.
    """
    if scope not in SCOPES:
        raise AccessError(f"Expected one of the scopes {', '.join(SCOPES)}, got {scope[:50]!r}.")
    if (source is not None) != (scope == SEND_EVENTS):
        raise AccessError(f"A key that sends events ({SEND_EVENTS}) does it for a source, and no other key has one.")
    source_id = None if source is None else _source_id(session, source)
    secret = KEY_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    key = ApiKey(
        secret_hash=secret_hash(secret),
        beginning=secret[:_BEGINNING],
        scope=scope,
        source_id=source_id,
        created_at=now,
    )
    session.add(key)
    session.flush()
    return secret, key


def find_key(session: Session, secret: str) -> KeyInUse | None:
    """Return the key of a secret, None if nobody holds such a one any more.

    It is looked up by its hash, so that how long that takes tells nothing of how much of a guess is right.
    """
    found = session.execute(
        select(ApiKey.id, ApiKey.scope, ApiKey.source_id, Source.name)
        .outerjoin(Source, Source.id == ApiKey.source_id)
        .where(ApiKey.secret_hash == secret_hash(secret), ApiKey.revoked_at.is_(None))
    ).first()
    return None if found is None else KeyInUse(*found)


def any_key(session: Session) -> bool:
    """Whether a key was ever made; one that is revoked counts, so that what was closed is not open again by that."""
    return session.scalar(select(ApiKey.id).limit(1)) is not None


def list_keys(session: Session) -> list[ListedKey]:
    """Return all keys, the oldest first, revoked ones too."""
    rows = session.execute(
        select(ApiKey, Source.name).outerjoin(Source, Source.id == ApiKey.source_id).order_by(ApiKey.id)
    )
    return [ListedKey(key, source) for key, source in rows]


def revoke_key(session: Session, key_id: int, *, now: datetime) -> ApiKey:
    """Take a key back for good; one that was taken back before keeps the instant of that.

    Raises
    ------
    AccessError
        There is no such key.
    """
    key = session.get(ApiKey, key_id)
    if key is None:
        raise AccessError(f"There is no key {key_id}. Those there are: regulars keys list")
    key.revoked_at = key.revoked_at or now
    return key


def _find_source(session: Session, name: str) -> Source | None:
    return session.scalars(select(Source).where(Source.name == name)).first()


def _source_id(session: Session, name: str) -> int:
    source = _find_source(session, name)
    if source is None:
        raise AccessError(f"There is no source {name[:50]!r}. Make it first: regulars sources create NAME")
    return source.id
