"""Campaigns, who is in which arm, contacts, and what a campaign did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models.campaign_effect import ArmEffect, CampaignEffect
from service.parameters import CustomerId, Instant
from store.campaign_assignments import RefusedRow
from store.tables import Campaign

__all__ = [
    "AdoptionOut",
    "ArmOut",
    "AssignmentIn",
    "AssignmentOut",
    "AssignmentsAnswer",
    "AssignmentsIn",
    "CampaignEffectOut",
    "CampaignIn",
    "CampaignMade",
    "CampaignOut",
    "CampaignsAnswer",
    "ContactIn",
    "ContactsIn",
    "ContactsTakenOut",
    "EffectQueued",
    "HeldOutArmOut",
    "IntervalOut",
    "MeasuredRateOut",
    "RefusedOut",
    "RowsTaken",
    "SampleOut",
]

_PURCHASE = "purchase"
_Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]
_Arm = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]
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

    name: Annotated[_Text, AfterValidator(_not_a_number)] = Field(
        description="No other campaign has it; not of digits only, which would be taken for the number of one."
    )
    segment: Literal["at_risk", "high_value", "upsell_ready", "new", "steady", "dormant", "prospect"] | None = Field(
        default="at_risk",
        description="Whom it is for: without `assignment` the customers of this segment are assigned, as the published "
        "run has them. Null for anybody else.",
    )
    outcome: _Text = Field(
        default=_PURCHASE, description="`purchase`, or the name of an event: what has to come about."
    )
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


class ContactIn(_Strict):
    """One contact."""

    customer_id: CustomerId
    campaign: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] | _Text | None = Field(
        default=None, description="Number or name of the campaign that it belongs to."
    )
    contacted_at: Instant = Field(description="When the customer was contacted.")
    channel: _Text = Field(description="How, such as phone or e-mail.")
    cost: float | None = Field(
        default=None, ge=0, le=1e9, description="In the currency of the business; the policy's contact_cost without it."
    )
    message_id: _Text | None = Field(
        default=None, description="The sender's own id, by which the contact is stored once however it is told again."
    )


class ContactsIn(BaseModel):
    """Contacts to be stored; each is judged by itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "contacts": [
                        {
                            "customer_id": "04711",
                            "campaign": "Autumn calls",
                            "contacted_at": "2024-03-02T10:15:00Z",
                            "channel": "phone",
                            "cost": 2.5,
                        }
                    ]
                }
            ]
        },
        extra="forbid",
    )

    contacts: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=1_000,
        description="Up to 1,000, each with customer_id, contacted_at and channel, and, if you like, campaign (number "
        "or name), cost (from 0; the policy's without it) and message_id, by which it is stored once.",
    )


class RefusedOut(BaseModel):
    """A row that was not taken."""

    index: int = Field(description="Its place among those sent, from 0.")
    code: str = Field(description="Stable name of the reason, for programs.")
    message: str = Field(description="What was expected and what came.")


class RowsTaken(BaseModel):
    """Rows that are on disk, and those that were not taken."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"stored": 2, "already_there": 1, "rejected": []}]})

    stored: int = Field(description="Rows that were new.")
    already_there: int = Field(description="Rows that were stored before, by this or another request.")
    rejected: list[RefusedOut] = Field(description="Rows that can't be taken as they are; all others are stored.")

    @classmethod
    def of(cls, stored: int, already_there: int, refused: Sequence[RefusedRow]) -> RowsTaken:
        """Return what became of rows."""
        rejected = [RefusedOut(index=row.row, code=row.code, message=row.reason) for row in refused]
        return cls(stored=stored, already_there=already_there, rejected=rejected)


class ContactsTakenOut(RowsTaken):
    """Contacts that are on disk, and those that were not taken."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"stored": 2, "already_there": 1, "rejected": [], "held_out": [1]}]}
    )

    held_out: list[int] = Field(
        description="Places, from 0, of those taken that went to a customer whom the campaign holds out; without a "
        "campaign, whom any campaign or the policy does."
    )


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


class IntervalOut(BaseModel):
    """An estimate, and between which bounds the truth lies in 95 cases of 100."""

    estimate: float = Field(description="The estimate.")
    low: float = Field(description="Lower bound.")
    high: float = Field(description="Upper bound.")


class SampleOut(BaseModel):
    """How many customers tell a difference from chance, in 80 cases of 100, at the 5 % level."""

    difference: float = Field(description="The difference of rates in question.")
    is_assumed: bool = Field(
        description="Whether it follows from the policy's save rate, as what was observed may be chance."
    )
    contacted: int = Field(description="Customers that it takes in this arm.")
    held_out: int = Field(description="Customers that it takes in the held-out arm.")
    contacted_missing: int = Field(description="How many are still missing here, whose window has passed.")
    held_out_missing: int = Field(description="How many are still missing there.")
    is_enough: bool = Field(description="Whether none are missing.")


class HeldOutArmOut(BaseModel):
    """One arm of a campaign, by assignment: contacted or not, whoever was meant to be counts among those who were."""

    arm: str = Field(description="Name of the arm.")
    n: int = Field(description="Customers whose window has passed; all that follows is over them.")
    open: int = Field(description="Customers whose window is still open.")
    came: int = Field(description="For how many the outcome came about.")
    rate: IntervalOut | None = Field(description="Their share (Wilson); null without customers.")
    mean_value: float | None = Field(description="Value of the purchases within the window, per customer.")
    contacted: int = Field(description="Customers contacted in the campaign, within their window.")
    contacted_share: float | None = Field(description="Their share; null without customers.")
    contacts: int = Field(description="Contacts of these.")
    cost: float = Field(description="Of the contacts; the policy's contact_cost where none was told.")

    @classmethod
    def numbers_of(cls, arm: ArmEffect) -> dict[str, Any]:
        """Return the fields."""
        tally = arm.tally
        names = ("arm", "n", "open", "came", "contacted", "contacts", "cost")
        return {name: getattr(tally, name) for name in names} | {
            "rate": None if arm.rate is None else asdict(arm.rate),
            "mean_value": arm.mean_value,
            "contacted_share": tally.contacted / tally.n if tally.n else None,
        }


class ArmOut(HeldOutArmOut):
    """One arm, and how it differs from the one that was held out."""

    difference: IntervalOut | None = Field(description="Of the rates (Newcombe's hybrid score).")
    value_difference: IntervalOut | None = Field(
        description="Of the values per customer; null where too little was bought to tell."
    )
    gained: IntervalOut | None = Field(description="Margin brought beyond what the held-out arm leads to expect.")
    net: IntervalOut | None = Field(description="That, less the cost.")
    sample: SampleOut | None = Field(description="Whether there are enough customers; null where nothing differs.")

    @classmethod
    def of(cls, arm: ArmEffect) -> ArmOut:
        """Return an arm with what sets it off."""
        numbers: dict[str, Any] = cls.numbers_of(arm)
        for name in ("difference", "value_difference", "gained", "net"):
            numbers[name] = None if (of := getattr(arm, name)) is None else asdict(of)
        numbers["sample"] = None if arm.sample is None else {**asdict(arm.sample), "is_enough": arm.sample.is_enough}
        return cls(**numbers)


class MeasuredRateOut(BaseModel):
    """Share of those who would have left who stayed because they were contacted, of all contacted arms together."""

    rate: IntervalOut = Field(description="The share; below 0 where more left than of the held-out.")
    n_contacted: int = Field(description="Customers of the contacted arms.")
    n_held_out: int = Field(description="Customers of the held-out arm.")


class CampaignEffectOut(CampaignOut):
    """What a campaign did, by assignment, over the customers whose window has passed."""

    as_of: datetime = Field(description="The instant that it speaks of.")
    currency: str = Field(description="ISO 4217 code of all amounts.")
    held_out: HeldOutArmOut = Field(description="The arm that was not to be contacted.")
    arms: list[ArmOut] = Field(description="The others, by name.")
    save_rate: MeasuredRateOut | None = Field(
        description="Null unless the outcome is a purchase and somebody of either arm left."
    )

    @classmethod
    def of_effect(cls, campaign: Campaign, effect: CampaignEffect, *, currency: str) -> CampaignEffectOut:
        """Return a campaign with the effect that was counted last."""
        fields = cls.fields_of(campaign)
        return cls(
            **fields,
            as_of=fields["effect_as_of"],
            currency=currency,
            held_out=HeldOutArmOut(**HeldOutArmOut.numbers_of(effect.held_out)),
            arms=[ArmOut.of(arm) for arm in effect.arms],
            save_rate=None if effect.save_rate is None else MeasuredRateOut(**asdict(effect.save_rate)),
        )


class EffectQueued(BaseModel):
    """An effect that a worker is going to count."""

    state: Literal["queued", "nobody is assigned", "deleted"] = Field(
        description="`queued`: ask again in a moment. `nobody is assigned`: there is nothing to count. `deleted`: what "
        "it would be counted from has been, before it was."
    )
