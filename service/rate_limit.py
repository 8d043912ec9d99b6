"""How often one may ask: a bucket of tokens each, which a request takes one from and time fills."""

from __future__ import annotations

from collections.abc import Callable, Hashable

__all__ = ["MonotonicClock", "TokenBuckets"]

# Seconds on a clock that never goes back.
MonotonicClock = Callable[[], float]

_BURST_SECONDS = 2.0


class TokenBuckets:
    """Buckets by name, each as full as two seconds of its rate, and at least one request.

    Parameters
    ----------
    per_second : float
        The rate of each bucket, above 0.
    most : int
        Buckets that are remembered. Beyond that the one taken from longest ago is forgotten, and so full again.
    clock : MonotonicClock

    Notes
    -----
    For one thread, such as that of an event loop: nothing here waits or locks.
    """

    def __init__(self, per_second: float, *, most: int, clock: MonotonicClock) -> None:
        self._per_second = per_second
        self._burst = max(_BURST_SECONDS * per_second, 1.0)
        self._most = most
        self._clock = clock
        # What was left, and when that was; the one taken from longest ago is the first.
        self._left: dict[Hashable, tuple[float, float]] = {}

    def seconds_to_wait(self, name: Hashable) -> float:
        """Return how long it is until a token is there, 0 if one is."""
        return max(1.0 - self._tokens(name, self._clock()), 0.0) / self._per_second

    def take(self, name: Hashable) -> float:
        """Take a token and return 0; if there is none, return the seconds until there is."""
        now = self._clock()
        tokens = self._tokens(name, now)
        if tokens < 1.0:
            return (1.0 - tokens) / self._per_second
        self._left.pop(name, None)
        self._left[name] = (tokens - 1.0, now)
        if len(self._left) > self._most:
            del self._left[next(iter(self._left))]
        return 0.0

    def _tokens(self, name: Hashable, now: float) -> float:
        tokens, since = self._left.get(name, (self._burst, now))
        return min(tokens + (now - since) * self._per_second, self._burst)
