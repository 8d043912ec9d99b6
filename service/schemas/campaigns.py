"""Campaigns, and who is in which arm of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from service.parameters import CustomerId, Instant, Line
from service.schemas.contacts import RowsTaken
from store.tables import Campaign

__all__ = [
    "AdoptionOut",
    "AssignmentIn",
    "AssignmentOut",
    "AssignmentsAnswer",
    "AssignmentsIn",
    "CampaignIn",
    "CampaignMade",
    "CampaignOut",
    "CampaignsAnswer",
]

_PURCHASE = "purchase"
_Arm = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*[^\s\x00-\x1f][^\x00-\x1f]*$")]
_MOST_SUPPLIED = 50_000


def _not_a_number(name: str) -> str:
    if name.isdecimal():
        raise ValueError("expected more than digits: a campaign is called by its number, too")
    return name


class _Strict(BaseModel):
    """What somebody sends: a part that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid")


class AssignmentIn(_Strict):
    """The arm of one customer."""

    customer_id: CustomerId
    arm: _Arm = Field(description="Name of the arm.")


class AssignmentsIn(_Strict):
    """More customers of a campaign whose assignment is supplied."""

    assignments: list[AssignmentIn] = Field(min_length=1, max_length=10_000, description="Up to 10,000.")
    assigned_at: Instant | None = Field(
        default=None, description="From when their outcomes count; that of the campaign without it."
    )


class AssignmentOut(BaseModel):
    """In which arm of a campaign a customer is."""

    customer_id: str = Field(description="The customer.")
    arm: str = Field(description="Name of the arm.")
    held_out: bool = Field(description="Whether it is the one that is not to be contacted.")
    assigned_at: datetime = Field(description="From when the customer's outcomes count.")


class AssignmentsAnswer(BaseModel):
    """Customers of a campaign, a page at a time."""

    assignments: list[AssignmentOut] = Field(description="In an order that stays.")
    next_after: int | None = Field(description="For `after` of the next page; null after the last.")


class CampaignIn(_Strict):
    """A campaign to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Autumn calls", "segment": "at_risk", "held_out_share": 0.2},
                {
                    "name": "E-mail test",
                    "segment": None,
                    "outcome": "Visited",
                    "outcome_days": 14,
                    "held_out_arm": "none",
                    "assigned_at": "2024-03-01T00:00:00Z",
                    "assignment": [{"customer_id": "04711", "arm": "mail"}, {"customer_id": "04712", "arm": "none"}],
                },
            ]
        }
    )

    name: Annotated[Line, AfterValidator(_not_a_number)] = Field(
        description="No other campaign has it; not of digits only, which would be taken for the number of one."
    )
    segment: Literal["at_risk", "high_value", "upsell_ready", "new", "steady", "dormant", "prospect"] | None = Field(
        default="at_risk",
        description="Whom it is for: without `assignment` the customers of this segment are assigned, as the published "
        "run has them. Null for anybody else.",
    )
    outcome: Line = Field(default=_PURCHASE, description="`purchase`, or the name of an event: what has to come about.")
    outcome_days: int | None = Field(
        default=None,
        ge=1,
        le=1825,
        description="Days after the assignment within which it counts; without it those of churn, or 90.",
    )
    held_out_share: float | None = Field(
        default=None, ge=0, le=0.9, description="Of the segment; the policy's without it. Not with `assignment`."
    )
    most_customers: int | None = Field(
        default=None, ge=1, le=100_000, description="Of the segment from the top of its list; 100,000 without it."
    )
    assigned_at: Instant | None = Field(default=None, description="From when outcomes count; now without it.")
    assignment: list[AssignmentIn] | None = Field(
        default=None, max_length=_MOST_SUPPLIED, description="Who is in which arm, if somebody else has decided that."
    )
    held_out_arm: _Arm | None = Field(
        default=None, description="With `assignment`, and only then: the arm that is not contacted."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.assignment is None and self.segment is None:
            raise ValueError("expected a segment, or an assignment")
        if (self.assignment is None) != (self.held_out_arm is None):
            raise ValueError("expected held_out_arm with an assignment, and only then")
        if self.assignment is not None and (self.held_out_share is not None or self.most_customers is not None):
            raise ValueError("expected neither held_out_share nor most_customers with an assignment")
        return self

    @property
    def outcome_event(self) -> str | None:
        """Name of the event; None for a purchase."""
        return None if self.outcome == _PURCHASE else self.outcome


class AdoptionOut(BaseModel):
    """Whether the save rate that a campaign has measured went into the segment policy."""

    policy_version: int | None = Field(description="The version of the policy that has it; null if none does.")
    why: str = Field(description="Why, or why not.")
    at: datetime = Field(description="When that was found.")


class CampaignOut(BaseModel):
    """One campaign."""

    campaign_id: int = Field(description="Number of the campaign.")
    name: str = Field(description="Its name.")
    segment: str | None = Field(description="Whom it is for; null for others.")
    outcome: str = Field(description="`purchase`, or the name of the event that has to come about.")
    outcome_days: int = Field(description="Days after the assignment within which it counts.")
    held_out_arm: str = Field(description="The arm that is not contacted.")
    held_out_share: float | None = Field(description="Share of the segment in it; null where arms were supplied.")
    assigned_at: datetime = Field(description="From when outcomes count, where an assignment says nothing else.")
    created_at: datetime = Field(description="When it was made.")
    is_assigned: bool = Field(
        description="False while the segment's customers are being assigned. Cut off, it goes on if asked for again."
    )
    effect_as_of: datetime | None = Field(description="The instant that its effect speaks of; null before the first.")
    adoption: AdoptionOut | None = Field(description="What became of its save rate; null before its effect is counted.")

    @classmethod
    def fields_of(cls, campaign: Campaign) -> dict[str, Any]:
        """Return the fields."""
        return {
            "campaign_id": campaign.id,
            "outcome": campaign.outcome_event or _PURCHASE,
            "adoption": None if campaign.adoption is None else AdoptionOut(**campaign.adoption),
        } | {name: getattr(campaign, name) for name in cls._as_stored()}

    @classmethod
    def of(cls, campaign: Campaign) -> CampaignOut:
        """Return a campaign of the store."""
        return cls(**cls.fields_of(campaign))

    @classmethod
    def _as_stored(cls) -> list[str]:
        return [name for name in CampaignOut.model_fields if name not in ("campaign_id", "outcome", "adoption")]


class CampaignMade(CampaignOut):
    """A campaign, and what became of the rows of its assignment."""

    assigned: RowsTaken = Field(description="Who was assigned by this request.")


class CampaignsAnswer(BaseModel):
    """Campaigns."""

    campaigns: list[CampaignOut] = Field(description="The newest first.")
    next_before: int | None = Field(description="For the next page, as `before`; null on the last.")
