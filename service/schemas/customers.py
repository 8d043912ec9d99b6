"""What is known of one customer, and that it is being erased."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.schemas.scores import StoredScore

__all__ = ["AttributeOut", "CustomerOut", "ErasureOut", "MembershipOut"]

_EXAMPLE: dict[str, Any] = {
    "customer_id": "04711",
    "attributes": [{"name": "country", "value": "Germany", "learnt_at": None}],
    "events": 9,
    "first_event_at": "1997-05-20T00:00:00Z",
    "last_event_at": "1998-03-26T00:00:00Z",
    "stored_score": None,
    "segment_history": [{"segment": "at_risk", "entered_at": "1998-07-01T00:00:00Z", "left_at": None}],
}


class AttributeOut(BaseModel):
    """One attribute, as last learnt."""

    name: str = Field(description="Name of the attribute.")
    value: float | str = Field(description="A number, a category, or a date in ISO 8601.")
    learnt_at: datetime | None = Field(description="When it was learnt; null for what was always known.")


class MembershipOut(BaseModel):
    """One stay in one segment."""

    segment: str = Field(description="Name of the segment.")
    entered_at: datetime = Field(description="As of which the customer was first seen in it.")
    left_at: datetime | None = Field(description="As of which the customer was seen out of it; null while in it.")


class CustomerOut(BaseModel):
    """One customer: attributes, events in sum, the stored score and the history of segments."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    customer_id: str = Field(description="The business's own id.")
    attributes: list[AttributeOut] = Field(description="Ascending by name.")
    events: int = Field(description="Number of events stored; an order with all its lines is one.")
    first_event_at: datetime | None = Field(description="When the first of them occurred.")
    last_event_at: datetime | None = Field(description="When the last of them occurred.")
    stored_score: StoredScore | None = Field(
        description="What the published run says; null before the first run, or for a customer who came after it."
    )
    segment_history: list[MembershipOut] = Field(description="All stays, the latest first.")


class ErasureOut(BaseModel):
    """What has become of a customer who is to be erased; whom it was asked for is not said again."""

    state: Literal["hidden, being deleted"] = Field(
        description="In no answer any more; what is stored is being deleted, and goes on after a restart.",
    )
