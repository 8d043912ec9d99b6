"""What changes of customers from one score to the next: stays in segments and the telling of it, in one transaction."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from store.bulk_load import load
from store.bulk_read import read_blocks
from store.customer_keys import among
from store.outbox import (
    NUMBERS_TOLD,
    SCORE_CHANGED,
    SEGMENT_ENTERED,
    SEGMENT_LEFT,
    Audience,
    Change,
    Numbers,
    as_told,
)
from store.tables import Score, ScoringRun, SegmentMembership
from store.tables.base import to_microseconds
from store.told_scores import compare

__all__ = [
    "ScoredBy",
    "Stays",
    "Transition",
    "Written",
    "hold_customers",
    "numbers_of",
    "read_stays",
    "write_transitions",
]

# Of each customer who is in any, the segments that it is in now, with the id of the stay.
Stays = Mapping[int, Mapping[str, int]]

_CUSTOMERS = "SELECT id, customer_id, merged_into, erased_at FROM customer WHERE id"
_STAYS = "SELECT customer_key, segment, id FROM segment_membership WHERE left_at IS NULL AND customer_key"
_NOWHERE: Mapping[str, int] = {}
_ENTERED = ("customer_key", "segment", "entered_at", "entered_run_id")
_KEYS_A_STATEMENT = 5_000


class ScoredBy(NamedTuple):
    """What gave some scores."""

    run_id: int
    model_version: int | None
    policy_version: int | None

    @classmethod
    def of(cls, run: ScoringRun) -> ScoredBy:
        """Return what a run scores with."""
        return cls(run.id, run.model_version, run.policy_version)


class Transition(NamedTuple):
    """What a customer's score says now, and what the one before said.

    Attributes
    ----------
    segment : str
        The primary one.
    segments : str
        All, separated by a space.
    before, after : mapping of name to float or None
        By `NUMBERS_TOLD`; None where there is no such score. Only read where somebody asks.
    """

    segment: str
    segments: str
    before: Numbers | None
    after: Numbers | None


class Written(NamedTuple):
    """Of whom transitions have been written.

    Attributes
    ----------
    held : dict of key to customer_id
        Of these, and they are held now, as `hold_customers` says.
    next_key : int or None
        The first customer of whom nothing has been written because it was enough; None if there is none.
    """

    held: dict[int, str]
    next_key: int | None


def hold_customers(session: Session, keys: Iterable[int]) -> dict[int, str]:
    """Keep others from merging or wholly erasing customers until the transaction ends; return who is there.

    Whoever writes of customers holds them before all else, in order of keys, so that nobody waits in a circle.

    Returns
    -------
    dict of key to customer_id
        Without those who have been merged or erased.
    """
    wanted = sorted(set(keys))
    lock = "" if session.connection().dialect.name == "sqlite" else "FOR KEY SHARE"
    held: dict[int, str] = {}
    for start in range(0, len(wanted), _KEYS_A_STATEMENT):
        some = among(wanted[start : start + _KEYS_A_STATEMENT])
        for rows in read_blocks(session, f"{_CUSTOMERS} {some} ORDER BY id {lock}"):
            # Whether they are merged or erased is looked at once they are held.
            held |= {key: name for key, name, into, erased_at in rows if into is None and erased_at is None}
    return held


def numbers_of(session: Session, run_id: int | None, which: ColumnElement[bool]) -> dict[int, Numbers]:
    """Return the numbers that a run holds of the customers who meet a condition, by key; of no run nothing."""
    if run_id is None:
        return {}
    columns = [getattr(Score, name) for name in NUMBERS_TOLD]
    rows = session.execute(select(Score.customer_key, *columns).where(Score.scoring_run_id == run_id, which))
    return {key: dict(zip(NUMBERS_TOLD, numbers, strict=True)) for key, *numbers in rows}


def read_stays(session: Session, which: Iterable[str]) -> Stays:
    """Return the open stays of customers who meet any of some conditions on `customer_key`."""
    stays: dict[int, dict[str, int]] = defaultdict(dict)
    for condition in which:
        for rows in read_blocks(session, f"{_STAYS} {condition}"):
            for key, segment, stay in rows:
                stays[key][segment] = stay
    return stays


def write_transitions(
    session: Session,
    transitions: Mapping[int, Transition],
    stays: Stays,
    *,
    scored_by: ScoredBy,
    as_of: datetime,
    now: datetime,
    audience: Audience,
    also_hold: Iterable[int] = (),
    most_rows: float = math.inf,
) -> Written:
    """Open and close stays in segments, and write to the outbox what has changed.

    Parameters
    ----------
    session : Session
        Of a short transaction that holds the published run.
    transitions : mapping of key to Transition
        Of customers who may have been merged or erased since: of these nothing is written.
    stays : Stays
        The open ones of all these customers, as read in the same transaction.
    scored_by : ScoredBy
        What gave the scores.
    as_of : datetime
        The instant that they speak of.
    now : datetime
    audience : Audience
        Who is told.
    also_hold : iterable of int
        Customers of whom the caller goes on to write, up to where this has come.
    most_rows : float
        So many rows are written, customer by customer in order of keys, or those of one customer if they are more.

    Returns
    -------
    Written
    """
    leaving: list[tuple[int, str]] = []
    entering: list[tuple[int, str]] = []
    for key, transition in transitions.items():
        was_in, is_in = stays.get(key, _NOWHERE).keys(), _segments(transition.segments)
        if was_in != is_in:
            leaving += [(key, segment) for segment in was_in - is_in]
            entering += [(key, segment) for segment in is_in - was_in]
    compared = compare(session, {key: (each.before, each.after) for key, each in transitions.items()}, audience)
    n_rows = compared.n_rows()
    for kind, moves in ((SEGMENT_LEFT, leaving), (SEGMENT_ENTERED, entering)):
        rows_a_move = 1 + audience.n_rows(kind)
        for key, _ in moves:
            n_rows[key] += rows_a_move
    next_key = _first_beyond(n_rows, most_rows)
    concerned = n_rows.keys() | set(also_hold)
    held = hold_customers(session, (key for key in concerned if next_key is None or key < next_key))
    left = sorted(place for place in leaving if place[0] in held)
    if left:
        session.execute(
            update(SegmentMembership)
            .where(SegmentMembership.id.in_([stays[key][segment] for key, segment in left]))
            .values(left_at=as_of, left_run_id=scored_by.run_id)
            .execution_options(synchronize_session=False)
        )
    entered = sorted(place for place in entering if place[0] in held)
    if entered:
        keys, segments = zip(*entered, strict=True)
        of_all = [[value] * len(entered) for value in (to_microseconds(as_of), scored_by.run_id)]
        load(session.connection(), "segment_membership", _ENTERED, [keys, segments, *of_all])

    compared.write(session, held)
    if not audience.endpoints:
        return Written(held, next_key)
    made_with = {
        "model_version": scored_by.model_version,
        "policy_version": scored_by.policy_version,
        "as_of": as_told(as_of),
        "scoring_run_id": scored_by.run_id,
    }

    def told(key: int, segment: str, **further: Any) -> Mapping[str, Any]:
        return {"customer_id": held[key], "segment": segment, **made_with, **further}

    changes = [Change(SEGMENT_LEFT, key, told(key, segment)) for key, segment in left]
    changes += [Change(SEGMENT_ENTERED, key, told(key, segment)) for key, segment in entered]
    for key in sorted(compared.told.keys() & held.keys()):
        segment, _, _, after = transitions[key]
        for before, only in compared.told[key]:
            changes.append(Change(SCORE_CHANGED, key, told(key, segment, before=before, after=after), only))
    audience.write(session.connection(), changes, now=now)
    return Written(held, next_key)


def _first_beyond(n_rows: Mapping[int, int], most: float) -> int | None:
    """Return the first customer, but for the very first, with whom there would be too many rows."""
    total = 0
    for key, n in sorted(n_rows.items()):
        if total and total + n > most:
            return key
        total += n
    return None


@cache
def _segments(joined: str) -> frozenset[str]:
    """Return segments by their names, separated by spaces: of a million customers hardly more than a dozen differ."""
    return frozenset(joined.split())
