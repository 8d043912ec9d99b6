"""What a campaign did."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from models.campaign_effect import ArmEffect, CampaignEffect
from service.schemas.campaigns import CampaignOut
from store.tables import Campaign

__all__ = [
    "ArmOut",
    "CampaignEffectOut",
    "EffectQueued",
    "HeldOutArmOut",
    "IntervalOut",
    "MeasuredRateOut",
    "SampleOut",
]


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
