"""Lists of customers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from service.published_list import Listing, PublishedList
from service.run_aggregates import BudgetOutcome, RankedBy
from service.schemas.of_run import RUN_EXAMPLE, OfRun, run_fields
from service.schemas.score_numbers import Probability, ScoreNumbers, numbers_of
from service.schemas.segments import SaveRateOut
from store.lists import Page, ScoreRow

__all__ = [
    "AtRiskCustomer",
    "AtRiskList",
    "BudgetOut",
    "CustomerList",
    "ListedCustomer",
    "LookedAt",
    "Place",
    "RankedList",
]


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
    held_out_customers: int = Field(
        description="How many of the whole list the policy holds out; whom campaigns hold out besides, `held_out` of "
        "the rows tells."
    )
    held_out_value_at_risk: float | None = Field(description="Of these, in `currency`; null without clv.")
    held_out_share: float = Field(description="Share of customers who are held out, by the policy.")
    recent_contact_days: int = Field(
        description="For so many days whoever was contacted is passed over, by the policy; 0 for never."
    )
    budget: BudgetOut | None = Field(description="Null without `budget`.")
