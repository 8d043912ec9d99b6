"""Contacts that are told, and what became of rows that were sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from service.parameters import CustomerId, Instant, Line
from store.campaign_assignments import RefusedRow

__all__ = [
    "ContactIn",
    "ContactsIn",
    "ContactsTakenOut",
    "RefusedOut",
    "RowsTaken",
]


class ContactIn(BaseModel):
    """One contact."""

    model_config = ConfigDict(extra="forbid")

    customer_id: CustomerId
    campaign: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] | Line | None = Field(
        default=None, description="Number or name of the campaign that it belongs to."
    )
    contacted_at: Instant = Field(description="When the customer was contacted.")
    channel: Line = Field(description="How, such as phone or e-mail.")
    cost: float | None = Field(
        default=None, ge=0, le=1e9, description="In the currency of the business; the policy's contact_cost without it."
    )
    message_id: Line | None = Field(
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
        description="Places, from 0, of those taken that went to a customer whom the campaign held out then; if that "
        "has the customer in no arm, whom any campaign or the policy does."
    )
