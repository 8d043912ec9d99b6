"""Who asks, and whether they may: every route names the scope that it needs.

A key comes as user name or password of Basic authentication (what a browser's own dialogue sends), as bearer token, or,
on routes that take events, in the body. Without any key in the database, and if the settings say so, the service is
open: everybody may do everything, and `service.host_check` sees to it that this is nobody but this machine.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import Any, cast

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBase
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from service.exceptions import NoKeyError, ScopeError, TooManyRequestsError, UnknownKeyError
from service.known_keys import KnownKeys
from service.rate_limit import MonotonicClock, TokenBuckets
from store.api_keys import KEY_PREFIX, SEND_EVENTS, allows
from store.engine import Database

__all__ = ["Access", "Caller", "caller_of_events", "needs", "secret_in"]

# Of secrets that are no key's, by the address that they come from.
_UNKNOWN_PER_SECOND = 10.0
_MOST_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes
    ----------
    key_id : int or None
        None where the service is open.
    scope : str
        That of the key; where the service is open, the one that was needed.
    source_id, source : int and str, or None
        Of a key that sends events: in whose name.
    """

    key_id: int | None
    scope: str
    source_id: int | None
    source: str | None


class Access:
    """Lets callers in.

    Parameters
    ----------
    database : Database
    may_be_open : bool
        Whether everybody is let in while there is no key at all.
    requests_per_second : float
        Of one key, counted by this process for itself.
    clock : MonotonicClock
    """

    def __init__(
        self, database: Database, *, may_be_open: bool, requests_per_second: float, clock: MonotonicClock
    ) -> None:
        self._keys = KnownKeys(database, clock=clock)
        self._may_be_open = may_be_open
        self._of_keys = TokenBuckets(requests_per_second, most=_MOST_BUCKETS, clock=clock)
        self._of_strangers = TokenBuckets(_UNKNOWN_PER_SECOND, most=_MOST_BUCKETS, clock=clock)

    async def is_open(self) -> bool:
        """Whether everybody is let in: the settings say so, and no key was ever made."""
        return self._may_be_open and not await self._keys.is_any()

    async def admit(self, secret: str | None, scope: str, *, address: str | None) -> Caller:
        """Let in who shows a secret and needs a scope.

        Parameters
        ----------
        secret : str or None
        scope : str
            One of `store.api_keys.SCOPES`.
        address : str or None
            From where; those who try secrets from one address share what they may.

        Raises
        ------
        NoKeyError, UnknownKeyError, ScopeError, TooManyRequestsError
        """
        if await self.is_open():
            return Caller(key_id=None, scope=scope, source_id=None, source=None)
        if not secret:
            raise NoKeyError(scope)
        # Whoever tries secrets is stopped before the database is asked, but never a key that this process knows,
        # since behind a proxy others may have the same address.
        if not self._keys.has_found(secret):
            _stop_for(self._of_strangers.seconds_to_wait(address))
        key = await self._keys.find(secret)
        if key is None:
            _stop_for(self._of_strangers.take(address))
            raise UnknownKeyError
        _stop_for(self._of_keys.take(key.key_id))
        if not allows(key.scope, scope):
            raise ScopeError(scope, key.scope)
        return Caller(*key)


def secret_in(authorization: str | None) -> str | None:
    """Return the secret that the header `Authorization` brings, None if it brings none that can be read.

    Examples
    --------
    >>> secret_in("Bearer rg_abc"), secret_in("Basic cmdfYWJjOg=="), secret_in("Basic YW5uYTpyZ19hYmM=")
    ('rg_abc', 'rg_abc', 'rg_abc')
    """
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = b64decode(credentials, validate=True).decode().partition(":")
    except ValueError:
        # Neither base64 nor text: as good as nothing.
        return None
    return (password if password and not user.startswith(KEY_PREFIX) else user) or None


def needs(scope: str) -> Any:
    """Return the dependency of a route, or of all routes of a router, that needs a scope; as a parameter, a `Caller`.

    Examples
    --------
    >>> needs("scores:read").scopes
    ['scores:read']
    """
    return Security(_DOOR, scopes=[scope])


async def caller_of_events(request: Request, secret: str | None) -> Caller:
    """Let in who sends events.

    Parameters
    ----------
    request : Request
    secret : str or None
        The key in the header, or the one in the body where there is none.

    Raises
    ------
    NoKeyError, UnknownKeyError, ScopeError, TooManyRequestsError
    """
    return await _access(request).admit(secret, SEND_EVENTS, address=_address(request))


class _Door(SecurityBase):
    """The dependency behind `needs`, in one piece: each further one would cost a request as much as this whole check.

    That it is a security scheme puts it into the OpenAPI document, to which `service.openapi` adds the other scheme.
    """

    def __init__(self) -> None:
        self.model = HTTPBase(scheme="basic", description="The key as user name, or as password.")
        self.scheme_name = "basic"

    # A coroutine, so that a key that is remembered costs no step through the thread pool.
    async def __call__(self, request: Request, scopes: SecurityScopes) -> Caller:
        secret = secret_in(request.headers.get("authorization"))
        return await _access(request).admit(secret, scopes.scopes[0], address=_address(request))


_DOOR = _Door()


def _access(request: Request) -> Access:
    return cast(Access, request.app.state.services.access)


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _stop_for(seconds: float) -> None:
    if seconds > 0:
        raise TooManyRequestsError(seconds)
