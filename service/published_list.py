"""The run that lists show, with all that a reader needs to read its numbers: its sums and the rules behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from features.targets import CHURN, Target
from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS, Cutoffs
from service.exceptions import UnknownSegmentError, UnknownTargetError
from service.explained import ExplainedScore, explain, stored_columns
from service.modelled_targets import targets_of_report
from service.run_aggregates import RunAggregates, SegmentTotals
from service.segment_rules import rules_in_words
from store import policies, registry
from store.engine import Database
from store.exceptions import StoreError
from store.list_filter import ListFilter
from store.listings import propensity_list
from store.lists import EVERYBODY, Page, ScoreRow, iterate_segment, list_segment, run_of_cursor
from store.tables import Score, ScoringRun
from store.work_list import WorkRules

__all__ = [
    "Listing",
    "PublishedList",
    "Ruling",
    "Wanting",
    "list_of_customers",
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


def list_of_customers(name: str) -> Listing:
    """Return the list of a segment, or with `all` that of everybody, in the order in which they became known."""
    return Listing(EVERYBODY) if name == EVERYBODY else list_of_segment(name)


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
        if listing.name == EVERYBODY:
            return "first_known"
        return self.aggregates.ranked_by if listing.propensity is None else listing.name

    def totals(self, listing: Listing) -> SegmentTotals:
        """Return the sums over a segment, or over everybody."""
        return self.aggregates.total if listing.name == EVERYBODY else self.aggregates.segments[listing.name]

    def customers(self, listing: Listing) -> int:
        """Return how many customers a list has."""
        if listing.propensity is not None:
            return self.aggregates.targets[listing.propensity].customers
        return self.totals(listing).customers

    def explained(self, score: Score) -> ExplainedScore:
        """Return a score of the run in words."""
        return explain(
            stored_columns(score),
            targets=self.targets,
            currency=self.aggregates.currency,
            clv_reference=self.aggregates.clv_reference,
        )

    def as_of(self, score: Score) -> datetime | None:
        """Return the instant that a score of the run speaks of: of a customer scored again since, that of the last."""
        return score.rescored_at or self.run.as_of

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


# From a list and its run to who is wanted of it.
Wanting = Callable[[Listing, PublishedList], ListFilter | None]
# From the policy of its run to the rules of a list to be worked down; None for any other list.
Ruling = Callable[[Session, SegmentPolicy], WorkRules] | None


def _everybody(_listing: Listing, _published: PublishedList) -> None:
    return None


def read_published(session: Session) -> PublishedList:
    """Read the run that lists show now; raises `StoreError` before the first."""
    return read_run(session, run_of_cursor(session, None))


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
    session: Session,
    listing: Listing,
    *,
    limit: int,
    cursor: str | None = None,
    budget: int | None = None,
    wanted: Wanting = _everybody,
    ruled: Ruling = None,
) -> tuple[Page, PublishedList]:
    """Read one page of a list, as `list_segment` does, and the run that it belongs to.

    Parameters
    ----------
    session : Session
    listing : Listing
    limit, cursor, budget
        As `list_segment`.
    wanted : callable
        From the list and its run to who is wanted of it; None is everybody.
    ruled : callable, optional
        From the policy of the run to the rules of a list to be worked down.

    Raises
    ------
    CursorError, StoreError
        As `list_segment`.
    UnknownTargetError
        The model of the run has no such propensity.
    """
    published = read_run(session, run_of_cursor(session, cursor))
    published.require(listing)
    where = wanted(listing, published)
    rules = None if ruled is None else ruled(session, published.policy)
    page = list_segment(session, listing.name, limit=limit, cursor=cursor, budget=budget, where=where, rules=rules)
    return page, published


def read_whole_list(
    database: Database,
    listing: Listing,
    *,
    budget: int | None = None,
    wanted: Wanting = _everybody,
    ruled: Ruling = None,
) -> tuple[Iterator[ScoreRow], PublishedList]:
    """Begin to read a whole list, so that what can go wrong with the request goes wrong before anything is answered.

    Returns
    -------
    rows : iterator of ScoreRow
        All of one run, even if another is published meanwhile; `CursorError` if the run is deleted meanwhile.
    published : PublishedList
        That run.
    """
    with database.read() as session:
        published = read_published(session)
        rules = None if ruled is None else ruled(session, published.policy)
    published.require(listing)
    where = wanted(listing, published)
    rows = iterate_segment(database, listing.name, budget=budget, where=where, rules=rules, run_id=published.run.id)
    return rows, published
