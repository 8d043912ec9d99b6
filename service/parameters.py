"""The parts of requests that several routes take, each with its bounds and its description."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Header, Path, Query
from pydantic import AwareDatetime, BeforeValidator, Field

__all__ = [
    "AcceptHeader",
    "Budget",
    "CursorText",
    "CustomerId",
    "CustomerIdInPath",
    "CustomerIdInQuery",
    "FormBudget",
    "Format",
    "Limit",
    "ModelName",
    "RunId",
    "SegmentInQuery",
    "SegmentName",
    "Since",
    "TargetInQuery",
    "TargetName",
    "Until",
]

# As long as ingestion takes ids; NUL is in no stored text, and PostgreSQL refuses even to look for it.
_ID = Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$", description="The business's own id of a customer.")
_BUDGET = Query(description="Number of contacts: at most so many rows over all pages.")
_Contacts = Annotated[int, Field(ge=1, le=1_000_000_000)]

CustomerId = Annotated[str, _ID]
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
RunId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The run's number.")]
_Instant = Annotated[AwareDatetime, Field(ge=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]
Since = Annotated[_Instant, Query(description="The earlier instant, as ISO 8601 with an offset or Z.")]
Until = Annotated[_Instant | None, Query(description="The later instant; now without it.")]
Limit = Annotated[int | None, Query(ge=1, le=1000, description="Rows a page, 1 to 1,000; 50 without it.")]
CursorText = Annotated[
    str | None,
    Query(max_length=500, description="`next_cursor` of the page before; the list goes on in the run it began with."),
]
Budget = Annotated[_Contacts | None, _BUDGET]
# A form sends an empty field as empty text.
FormBudget = Annotated[_Contacts | None, BeforeValidator(lambda value: None if value == "" else value), _BUDGET]
Format = Annotated[
    Literal["json", "csv"] | None,
    Query(
        description="Goes before the Accept header. CSV without `limit` and `cursor` holds the whole list, streamed; "
        "otherwise one page, with the next one in the Link header."
    ),
]
AcceptHeader = Annotated[str | None, Header(description="`text/csv` for CSV.")]
