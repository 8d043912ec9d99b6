"""The run that lists show, with all that a reader needs to read its numbers: its sums and the rules behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from sqlalchemy.orm import Session

from features.targets import CHURN, Target
from models.segments import SEGMENTS, Cutoffs, SegmentPolicy
from service.exceptions import UnknownSegmentError, UnknownTargetError
from service.explained import ExplainedScore, explain, stored_columns
from service.modelled_targets import targets_of_report
from service.run_aggregates import RunAggregates
from service.segment_rules import rules_in_words
from store import policies, registry
from store.engine import Database
from store.exceptions import StoreError
from store.listings import propensity_list
from store.lists import Page, ScoreRow, iterate_segment, list_segment
from store.scores import require_published_run
from store.tables import Score, ScoringRun

__all__ = [
    "Listing",
    "PublishedList",
    "list_of_propensity",
    "list_of_segment",
    "read_page",
    "read_published",
    "read_run",
    "read_whole_list",
]


@dataclass(frozen=True, slots=True)
class Listing:
    """One of the lists of a run: the customers of a segment, or everybody whom the model of a propensity judges.

    Attributes
    ----------
    name : str
        In the store.
    propensity : str or None
        Name of its target.
    """

    name: str
    propensity: str | None = None

    @property
    def target(self) -> str:
        """Whose reasons its sentences tell."""
        return self.propensity or CHURN


def list_of_segment(name: str) -> Listing:
    """Return the list of a segment; raises `UnknownSegmentError` with the names there are."""
    if name not in SEGMENTS:
        raise UnknownSegmentError(f"There is no segment {name!r}. Segments: {', '.join(SEGMENTS)}.")
    return Listing(name)


def list_of_propensity(target: str) -> Listing:
    """Return the list of a propensity; whether the run has it is known once the run is."""
    return Listing(propensity_list(target), target)


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
    targets : dict of name to Target
        Of the model that the run used, churn first.
    """

    run: ScoringRun
    aggregates: RunAggregates
    policy: SegmentPolicy
    rules: dict[str, str]
    targets: dict[str, Target]

    @property
    def propensities(self) -> dict[str, Target]:
        """All targets of the model but churn."""
        return {name: target for name, target in self.targets.items() if name != CHURN}

    def ranked_by(self, listing: Listing) -> str:
        """Return the number that decides the order of a list, the most first."""
        return self.aggregates.ranked_by if listing.propensity is None else listing.name

    def explained(self, score: Score) -> ExplainedScore:
        """Return a score of the run in words."""
        return explain(
            stored_columns(score),
            targets=self.targets,
            currency=self.aggregates.currency,
            clv_reference=self.aggregates.clv_reference,
        )

    def require(self, listing: Listing) -> None:
        """Raise `UnknownTargetError` for the list of a propensity that the model of the run does not have."""
        name = listing.propensity
        if name is None or name in self.propensities:
            return
        why = self.aggregates.refused.get(name)
        raise UnknownTargetError(
            f"There is no propensity {name!r}{f': {why}' if why else '.'} "
            f"Propensities of model {self.run.model_version}: {', '.join(self.propensities) or 'none'}."
        )


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
    aggregates = RunAggregates.of(run)
    targets = targets_of_report(model.report)
    rules = rules_in_words(
        policy,
        cutoffs=None if cutoffs is None else Cutoffs.from_dict(cutoffs),
        targets=targets,
        has_clv=aggregates.has_clv,
        currency=aggregates.currency,
    )
    return PublishedList(run, aggregates, policy, rules, targets)


def read_page(
    session: Session, listing: Listing, *, limit: int, cursor: str | None = None, budget: int | None = None
) -> tuple[Page, PublishedList]:
    """Read one page of a list, as `list_segment` does, and the run that it belongs to.

    Raises
    ------
    CursorError, StoreError
        As `list_segment`.
    UnknownTargetError
        The model of the run has no such propensity.
    """
    page = list_segment(session, listing.name, limit=limit, cursor=cursor, budget=budget)
    published = read_run(session, page.run)
    published.require(listing)
    return page, published


def read_whole_list(
    database: Database, listing: Listing, *, budget: int | None = None
) -> tuple[Iterator[ScoreRow], PublishedList]:
    """Begin to read a whole list, so that what can go wrong goes wrong before anything is answered.

    Returns
    -------
    rows : iterator of ScoreRow
        All of one run, even if another is published meanwhile.
    published : PublishedList
        That run.
    """
    rows = iterate_segment(database, listing.name, budget=budget)
    first = next(rows, None)
    with database.read() as session:
        if first is None:
            published = read_published(session)
            published.require(listing)
            return iter(()), published
        run = session.get_one(ScoringRun, first.score.scoring_run_id)
        return chain((first,), rows), read_run(session, run)
