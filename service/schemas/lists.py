"""Segments, and lists of their customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from models.segments import SegmentPolicy
from service.published_list import Listing, PublishedList
from service.run_aggregates import BudgetOutcome, RankedBy, SegmentTotals
from service.schemas.scores import Probability, ScoreNumbers, numbers_of
from store.lists import Page, ScoreRow

__all__ = [
    "RUN_EXAMPLE",
    "AtRiskCustomer",
    "AtRiskList",
    "BudgetOut",
    "CustomerList",
    "ListedCustomer",
    "LookedAt",
    "Move",
    "OfRun",
    "Place",
    "RankedList",
    "Rule",
    "SaveRateMeasured",
    "SaveRateOut",
    "SegmentOut",
    "SegmentsAnswer",
    "TotalsOut",
    "TransitionsOut",
    "run_fields",
    "totals_fields",
]

RUN_EXAMPLE: dict[str, Any] = {
    "scoring_run_id": 12,
    "as_of": "1998-07-01T00:00:00Z",
    "model_version": 3,
    "policy_version": 1,
    "currency": "USD",
}


class OfRun(BaseModel):
    """The run that an answer shows."""

    scoring_run_id: int = Field(description="The published run, or the one that the cursor belongs to.")
    as_of: datetime = Field(description="The instant that its scores speak of, but for rows with one of their own.")
    model_version: int = Field(description="The model that gave them.")
    policy_version: int = Field(description="The segment policy that gave the segments.")
    currency: str = Field(description="ISO 4217 code of all amounts.")


def run_fields(published: PublishedList) -> dict[str, Any]:
    """Return the fields of `OfRun`."""
    run = published.run
    return {
        "scoring_run_id": run.id,
        "as_of": run.as_of,
        "model_version": run.model_version,
        "policy_version": run.policy_version,
        "currency": published.aggregates.currency,
    }


class TotalsOut(BaseModel):
    """Sums over some customers."""

    customers: int = Field(description="How many there are.")
    primary: int = Field(description="For how many of them it is the primary segment.")
    clv: float | None = Field(description="Sum of clv, in `currency`; null where nobody has one.")
    value_at_risk: float | None = Field(description="Sum of value at risk, in `currency`; null where nobody has one.")
    expected_purchases: float | None = Field(description="Sum of purchase days expected within the horizon.")


class Rule(BaseModel):
    """A segment and its rule."""

    segment: str = Field(description="Name of the segment.")
    rule: str = Field(description="Who is in it, in words, with the numbers of the policy.")
    why_empty: str | None = Field(description="Why nobody is in it; null where somebody is.")


class SegmentOut(TotalsOut, Rule):
    """One segment in sum."""


class Move(BaseModel):
    """How many customers went from one primary segment to another, or stayed."""

    before: str | None = Field(description="Primary segment in the run before; null for who was not in it.")
    now: str = Field(description="Primary segment in this run.")
    customers: int = Field(description="How many there are.")


class TransitionsOut(BaseModel):
    """Where customers went since the run that was published before, by their primary segments."""

    scoring_run_id: int = Field(description="The run before.")
    moves: list[Move] = Field(description="All that came about, in the order of the policy; they sum to all customers.")


class SaveRateMeasured(BaseModel):
    """Where a save rate that was measured comes from."""

    campaign: str = Field(description="Name of the campaign.")
    low: float = Field(description="Lower end of the 95 % interval of the save rate.")
    high: float = Field(description="Upper end of it.")
    n_contacted: int = Field(description="Customers assigned to be contacted.")
    n_held_out: int = Field(description="Customers held out.")
    outcome_days: int = Field(description="Days within which they had to purchase.")
    as_of: datetime = Field(description="The instant that it speaks of.")


class SaveRateOut(BaseModel):
    """The policy's save rate, and where it comes from."""

    save_rate: float = Field(description="Share of those contacted who would leave and stay because of it.")
    save_rate_source: Literal["assumed", "measured"] = Field(
        description="`measured` once a campaign has measured it well enough, else `assumed`."
    )
    save_rate_measured: SaveRateMeasured | None = Field(
        description="Which campaign measured it, and how well; null for one that is assumed."
    )

    @classmethod
    def fields_of(cls, policy: SegmentPolicy) -> dict[str, Any]:
        """Return the fields."""
        measured = policy.save_rate_measured
        return {
            "save_rate": policy.save_rate,
            "save_rate_source": "assumed" if measured is None else "measured",
            "save_rate_measured": None if measured is None else SaveRateMeasured(**asdict(measured)),
        }


class SegmentsAnswer(SaveRateOut, OfRun):
    """All segments of the published run, in the order of the policy."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **RUN_EXAMPLE,
                    "save_rate": 0.1,
                    "save_rate_source": "assumed",
                    "save_rate_measured": None,
                    "segments": [
                        {
                            "segment": "at_risk",
                            "rule": "Active, a churn probability of 30% or more, …",
                            "customers": 812,
                            "primary": 812,
                            "clv": 151234.5,
                            "value_at_risk": 70211.9,
                            "expected_purchases": 1033.2,
                            "why_empty": None,
                        }
                    ],
                    "total": {
                        "customers": 23570,
                        "primary": 23570,
                        "clv": 701234.5,
                        "value_at_risk": 140211.9,
                        "expected_purchases": 9033.2,
                    },
                    "transitions": {
                        "scoring_run_id": 11,
                        "moves": [{"before": "steady", "now": "at_risk", "customers": 31}],
                    },
                }
            ]
        }
    )

    segments: list[SegmentOut] = Field(description="In the order of the policy.")
    total: TotalsOut = Field(description="Over all customers.")
    transitions: TransitionsOut | None = Field(description="Null for the first run, which nobody could move since.")

    @classmethod
    def of(cls, published: PublishedList) -> SegmentsAnswer:
        """Return the sums that a run stored."""
        totals = published.aggregates.segments
        segments = [
            SegmentOut(segment=name, rule=rule, why_empty=totals[name].why_empty, **totals_fields(totals[name]))
            for name, rule in published.rules.items()
        ]
        total = TotalsOut(**totals_fields(published.aggregates.total))
        moved = published.aggregates.transitions
        transitions = None
        if moved is not None:
            moves = [Move(before=before, now=now, customers=n) for before, now, n in moved.moves]
            transitions = TransitionsOut(scoring_run_id=moved.run_before, moves=moves)
        return cls(
            segments=segments,
            total=total,
            transitions=transitions,
            **cls.fields_of(published.policy),
            **run_fields(published),
        )


def totals_fields(totals: SegmentTotals) -> dict[str, Any]:
    """Return the fields of `TotalsOut`."""
    return {name: getattr(totals, name) for name in TotalsOut.model_fields}


class Place(BaseModel):
    """Who stands where in a list."""

    position: int = Field(description="Place in the list, from 1.")
    customer_id: str = Field(description="The business's own id.")


class ListedCustomer(ScoreNumbers, Place):
    """One row of a list."""

    as_of: datetime = Field(
        description="The instant that the row speaks of: that of the run, or later, of a customer scored again since."
    )
    sentence: str | None = Field(description="The reasons in words; the numbers are at the customer's score.")
    propensities: dict[str, Probability | None] = Field(
        description="Probability by target, churn apart; null for a customer whom its model does not judge."
    )

    @classmethod
    def of(cls, row: ScoreRow, published: PublishedList, target: str) -> ListedCustomer:
        """Return one row of a list of the store, with the reasons of one target in words."""
        score = published.explained(row.score)
        told = score.of(target)
        return cls.model_validate(
            {
                "position": row.position,
                "customer_id": row.customer_id,
                "as_of": published.as_of(row.score),
                "sentence": None if told is None else told.sentence,
                "propensities": {
                    name: None if of is None else of.probability for name, of in score.propensities.items()
                },
                **numbers_of(score),
            }
        )


class LookedAt(BaseModel):
    """How far the search for those who are wanted has come."""

    rows: int = Field(description="Rows of the list that this request looked at, 20,000 at most.")
    position: int = Field(
        description="Place in the list of the last row looked at; all before it are told on earlier pages."
    )
    share: float = Field(
        ge=0, le=1, description="Share of the list that is behind it; 1 where nobody else can be wanted."
    )

    @classmethod
    def of(cls, page: Page, customers: int) -> Self:
        """Return how far a page looked into a list of so many customers."""
        done = page.next_cursor is None or not customers
        share = 1.0 if done else min(page.position / customers, 1.0)
        return cls(rows=page.looked_at, position=page.position, share=share)


class RankedList(OfRun):
    """One page of a list of customers."""

    row_type: ClassVar[type[ListedCustomer]] = ListedCustomer

    customers: int = Field(description="Customers in the list, on all pages together, wanted or not.")
    rows: Sequence[ListedCustomer] = Field(
        description="This page; with a filter it may be short, and a next one follow."
    )
    next_cursor: str | None = Field(description="For the next page; null on the last.")
    looked_at: LookedAt | None = Field(description="How far a filter looked; null without one.")

    @classmethod
    def of(cls, listing: Listing, page: Page, published: PublishedList, **further: Any) -> Self:
        """Return one page of a list of the store; `further` are the fields that only this kind of list has."""
        rows = [cls.row_type.of(row, published, listing.target) for row in page.rows]
        looked_at = LookedAt.of(page, published.customers(listing)) if page.is_filtered else None
        return cls(**run_fields(published), rows=rows, next_cursor=page.next_cursor, looked_at=looked_at, **further)


class CustomerList(RankedList):
    """One page of a segment's customers, the most value at risk first."""

    segment: str = Field(description="Name of the segment; all for everybody.")
    ranked_by: RankedBy | Literal["first_known"] = Field(
        description="What comes first: the most value_at_risk (those without one by clv), or, for a business without "
        "purchases and so without clv, the highest churn_probability; of everybody who was known first."
    )


class BudgetOut(SaveRateOut):
    """What a number of contacts is expected to bring, by the sums stored with the run."""

    contacts: int = Field(description="The budget, or all who may be contacted where they are fewer.")
    value_at_risk: float | None = Field(
        description="Of those contacted, in `currency`: nobody who is held out or was contacted of late. Never more "
        "than it truly is. Null without clv."
    )
    expected_saved_value: float | None = Field(
        description="save_rate times value_at_risk, in `currency`; null without clv."
    )
    contact_cost: float = Field(description="Of one contact, by the policy, in `currency`.")
    cost: float = Field(description="contact_cost times contacts, in `currency`.")

    @classmethod
    def of(cls, outcome: BudgetOutcome, published: PublishedList) -> BudgetOut:
        """Return an outcome with the policy's numbers beside it."""
        return cls(
            contacts=outcome.contacts,
            value_at_risk=outcome.value_at_risk,
            **cls.fields_of(published.policy),
            expected_saved_value=outcome.expected_saved_value,
            contact_cost=published.policy.contact_cost,
            cost=outcome.cost,
        )


class AtRiskCustomer(ListedCustomer):
    """One row of the at-risk list."""

    held_out: bool = Field(
        description="Whether the customer is held out: not to be contacted, so that what contacts do can be measured."
    )
    contacted_at: datetime | None = Field(
        description="When the customer was contacted last, if that was within `recent_contact_days`; null otherwise."
    )

    @classmethod
    def of(cls, row: ScoreRow, published: PublishedList, target: str) -> AtRiskCustomer:
        """Return one row of the at-risk list."""
        listed = ListedCustomer.of(row, published, target)
        return cls(**dict(listed), held_out=row.held_out, contacted_at=row.contacted_at)


class AtRiskList(CustomerList):
    """One page of the customers at risk, and what the budget covers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **RUN_EXAMPLE,
                    "segment": "at_risk",
                    "ranked_by": "value_at_risk",
                    "customers": 812,
                    "rows": [],
                    "next_cursor": None,
                    "looked_at": None,
                    "value_at_risk": 70211.9,
                    "held_out_customers": 79,
                    "held_out_value_at_risk": 6820.4,
                    "held_out_share": 0.1,
                    "recent_contact_days": 14,
                    "budget": {
                        "contacts": 100,
                        "value_at_risk": 21034.2,
                        "save_rate": 0.1,
                        "save_rate_source": "assumed",
                        "save_rate_measured": None,
                        "expected_saved_value": 2103.42,
                        "contact_cost": 1.0,
                        "cost": 100.0,
                    },
                }
            ]
        }
    )

    row_type: ClassVar[type[ListedCustomer]] = AtRiskCustomer

    rows: Sequence[AtRiskCustomer] = Field(
        description="This page. Who was contacted of late is passed over, so that places may be missing; it may have "
        "fewer rows than asked for and still go on."
    )
    value_at_risk: float | None = Field(
        description="Of the whole list, those held out too, in `currency`; null without clv."
    )
    held_out_customers: int = Field(description="How many of the whole list are held out.")
    held_out_value_at_risk: float | None = Field(description="Of these, in `currency`; null without clv.")
    held_out_share: float = Field(description="Share of customers who are held out, by the policy.")
    recent_contact_days: int = Field(
        description="For so many days whoever was contacted is passed over, by the policy; 0 for never."
    )
    budget: BudgetOut | None = Field(description="Null without `budget`.")
