"""The keys of the database, remembered for some seconds, so that an ordinary request asks for none."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool

from service.rate_limit import MonotonicClock
from store.api_keys import KeyInUse, any_key, find_key, secret_hash
from store.engine import Database

__all__ = ["SECONDS_REMEMBERED", "KnownKeys"]

# So long may a key that is revoked still be taken, and one that was tried before it was made be refused.
SECONDS_REMEMBERED = 5.0
_MOST_UNKNOWN = 1_000
# Senders are answered within five seconds, of which storing may take most.
_SECONDS_TO_READ = 1.5


class KnownKeys:
    """Who holds a secret.

    Parameters
    ----------
    database : Database
        Asked in another thread than that of the event loop.
    clock : MonotonicClock
    """

    def __init__(self, database: Database, *, clock: MonotonicClock) -> None:
        self._database = database
        self._clock = clock
        # By hash, not by secret: what is in memory is then of no use to who reads it. With the end of its time.
        self._found: dict[bytes, tuple[KeyInUse, float]] = {}
        self._unknown: dict[bytes, float] = {}
        self._is_any = False
        self._asked_for_any_until = float("-inf")

    async def is_any(self) -> bool:
        """Whether a key was ever made; once there is one, that is never asked again."""
        now = self._clock()
        if not self._is_any and now >= self._asked_for_any_until:
            self._is_any = await run_in_threadpool(self._read_any)
            self._asked_for_any_until = now + SECONDS_REMEMBERED
        return self._is_any

    def has_found(self, secret: str) -> bool:
        """Whether a secret was a key's when it was last looked up."""
        return secret_hash(secret) in self._found

    async def find(self, secret: str) -> KeyInUse | None:
        """Return the key of a secret, None if nobody holds such a one any more."""
        hashed, now = secret_hash(secret), self._clock()
        if hashed in self._found:
            key, until = self._found[hashed]
            if now < until:
                return key
        if now < self._unknown.get(hashed, now):
            return None
        found = await run_in_threadpool(self._read_key, secret)
        self._remember(hashed, found, until=now + SECONDS_REMEMBERED)
        return found

    def _remember(self, hashed: bytes, key: KeyInUse | None, *, until: float) -> None:
        self._found.pop(hashed, None)
        self._unknown.pop(hashed, None)
        if key is not None:
            self._found[hashed] = (key, until)
            return
        # There are as many keys as were made, but as many secrets as somebody likes to try.
        if len(self._unknown) >= _MOST_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[hashed] = until

    def _read_any(self) -> bool:
        with self._database.read(within=_SECONDS_TO_READ) as session:
            return any_key(session)

    def _read_key(self, secret: str) -> KeyInUse | None:
        with self._database.read(within=_SECONDS_TO_READ) as session:
            return find_key(session, secret)
