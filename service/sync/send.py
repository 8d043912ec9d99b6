"""Sending a segment of the published run to a target: customer by customer in order of their keys, in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.published_list import PublishedList, list_of_customers, read_published
from service.sync.target import Row, SyncHead, Target
from store.campaign_arms import held_by_campaigns
from store.engine import Database
from store.held_out import read_held_out
from store.listings import propensity_list
from store.sync_points import Changes, Numbers, SyncAttempt, begin_sync, changes_between
from store.tables import Customer, Score

__all__ = ["Synced", "send_segment"]

ROWS_A_BATCH = 1_000
_KEYS_A_READ = 2_000
_NUMBERS = (
    "value_at_risk",
    "churn_probability",
    "clv",
    "expected_purchases",
    "p_alive",
    "days_since_last_purchase",
)


@dataclass(frozen=True, slots=True)
class Synced:
    """What a target was told.

    Attributes
    ----------
    scoring_run_id : int
    rows : Counter of action
        Of rows: member, entered, changed, left.
    erased : int
        Customers erased since the target had last been sent all, of whom it was not told.
    """

    scoring_run_id: int
    rows: Counter[str]
    erased: int


@dataclass(frozen=True, slots=True)
class _Told:
    """One row on its way: whose, and what is kept of it."""

    key: int
    numbers: Numbers | None
    row: Row


def send_segment(
    database: Database,
    segment: str,
    target: Target,
    *,
    difference: bool,
    thresholds: Mapping[str, float],
    now: Callable[[], datetime],
    progress: Callable[[float], None] = lambda _: None,
) -> Synced:
    """Tell a target of a segment of the published run.

    Parameters
    ----------
    database : Database
    segment : str
        Or `all`.
    target : Target
    difference : bool
        Whether it is told only what is otherwise than it was last told.
    thresholds : mapping of number to float
        By how much a number has to differ to be told again; without any, only who came and left.
    now : callable
    progress : callable
        Told the share done.

    Raises
    ------
    UnknownSegmentError, StoreError, SyncError
        Nothing is lost: what the target took is kept in mind, and the next sync goes on from there.
    """
    name = list_of_customers(segment).name
    with database.read() as session:
        published = read_published(session)
    sync = begin_sync(database, target.name, name)
    head = _head(published, name, sync, difference=difference)
    rows: Counter[str] = Counter()
    try:
        target.begin(head)
        told = _all_told(database, published, sync, head, thresholds, progress)
        for batch, last in _in_batches(told):
            kept = {each.key: each.numbers for each in batch if each.numbers is not None}
            there = sync.mark(kept, [each.key for each in batch if each.numbers is None])
            # They were read a while ago; whoever was erased since is not told.
            still = [each for each in batch if each.key in there]
            target.send([each.row for each in still], last=last)
            if target.takes_batches:
                sync.settle([each.key for each in still])
            rows.update(each.row["action"] for each in still)
        target.finish()
    except BaseException:
        target.abandon()
        raise
    if not target.takes_batches:
        sync.settle_all()
    if not difference:
        sync.forget_others()
    sync.finish(published.run.id, whole=not difference, now=now())
    return Synced(published.run.id, rows, sync.erased if difference else 0)


def _head(published: PublishedList, segment: str, sync: SyncAttempt, *, difference: bool) -> SyncHead:
    run = published.run
    propensities = map(propensity_list, published.propensities)
    return SyncHead(
        segment=segment,
        mode="difference" if difference else "whole",
        scoring_run_id=run.id,
        model_version=run.model_version or 0,
        as_of="" if run.as_of is None else run.as_of.isoformat(),
        currency=published.aggregates.currency,
        sync=sync.attempt,
        columns=("action", "customer_id", "segment", "segments", "held_out", *_NUMBERS, *propensities, "sentence"),
        erased=sync.erased if difference else 0,
    )


def _all_told(
    database: Database,
    published: PublishedList,
    sync: SyncAttempt,
    head: SyncHead,
    thresholds: Mapping[str, float],
    progress: Callable[[float], None],
) -> Iterator[_Told]:
    """Give all that is to be told, in order of the customers' keys; each read is short."""
    for low in range(1, sync.highest_key + 1, _KEYS_A_READ):
        high = low + _KEYS_A_READ - 1
        with database.read() as session:
            changes = changes_between(
                session,
                sync,
                published.run.id,
                head.segment,
                low,
                high,
                whole=head.mode == "whole",
                thresholds=thresholds,
            )
            told = _rows(session, published, head, changes)
        yield from told
        progress(min(high / sync.highest_key, 1.0))


def _rows(session: Session, published: PublishedList, head: SyncHead, changes: Changes) -> list[_Told]:
    numbers = {**changes.entered, **changes.changed}
    told = [_left(key, customer_id, head) for key, customer_id in changes.left.items()]
    keys = sorted(numbers)
    held_out = read_held_out(session, published.policy.held_out_share)
    as_of = published.run.as_of
    for start in range(0, len(keys), ROWS_A_BATCH):
        some = keys[start : start + ROWS_A_BATCH]
        by_campaigns = set() if as_of is None else held_by_campaigns(session, some, as_of=as_of)
        query = (
            select(Score, Customer.customer_id)
            .join(Customer, Customer.id == Score.customer_key)
            .where(Score.scoring_run_id == published.run.id, Score.customer_key.in_(some))
        )
        for score, customer_id in session.execute(query):
            action = "changed" if score.customer_key in changes.changed else "entered"
            if head.mode == "whole":
                action = "member"
            key = score.customer_key
            row = _row(action, customer_id, score, published, is_held_out=key in held_out or key in by_campaigns)
            told.append(_Told(key, numbers[key], row))
    return sorted(told, key=lambda each: each.key)


def _row(action: str, customer_id: str, score: Score, published: PublishedList, *, is_held_out: bool) -> Row:
    explained = published.explained(score)
    return {
        "action": action,
        "customer_id": customer_id,
        "segment": score.segment,
        "segments": score.segments,
        "held_out": is_held_out,
        **{name: explained.columns[name] for name in _NUMBERS},
        **{
            propensity_list(name): None if told is None else told.probability
            for name, told in explained.propensities.items()
        },
        "sentence": None if explained.churn is None else explained.churn.sentence,
    }


def _left(key: int, customer_id: str, head: SyncHead) -> _Told:
    row: Row = {**dict.fromkeys(head.columns), "action": "left", "customer_id": customer_id}
    return _Told(key, None, row)


def _in_batches(told: Iterator[_Told]) -> Iterator[tuple[Sequence[_Told], bool]]:
    """Give batches, each with whether it is the last; there is always one, so that a target learns of the end."""
    batch: list[_Told] = []
    for each in told:
        if len(batch) == ROWS_A_BATCH:
            yield batch, False
            batch = []
        batch.append(each)
    yield batch, True
