"""The parts of requests that several routes take, each with its bounds and its description."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Header, Path, Query
from pydantic import AwareDatetime, BeforeValidator, Field

__all__ = [
    "AcceptHeader",
    "AttributesWanted",
    "BeforeRun",
    "Budget",
    "CampaignId",
    "CursorText",
    "CustomerId",
    "CustomerIdInPath",
    "CustomerIdInQuery",
    "FormBudget",
    "FormReason",
    "Format",
    "IncludeContacted",
    "Instant",
    "Limit",
    "Line",
    "MinClv",
    "MinProbability",
    "MinValueAtRisk",
    "ModelName",
    "Reasons",
    "ReceiptText",
    "RunId",
    "SegmentInQuery",
    "SegmentName",
    "Since",
    "TargetInQuery",
    "TargetName",
    "Until",
]


def _none_if_empty(value: object) -> object:
    """A form sends an empty field as empty text."""
    return None if value == "" else value


# As long as ingestion takes ids; NUL is in no stored text, and PostgreSQL refuses even to look for it.
_ID = Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$", description="The business's own id of a customer.")
_BUDGET = Query(
    description="Number of contacts: the list ends with the last of so many who may be contacted; those held out come "
    "besides."
)
_Contacts = Annotated[int, Field(ge=1, le=1_000_000_000)]

CustomerId = Annotated[str, _ID]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*[^\s\x00-\x1f][^\x00-\x1f]*$")]
CustomerIdInPath = Annotated[
    CustomerId, Path(description="The business's own id; one with a slash goes into the query instead.")
]
CustomerIdInQuery = Annotated[CustomerId, Query(description="The business's own id, whatever it holds.")]
SegmentName = Annotated[str, Path(max_length=50, description="Name of a segment, such as at_risk.")]
SegmentInQuery = Annotated[str, Query(max_length=50, description="Name of a segment; `all` is everybody judged.")]
TargetInQuery = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="Name of the target whose model is meant; churn without it, or the first by name if there is none.",
    ),
]
TargetName = Annotated[str, Path(max_length=50, description="Name of a target that is not churn, such as upsell.")]
ModelName = Annotated[
    str,
    Path(
        pattern=r"^(champion|challenger|newest|[0-9]{1,9})$", description="A version, champion, challenger or newest."
    ),
]
ReceiptText = Annotated[
    str, Path(max_length=400, pattern=r"^[A-Za-z0-9_-]+$", description="The `receipt` of a score, as it is.")
]
BeforeRun = Annotated[
    int | None,
    Query(ge=1, le=2**31 - 1, description="Only scoring runs with a lower number: `next_before` of an answer."),
]
RunId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The run's number.")]
Instant = Annotated[AwareDatetime, Field(ge=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]
Since = Annotated[Instant, Query(description="The earlier instant, as ISO 8601 with an offset or Z.")]
Until = Annotated[Instant | None, Query(description="The later instant; now without it.")]
Limit = Annotated[int | None, Query(ge=1, le=1000, description="Rows a page, 1 to 1,000; 50 without it.")]
CursorText = Annotated[
    str | None,
    Query(max_length=500, description="`next_cursor` of the page before; the list goes on in the run it began with."),
]
Budget = Annotated[_Contacts | None, _BUDGET]
FormBudget = Annotated[_Contacts | None, BeforeValidator(_none_if_empty), _BUDGET]
CampaignId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The campaign's number.")]
IncludeContacted = Annotated[
    bool, Query(description="Whether to show customers who were contacted of late, marked with `contacted_at`.")
]
Format = Annotated[
    Literal["json", "csv", "ndjson"] | None,
    Query(
        description="Goes before the Accept header. CSV and NDJSON without `limit` and `cursor` hold the whole list, "
        "streamed; otherwise one page, with the next one in the Link header."
    ),
]
AcceptHeader = Annotated[
    str | None, Header(description="`text/csv` for CSV, `application/x-ndjson` for one JSON object a line.")
]
_WANTED = r"^[^\x00]+$"
Reasons = Annotated[
    list[Annotated[str, Field(max_length=300, pattern=_WANTED)]] | None,
    Query(
        alias="reason",
        max_length=10,
        description="A feature that has to be among the reasons of the list's target; with `:towards` or `:against` "
        "behind its name, only if it pushes that way.",
    ),
]
FormReason = Annotated[
    Annotated[str, Field(max_length=300, pattern=_WANTED)] | None,
    BeforeValidator(_none_if_empty),
    Query(alias="reason", description="A feature that has to be among the reasons, as in the API."),
]
AttributesWanted = Annotated[
    list[Annotated[str, Field(max_length=600, pattern=_WANTED)]] | None,
    Query(
        alias="attribute",
        max_length=10,
        description="What an attribute has to be, as known at the run's as_of: `name=value`, or of numbers and dates "
        "`name>=value` and `name<=value`.",
    ),
]
_Least = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
MinProbability = Annotated[
    Annotated[float, Field(ge=0, le=1)] | None,
    Query(description="At least so likely: churn, or of the list of a propensity that."),
]
MinValueAtRisk = Annotated[_Least | None, Query(description="At least so much value at risk.")]
MinClv = Annotated[_Least | None, Query(description="At least such a clv.")]
