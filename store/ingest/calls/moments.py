"""When a call's thing happened: the sender's timestamp, corrected where the sender's clock is wrong.

`reported_at` stays as it was said, since it is part of a fact's identity and must be the same when the call comes
again; the correction, which is another at each sending, moves `occurred_at` alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from store.ingest.calls.members import Json, MemberError, converted
from store.ingest.clock import Clock
from store.ingest.instants import InstantReader
from store.ingest.rejections import CellError
from store.settings import Settings
from store.tables.base import to_microseconds

__all__ = ["Moments"]

_MICROSECOND = timedelta(microseconds=1)
# What a request may take on its way, or wait for its next try: no wrong clock.
_ON_THE_WAY = timedelta(minutes=1) // _MICROSECOND
# Sent longer ago, a request was kept back, or is a replay; its clock was right then.
_MOST_BEHIND = timedelta(hours=24) // _MICROSECOND
_DAY = timedelta(days=1) // _MICROSECOND
_MILLISECOND = timedelta(milliseconds=1) // _MICROSECOND
_YEAR_2001 = to_microseconds(datetime(2001, 1, 1, tzinfo=UTC))
# Further ahead `sentAt` is no clock's.
_MOST_AHEAD = timedelta(days=366) // _MICROSECOND


class Moments:
    """Reads the instants of the calls of one request.

    Parameters
    ----------
    settings : Settings
        For the time zone in which instants without an offset are meant.
    received_at : datetime
        Aware.
    """

    def __init__(self, settings: Settings, received_at: datetime) -> None:
        self._clock = Clock(received_at)
        self._read_instant = InstantReader(ZoneInfo(settings.timezone))

    def correction(self, sent_at: object) -> int:
        """Return what is to be added to the sender's instants, in microseconds.

        By the sender's clock the request left at `sent_at`, by ours it came now. The difference is taken for the
        clock's error if the clock is ahead by more than a minute (and at most a year), or behind by more than a minute
        and at most 24 h. 0 too where `sent_at` is no instant.
        """
        if sent_at is None:
            return 0
        try:
            instant = self._instant(sent_at, "")
        except MemberError:
            return 0
        if instant is None:
            return 0
        behind = self._clock.received_at - instant
        return behind if _ON_THE_WAY < behind <= _MOST_BEHIND or -_MOST_AHEAD <= behind < -_ON_THE_WAY else 0

    def read(self, call: Json, correction: int) -> tuple[int, int]:
        """Return `occurred_at` and `reported_at` in microseconds; both are now if the call names no instant.

        Parameters
        ----------
        call : mapping
            With `timestamp`, or else `originalTimestamp`.
        correction : int
            Microseconds.
        """
        for name in ("timestamp", "originalTimestamp"):
            value = call.get(name)
            if value is not None:
                reported_at = self._instant(value, name)
                if reported_at is not None:
                    try:
                        corrected = self._clock.admit(reported_at + correction)
                    except CellError as error:
                        raise MemberError(name, value, error.code, error.reason) from None
                    return min(corrected, self._clock.received_at), reported_at
        return self._clock.received_at, self._clock.received_at

    def _instant(self, value: object, path: str) -> int | None:
        """Return an instant in microseconds; a number is milliseconds since 1970 if it can be so."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            latest = self._clock.received_at + _DAY
            if _YEAR_2001 <= value * _MILLISECOND <= latest:
                return round(value * _MILLISECOND)
        return converted(self._read_instant, value, path)
