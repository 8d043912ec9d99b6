"""Segments, and lists of their customers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from service.published_list import Listing, PublishedList
from service.run_aggregates import BudgetOutcome, RankedBy, SegmentTotals
from service.schemas.scores import Probability, ScoreNumbers, numbers_of
from store.lists import Page, ScoreRow

__all__ = [
    "RUN_EXAMPLE",
    "AtRiskList",
    "BudgetOut",
    "CustomerList",
    "ListedCustomer",
    "OfRun",
    "Place",
    "RankedList",
    "Rule",
    "SegmentOut",
    "SegmentsAnswer",
    "TotalsOut",
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
    as_of: datetime = Field(description="The instant that its scores speak of.")
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


class SegmentsAnswer(OfRun):
    """All segments of the published run, in the order of the policy."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **RUN_EXAMPLE,
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
                }
            ]
        }
    )

    segments: list[SegmentOut] = Field(description="In the order of the policy.")
    total: TotalsOut = Field(description="Over all customers.")

    @classmethod
    def of(cls, published: PublishedList) -> SegmentsAnswer:
        """Return the sums that a run stored."""
        totals = published.aggregates.segments
        segments = [
            SegmentOut(segment=name, rule=rule, why_empty=totals[name].why_empty, **totals_fields(totals[name]))
            for name, rule in published.rules.items()
        ]
        total = TotalsOut(**totals_fields(published.aggregates.total))
        return cls(segments=segments, total=total, **run_fields(published))


def totals_fields(totals: SegmentTotals) -> dict[str, Any]:
    """Return the fields of `TotalsOut`."""
    return {name: getattr(totals, name) for name in TotalsOut.model_fields}


class Place(BaseModel):
    """Who stands where in a list."""

    position: int = Field(description="Place in the list, from 1.")
    customer_id: str = Field(description="The business's own id.")


class ListedCustomer(ScoreNumbers, Place):
    """One row of a list."""

    sentence: str | None = Field(description="The reasons in words; the numbers are at the customer's score.")
    propensities: dict[str, Probability | None] = Field(
        description="Probability by target, churn apart; null for a customer whom its model does not judge."
    )

    @classmethod
    def of(cls, row: ScoreRow, published: PublishedList, target: str) -> ListedCustomer:
        """Return one row of a list of the store, with the reasons of one target in words."""
        score = published.explained(row.score)
        told = score.of(target)
        return cls(
            position=row.position,
            customer_id=row.customer_id,
            sentence=None if told is None else told.sentence,
            propensities={name: None if of is None else of.probability for name, of in score.propensities.items()},
            **numbers_of(score),
        )


class RankedList(OfRun):
    """One page of a list of customers."""

    customers: int = Field(description="Customers in the list, on all pages together.")
    rows: list[ListedCustomer] = Field(description="This page.")
    next_cursor: str | None = Field(description="For the next page; null on the last.")

    @classmethod
    def of(cls, listing: Listing, page: Page, published: PublishedList, **further: Any) -> Self:
        """Return one page of a list of the store; `further` are the fields that only this kind of list has."""
        rows = [ListedCustomer.of(row, published, listing.target) for row in page.rows]
        return cls(**run_fields(published), rows=rows, next_cursor=page.next_cursor, **further)


class CustomerList(RankedList):
    """One page of a segment's customers, the most value at risk first."""

    segment: str = Field(description="Name of the segment.")
    ranked_by: RankedBy = Field(
        description="What comes first: the most value_at_risk (those without one by clv), or, for a business without "
        "purchases and so without clv, the highest churn_probability."
    )


class BudgetOut(BaseModel):
    """What a number of contacts is expected to bring, by the sums stored with the run."""

    contacts: int = Field(description="The budget, or all customers at risk where they are fewer.")
    value_at_risk: float | None = Field(
        description="Of those contacted, in `currency`; never more than it truly is. Null without clv."
    )
    save_rate: float = Field(description="Share of those contacted who stay because of it, by the policy.")
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
            save_rate=published.policy.save_rate,
            expected_saved_value=outcome.expected_saved_value,
            contact_cost=published.policy.contact_cost,
            cost=outcome.cost,
        )


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
                    "value_at_risk": 70211.9,
                    "budget": {
                        "contacts": 100,
                        "value_at_risk": 21034.2,
                        "save_rate": 0.1,
                        "expected_saved_value": 2103.42,
                        "contact_cost": 1.0,
                        "cost": 100.0,
                    },
                }
            ]
        }
    )

    value_at_risk: float | None = Field(description="Of the whole list, in `currency`; null without clv.")
    budget: BudgetOut | None = Field(description="Null without `budget`.")
