"""Customers scored again since the published run: their score, places, stays and what is told, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from store.bulk_load import load
from store.customer_keys import conditions
from store.engine import Database
from store.listings import PLACED_BY, places_of
from store.outbox import NUMBERS_TOLD, Audience, Numbers
from store.quality import keep_first_scores
from store.rescore_requests import Waiting
from store.scores import SCORE_COLUMNS
from store.tables import PublishedRun, RescoreRequest, Score, ScoringRun, SegmentListing
from store.tables.base import to_microseconds
from store.transitions import (
    ScoredBy,
    Transition,
    hold_customers,
    numbers_of,
    read_stays,
    write_transitions,
)

__all__ = ["Rescored", "write_rescored"]

_LISTING = ("scoring_run_id", "segment", "rank_value", "customer_key")


@dataclass(frozen=True, slots=True, eq=False)
class Rescored:
    """Some customers scored again as the published run scores.

    Attributes
    ----------
    run_id : int
        The run.
    as_of : datetime
        The instant that the scores speak of.
    requests : sequence of Waiting
        Which of them are answered, as they were when events were read; also those of customers who were gone by then.
    customer_keys : int64, shape (n,)
    columns : mapping of name to sequence of length n
        As `store.scores.write` takes them.
    """

    run_id: int
    as_of: datetime
    requests: Sequence[Waiting]
    customer_keys: NDArray[np.int64]
    columns: Mapping[str, Sequence[Any]]


def write_rescored(database: Database, rescored: Rescored, *, now: datetime) -> int:
    """Put new scores in the place of those of the published run, and remove the requests for them.

    Only of customers of whom nothing has come since their events were read: the others go on waiting. If another run
    has been published meanwhile, nothing is written. Requests of customers who were merged or erased are removed.

    Returns
    -------
    int
        How many requests were removed.
    """
    with database.write() as session:
        # Held to the end: whoever publishes another run waits, or has done so before and is seen here.
        published = session.scalar(select(PublishedRun.scoring_run_id).with_for_update(read=True))
        if published != rescored.run_id:
            return 0
        held = hold_customers(session, (request.customer_key for request in rescored.requests))
        told_by = _still_waiting(session, rescored.requests)
        answered = [i for i, key in enumerate(rescored.customer_keys.tolist()) if key in told_by and key in held]
        if answered:
            keys = rescored.customer_keys[answered]
            columns = {name: [rescored.columns[name][i] for i in answered] for name in SCORE_COLUMNS}
            _replace(session, rescored, keys, columns, told_by, now=now)
        done = set(rescored.customer_keys[answered].tolist()) | (told_by.keys() - held.keys())
        if done:
            _delete_requests(session, done)
        return len(done)


def _still_waiting(session: Session, requests: Sequence[Waiting]) -> dict[int, int | None]:
    """Return of whom nothing has come since, by key, each with the run that told of them last if that is known."""
    request = RescoreRequest
    wanted = {each.customer_key: each for each in requests}
    query = select(request.customer_key, request.requested_at, request.times, request.told_run_id)
    # Who holds one of them has just stored something new, or scores the customer too.
    query = query.where(request.customer_key.in_(wanted)).order_by(request.customer_key)
    rows = session.execute(query.with_for_update(skip_locked=True))
    return {key: told_run_id for key, *as_read, told_run_id in rows if wanted[key] == (key, *as_read)}


def _replace(
    session: Session,
    rescored: Rescored,
    keys: NDArray[np.int64],
    columns: Mapping[str, Sequence[Any]],
    told_by: Mapping[int, int | None],
    *,
    now: datetime,
) -> None:
    run = session.execute(
        select(
            ScoringRun.model_version,
            ScoringRun.policy_version,
            ScoringRun.memberships_recorded,
            ScoringRun.recorded_key,
            ScoringRun.replaced_run_id,
        ).where(ScoringRun.id == rescored.run_id)
    ).one()
    audience = Audience.of(session.connection())
    before: dict[int, Numbers] = {}
    if audience.of_scores:
        again = _scored_again(session, rescored.run_id, keys)
        unrecorded = set() if run.memberships_recorded else {key for key in keys.tolist() if key > run.recorded_key}
        # What the published run says of a customer was not told yet where its recording has left that to us.
        last_told = {
            key: told_by[key] or (run.replaced_run_id if key in unrecorded - again else rescored.run_id)
            for key in keys.tolist()
        }
        before = _numbers(session, last_told)
    _replace_rows(session, rescored, keys, columns)
    after = dict(
        zip(
            keys.tolist(),
            (
                dict(zip(NUMBERS_TOLD, row, strict=True))
                for row in zip(*(columns[n] for n in NUMBERS_TOLD), strict=True)
            ),
            strict=True,
        )
    )
    write_transitions(
        session,
        {
            key: Transition(segment, segments, before.get(key), after[key])
            for key, segment, segments in zip(keys.tolist(), columns["segment"], columns["segments"], strict=True)
        },
        read_stays(session, conditions(keys.tolist())),
        scored_by=ScoredBy(rescored.run_id, run.model_version, run.policy_version),
        as_of=rescored.as_of,
        now=now,
        audience=audience,
    )


def _scored_again(session: Session, run_id: int, keys: NDArray[np.int64]) -> set[int]:
    """Return who of these has been scored again under this run before."""
    query = select(Score.customer_key).where(Score.scoring_run_id == run_id, Score.customer_key.in_(keys.tolist()))
    return set(session.scalars(query.where(Score.rescored_at.is_not(None))))


def _numbers(session: Session, runs: Mapping[int, int | None]) -> dict[int, Numbers]:
    """Return the numbers of customers, each by the run given for it."""
    of_run: dict[int | None, list[int]] = defaultdict(list)
    for key, run_id in runs.items():
        of_run[run_id].append(key)
    found: dict[int, Numbers] = {}
    for run_id, keys in of_run.items():
        found |= numbers_of(session, run_id, Score.customer_key.in_(keys))
    return found


def _replace_rows(
    session: Session, rescored: Rescored, keys: NDArray[np.int64], columns: Mapping[str, Sequence[Any]]
) -> None:
    """Put scores and places in the stead of those that are there."""
    connection, run_id = session.connection(), rescored.run_id
    of_these = (Score.scoring_run_id == run_id, Score.customer_key.in_(keys.tolist()))
    rows = session.execute(select(Score.customer_key, *(getattr(Score, name) for name in PLACED_BY)).where(*of_these))
    stood = list(zip(*rows, strict=True))
    if stood:
        # What the run said at its own instant is what comes true or not.
        keep_first_scores(connection, [run_id], stood[0])
        places = places_of(np.array(stood[0], dtype=np.int64), dict(zip(PLACED_BY, stood[1:], strict=True)))
        key = SegmentListing.__table__.primary_key
        gone = [
            (run_id, name, rank_value, customer)
            for name, of_list in places.items()
            for rank_value, customer in zip(*(column.tolist() for column in of_list), strict=True)
        ]
        session.execute(
            delete(SegmentListing).where(tuple_(*key).in_(gone)).execution_options(synchronize_session=False)
        )
        session.execute(delete(Score).where(*of_these).execution_options(synchronize_session=False))
    n_rows = len(keys)
    names = ("scoring_run_id", "customer_key", "rescored_at", *columns)
    at = to_microseconds(rescored.as_of)
    load(connection, "score", names, [[run_id] * n_rows, keys, [at] * n_rows, *columns.values()])
    for name, (rank_value, of_list) in places_of(keys, columns).items():
        load(
            connection,
            "segment_listing",
            _LISTING,
            [[run_id] * len(of_list), [name] * len(of_list), rank_value, of_list],
        )


def _delete_requests(session: Session, keys: Collection[int]) -> None:
    session.execute(
        delete(RescoreRequest)
        .where(RescoreRequest.customer_key.in_(sorted(keys)))
        .execution_options(synchronize_session=False)
    )
