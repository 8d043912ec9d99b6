"""The at-risk list as it is worked down: who is held out, who was contacted of late, what so many contacts bring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from models.segment_policy import SegmentPolicy
from service.published_list import PublishedList, list_of_segment, read_page, read_whole_list
from service.run_aggregates import BudgetOutcome
from service.wanted import Wanted
from store.campaign_arms import held_members
from store.contacts import count_recent
from store.engine import Database
from store.held_out import read_held_out
from store.lists import Page, ScoreRow
from store.work_list import WorkRules

__all__ = ["AT_RISK", "WorkListing", "read_whole_work_list", "read_work_page"]

AT_RISK = list_of_segment("at_risk")


@dataclass(frozen=True, slots=True)
class WorkListing:
    """What somebody asks of the list.

    Attributes
    ----------
    as_of : datetime
        From which recent contacts are counted back, and at which campaigns may still hold customers out.
    budget : int or None
        Number of contacts.
    include_contacted : bool
        Whether to show those who were contacted of late.
    wanted : Wanted
        Whom of the list to show; a budget counts the others too.
    """

    as_of: datetime
    budget: int | None = None
    include_contacted: bool = False
    wanted: Wanted = field(default_factory=Wanted)

    def rules(self, session: Session, policy: SegmentPolicy) -> WorkRules:
        """Read the rules of the list by a policy."""
        held_out = read_held_out(session, policy.held_out_share)
        return WorkRules(held_out, self.as_of, self.contacted_since(policy), self.include_contacted)

    def contacted_since(self, policy: SegmentPolicy) -> datetime | None:
        """Return from when on a contact is a recent one; None where the policy does not ask."""
        days = policy.recent_contact_days
        return self.as_of - timedelta(days=days) if days else None


def read_work_page(
    session: Session, asked: WorkListing, *, limit: int, cursor: str | None = None
) -> tuple[Page, PublishedList, BudgetOutcome | None]:
    """Read one page of the at-risk list, the run that it belongs to, and what a budget is expected to bring.

    Raises
    ------
    CursorError, StoreError
        As `store.lists.list_segment`.
    ListFilterError
        As `service.wanted.Wanted.of`.
    """
    page, published = read_page(
        session,
        AT_RISK,
        limit=limit,
        cursor=cursor,
        budget=asked.budget,
        wanted=asked.wanted.of,
        ruled=asked.rules,
    )
    if asked.budget is None:
        return page, published, None
    since, run_id = asked.contacted_since(published.policy), page.run.id
    passed_over = 0 if since is None else count_recent(session, run_id, AT_RISK.name, since=since)
    by_policy = read_held_out(session, published.policy.held_out_share)
    by_campaigns = held_members(session, run_id, AT_RISK.name, as_of=asked.as_of)
    passed_over += sum(key not in by_policy for key in by_campaigns)
    return page, published, published.aggregates.outcome(asked.budget, published.policy, passed_over=passed_over)


def read_whole_work_list(database: Database, asked: WorkListing) -> tuple[Iterator[ScoreRow], PublishedList]:
    """Begin to read the whole at-risk list, as `service.published_list.read_whole_list` does another."""
    return read_whole_list(database, AT_RISK, budget=asked.budget, wanted=asked.wanted.of, ruled=asked.rules)
