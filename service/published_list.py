"""The run that lists show, with all that a reader needs to read its numbers: its sums and the rules behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from sqlalchemy.orm import Session

from models.segments import Cutoffs, SegmentPolicy
from service.exceptions import UnknownSegmentError
from service.run_aggregates import RunAggregates
from service.segment_rules import rules_in_words
from store import policies, registry
from store.engine import Database
from store.exceptions import StoreError
from store.lists import ScoreRow, iterate_segment
from store.scores import require_published_run
from store.tables import ScoringRun

__all__ = ["PublishedList", "read_published", "read_run", "read_whole_list", "require_segment"]


@dataclass(frozen=True, slots=True, eq=False)
class PublishedList:
    """One completed run, its sums, and its policy.

    Attributes
    ----------
    run : ScoringRun
    aggregates : RunAggregates
    policy : SegmentPolicy
        The version that the run used.
    rules : dict of segment to text
    """

    run: ScoringRun
    aggregates: RunAggregates
    policy: SegmentPolicy
    rules: dict[str, str]


def read_published(session: Session) -> PublishedList:
    """Read the run that lists show now; raises `StoreError` before the first."""
    return read_run(session, require_published_run(session))


def read_run(session: Session, run: ScoringRun) -> PublishedList:
    """Read what belongs to a completed run.

    Parameters
    ----------
    session : Session
    run : ScoringRun
        Completed, so that its model and policy are known.

    Raises
    ------
    StoreError
        It is not completed.
    """
    if run.policy_version is None:
        raise StoreError(f"Scoring run {run.id} has not begun yet. Wait until it is completed.")
    policy = SegmentPolicy.from_dict(policies.read_policy(session, run.policy_version))
    model = registry.find_version(session, str(run.model_version))
    cutoffs = policies.read_cutoffs(session, model_version=model.version, policy_version=run.policy_version)
    settings = model.report.get("settings", {})
    aggregates = RunAggregates.of(run)
    rules = rules_in_words(
        policy,
        cutoffs=None if cutoffs is None else Cutoffs.from_dict(cutoffs),
        horizon_days=settings.get("horizon_days"),
        activity_days=settings.get("activity_days"),
        currency=aggregates.currency,
    )
    return PublishedList(run, aggregates, policy, rules)


def read_whole_list(
    database: Database, segment: str, *, budget: int | None
) -> tuple[Iterator[ScoreRow], PublishedList]:
    """Begin to read a whole list, so that what can go wrong goes wrong before anything is answered.

    Returns
    -------
    rows : iterator of ScoreRow
        All of one run, even if another is published meanwhile.
    published : PublishedList
        That run.
    """
    rows = iterate_segment(database, segment, budget=budget)
    first = next(rows, None)
    with database.read() as session:
        if first is None:
            return iter(()), read_published(session)
        run = session.get_one(ScoringRun, first.score.scoring_run_id)
        return chain((first,), rows), read_run(session, run)


def require_segment(name: str, known: tuple[str, ...]) -> str:
    """Return the name of a segment; raises `UnknownSegmentError` with the names there are."""
    if name not in known:
        raise UnknownSegmentError(f"There is no segment {name!r}. Segments: {', '.join(known)}.")
    return name
