"""An address as target of a sync: batches of JSON by POST, sent again until each is taken."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3

from service.exceptions import SyncError
from service.sync.target import Row, SyncHead

__all__ = ["UrlTarget"]

_ATTEMPTS = 8
_LONGEST_WAIT = 300.0
_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)


class UrlTarget:
    """An address that takes batches of rows.

    Whoever runs the command names it, so that one within the own network is as good as any other.

    Parameters
    ----------
    url : str
    token : str, optional
        Sent as bearer token.
    wait : callable
        Waits for so many seconds.

    Raises
    ------
    SyncError
        It is no address, or has a password in it, which would be kept with it.
    """

    takes_batches = True

    def __init__(self, url: str, *, token: str | None = None, wait: Callable[[float], None] = time.sleep) -> None:
        try:
            parsed = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError as error:
            raise SyncError(f"Expected an address such as https://example.com/segments, got {url!r}.") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise SyncError(f"Expected an address that begins with http:// or https://, got {url!r}.")
        if parsed.auth is not None:
            raise SyncError("The address has a user or password in it. Give a token by REGULARS_SYNC_TOKEN instead.")
        self.name = url
        self._wait = wait
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)
        self._headers = {"Content-Type": "application/json", "User-Agent": "regulars"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._head: dict[str, Any] = {}
        self._batch = 0

    def begin(self, head: SyncHead) -> None:
        """Take what goes with every batch."""
        self._head = asdict(head)
        del self._head["columns"]

    def send(self, rows: Sequence[Row], *, last: bool) -> None:
        """Send a batch until it is taken.

        Raises
        ------
        SyncError
            It is refused, or was not taken after several attempts.
        """
        self._batch += 1
        told = {**self._head, "batch": self._batch, "last": last, "rows": list(rows)}
        body = json.dumps(told, ensure_ascii=False, allow_nan=False).encode()
        # The same content has the same key, however often it is sent.
        headers = {**self._headers, "Idempotency-Key": hashlib.sha256(body).hexdigest()}
        for attempt in range(_ATTEMPTS):
            status, retry_after, why = self._post(body, headers)
            if status is not None and 200 <= status < 300:
                return
            if status is not None and status != 429 and status < 500:
                raise SyncError(
                    f"{self.name} answered batch {self._batch} with {status}: it does not take it. What it took before "
                    "is kept in mind; run the same command with --difference once that is mended."
                )
            if attempt + 1 < _ATTEMPTS:
                self._wait(min(retry_after if retry_after is not None else 2.0**attempt, _LONGEST_WAIT))
        raise SyncError(
            f"{self.name} did not take batch {self._batch} in {_ATTEMPTS} attempts ({why}). What it took before is "
            "kept in mind; run the same command with --difference later."
        )

    def finish(self) -> None:
        """Close connections; every batch is there already."""
        self._pool.clear()

    def abandon(self) -> None:
        """Close connections."""
        self._pool.clear()

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int | None, float | None, str]:
        """Send once; return status (None where no answer came), seconds to wait if the answer says so, and why."""
        try:
            answer = self._pool.request("POST", self.name, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            return None, None, type(error).__name__
        return answer.status, _seconds(answer.headers.get("Retry-After")), f"status {answer.status}"


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header: seconds, or an instant."""
    if retry_after is None:
        return None
    try:
        return max(float(retry_after), 0.0)
    except ValueError:
        pass
    try:
        instant = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max((instant - datetime.now(UTC)).total_seconds(), 0.0)
