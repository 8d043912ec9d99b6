"""Customers and events that nobody has stored, and what scores would be with them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from service.hypothetical import MOST_EVENTS, SupposedEvent, WhatIf
from service.parameters import CustomerId
from service.schemas.changes import ChangeOut, changes_of
from service.schemas.scores import Score
from store.ingest.cells import as_id
from store.ingest.rejections import CellError

__all__ = ["EventIn", "UnseenCustomer", "WhatIfAnswer", "WhatIfRequest"]

_EVENT_EXAMPLE: dict[str, Any] = {
    "event": "Order Completed",
    "occurred_at": "1998-06-28T10:15:00Z",
    "properties": {"order_id": "o-1", "revenue": 59.9},
}

Attributes = dict[str, Any]


class EventIn(BaseModel):
    """An event that is supposed to have happened."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EVENT_EXAMPLE]})

    event: str = Field(min_length=1, max_length=255, description="Its name, such as Order Completed.")
    occurred_at: AwareDatetime | None = Field(
        default=None, description="With an offset or Z, before the instant of the score; without it just before that."
    )
    properties: dict[str, Any] = Field(
        default_factory=dict, description="As a `track` call has them: order_id, products, revenue and so on."
    )
    channel: str | None = Field(default=None, max_length=255, description="Through what it came.")

    def supposed(self) -> SupposedEvent:
        """Return it as `Hypotheses` takes it."""
        return SupposedEvent(self.event, self.properties, self.occurred_at, self.channel)


class WhatIfRequest(BaseModel):
    """What is supposed of a customer on top of what is stored; nothing of it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"events": [_EVENT_EXAMPLE], "attributes": {"plan": "pro"}}]}
    )

    events: list[EventIn] = Field(default_factory=list, max_length=MOST_EVENTS, description="Events, in any order.")
    attributes: Attributes = Field(
        default_factory=dict,
        description="Attributes by name, as traits have them; they take the place of those stored.",
    )


def _as_stored(customer_id: str) -> str:
    """Return an id as it would be stored."""
    try:
        own_id = as_id(customer_id)
    except CellError as error:
        raise ValueError(f"expected an id; {customer_id[:100]!r} {error.reason}") from None
    if own_id is None:
        raise ValueError("expected an id that is not blank")
    return own_id


class UnseenCustomer(WhatIfRequest):
    """A whole customer whom nobody has stored, and who stays so."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"customer_id": "visitor", "events": [_EVENT_EXAMPLE], "attributes": {"plan": "pro"}}]
        },
    )

    customer_id: Annotated[CustomerId, AfterValidator(_as_stored)] = Field(
        default="unseen", description="Any id: whoever has it in the store is not read."
    )


class WhatIfAnswer(BaseModel):
    """A customer's score as it is, as it would be, and why they differ."""

    now: Score = Field(description="The score of what is stored.")
    then: Score = Field(description="The score with what is supposed, of the same instant, model and policy.")
    changes: dict[str, ChangeOut] = Field(
        description="What moves each score, by target, and as `clv`; `before` is now, and `now` is then."
    )

    @classmethod
    def of(cls, customer_id: str, what_if: WhatIf) -> Self:
        """Return both scores of a customer."""
        now, then = (
            Score.computed(customer_id, scored.explained(customer_id), scored) for scored in (what_if.now, what_if.then)
        )
        return cls(now=now, then=then, changes=changes_of(what_if.changes, what_if.now.scores, what_if.then.scores))
