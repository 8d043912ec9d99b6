"""Who is to be scored again: asked for in the transaction that stores something new, taken up by a worker."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, select
from sqlalchemy.orm import Session

from store.bulk_read import driver_of
from store.engine import Database
from store.tables import PublishedRun, RescoreRequest, ScoringRun

__all__ = ["RescoreRequests", "Waiting", "forget_before_first_run", "oldest", "waiting"]

# So many that the lock is held for well under 100 ms.
_REQUESTS_A_TRANSACTION = 5_000

# In order of keys, so that those who ask for the same customers wait for each other and never in a circle.
_ASK = (
    "INSERT INTO rescore_request (customer_key, requested_at, times) SELECT {keys} ORDER BY {key} "
    "ON CONFLICT (customer_key) DO UPDATE SET times = rescore_request.times + 1"
)
_ASK_SQLITE = _ASK.format(keys="value, ?, 1 FROM json_each(?) WHERE true", key="value")
_ASK_POSTGRESQL = _ASK.format(keys="key, %s, 1 FROM unnest(%s::integer[]) AS asked (key)", key="key")


class Waiting(NamedTuple):
    """A request as it was when it was read.

    Attributes
    ----------
    customer_key : int
    requested_at : datetime
    times : int
        With `requested_at` they tell whether more has been asked for since.
    """

    customer_key: int
    requested_at: datetime
    times: int


class RescoreRequests:
    """Gathers of whom a transaction stores something new, and asks at its end for all of them at once.

    Parameters
    ----------
    connection : Connection
        What it writes on, inside the transactions that the caller begins and in which the customers are held.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._keys: set[int] = set()

    def add(self, customer_keys: Iterable[int]) -> None:
        """Remember customers of whom something new has been stored."""
        self._keys.update(customer_keys)

    def merged(self, merged: int, into: int) -> None:
        """Remember that one customer's history has become another's."""
        self._keys.discard(merged)
        self._keys.add(into)

    def write(self, *, at: int) -> None:
        """Ask for all of them, also before anybody has been scored: a first run may have read them already.

        Parameters
        ----------
        at : int
            Microseconds since 1970-01-01 UTC.
        """
        keys, self._keys = sorted(self._keys), set()
        if not keys:
            return
        driver = driver_of(self._connection)
        if self._is_sqlite:
            driver.execute(_ASK_SQLITE, (at, json.dumps(keys)))
        else:
            driver.execute(_ASK_POSTGRESQL, (at, keys))

    def rolled_back(self) -> None:
        """Remember nothing of a transaction that was taken back."""
        self._keys.clear()


def oldest(session: Session, limit: int) -> Sequence[int]:
    """Return the customers who have waited longest, by key, at most so many."""
    query = select(RescoreRequest.customer_key).order_by(RescoreRequest.requested_at, RescoreRequest.customer_key)
    return session.scalars(query.limit(limit)).all()


def waiting(session: Session, customer_keys: Sequence[int]) -> list[Waiting]:
    """Return what is asked for of these customers, by key."""
    request = RescoreRequest
    query = select(request.customer_key, request.requested_at, request.times)
    rows = session.execute(query.where(request.customer_key.in_(customer_keys)).order_by(request.customer_key))
    return [Waiting(*row) for row in rows]


def forget_before_first_run(database: Database, run_id: int) -> None:
    """Remove, before the first run reads anybody, the requests for what it is going to read.

    In short transactions; none is removed once a run is published, or while another one is at work that has read
    before and may be the first to be published.
    """
    key = RescoreRequest.customer_key
    others = exists().where(ScoringRun.status == "running", ScoringRun.id != run_id)
    low = 0
    while True:
        # In order of keys, as whoever asks does; who holds one has just stored something new.
        some = select(key).where(key > low).order_by(key).limit(_REQUESTS_A_TRANSACTION)
        some = some.with_for_update(skip_locked=True)
        remove = delete(RescoreRequest).where(key.in_(some), ~exists(select(PublishedRun.id)), ~others).returning(key)
        with database.write() as session:
            removed = session.scalars(remove, execution_options={"synchronize_session": False}).all()
        if not removed:
            return
        low = max(removed)
