"""When a webhook that failed is tried again: the example schedule of the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks, "Deliverability and reliability": at once, then after 5 s,
5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, ten attempts over 75 h 35 min 5 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random

__all__ = ["DELAYS", "JITTER", "LONGEST_RETRY_AFTER", "MOST_ATTEMPTS", "read_retry_after", "retry_at"]

# Between an attempt and the next one.
DELAYS: Sequence[timedelta] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_ATTEMPTS = len(DELAYS) + 1
# The largest share of a delay that is added to it, so that what failed at once does not come back at once.
JITTER = 0.1
LONGEST_RETRY_AFTER = timedelta(hours=24)


def retry_at(
    attempts: int, *, failed_at: datetime, retry_after: timedelta | None, randomness: Random
) -> datetime | None:
    """Return when to try again, None after the last attempt.

    Parameters
    ----------
    attempts : int
        Made by now, the one that failed included.
    failed_at : datetime
    retry_after : timedelta or None
        What the receiver asked for; it is not asked earlier than that, nor earlier than the schedule says.
    randomness : Random
        Of the jitter.
    """
    if attempts >= MOST_ATTEMPTS:
        return None
    delay = max(DELAYS[attempts - 1], min(retry_after or timedelta(0), LONGEST_RETRY_AFTER))
    return failed_at + delay * (1 + randomness.uniform(0, JITTER))


def read_retry_after(header: str | None, *, now: datetime) -> timedelta | None:
    """Read the header `Retry-After`: seconds, or a date; None if it is neither, or past.

    Examples
    --------
    >>> read_retry_after("120", now=datetime(2026, 3, 1, tzinfo=UTC))
    datetime.timedelta(seconds=120)
    >>> read_retry_after("Sun, 01 Mar 2026 00:01:00 GMT", now=datetime(2026, 3, 1, tzinfo=UTC))
    datetime.timedelta(seconds=60)
    """
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        # A number of any length: what is beyond the bound is the bound.
        seconds = LONGEST_RETRY_AFTER.total_seconds() if len(text) > 9 else int(text)
        return min(timedelta(seconds=seconds), LONGEST_RETRY_AFTER) if seconds > 0 else None
    try:
        date = parsedate_to_datetime(text)
        wait = (date if date.tzinfo is not None else date.replace(tzinfo=UTC)) - now
    except (TypeError, ValueError, OverflowError):
        return None
    return min(wait, LONGEST_RETRY_AFTER) if wait > timedelta(0) else None
