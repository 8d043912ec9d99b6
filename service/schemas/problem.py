"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["InvalidPart", "Problem"]


class InvalidPart(BaseModel):
    """One part of a request that can't be taken."""

    where: str = Field(description="Path to the part: where it stands in the request, then its name.")
    expected: str = Field(description="What it has to be.")
    came: str = Field(description="What came, shortened.")


class Problem(BaseModel):
    """Why a request was not answered as asked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:regulars:problem:invalid-request",
                    "title": "The request is not valid",
                    "status": 422,
                    "detail": "query.limit: expected less than or equal to 1000, got '5000'.",
                    "code": "invalid-request",
                    "message": "query.limit: expected less than or equal to 1000, got '5000'.",
                    "instance": "urn:uuid:5c9f2c1e-7a0b-4c55-9f3e-0b8a2f3a9d41",
                    "errors": [
                        {"where": "query.limit", "expected": "less than or equal to 1000", "came": "'5000'"},
                    ],
                }
            ]
        }
    )

    type: str = Field(description="Stable name of the kind of problem, for programs.")
    title: str = Field(description="The kind of problem in words; the same for every problem of this type.")
    status: int = Field(description="The HTTP status code.", ge=400, le=599)
    detail: str = Field(description="What was expected, what came, and what to do.")
    code: str = Field(
        description="The last part of `type`; of a receipt, a live event or its body a name of the reason itself."
    )
    message: str = Field(description="The same as `detail`, for clients that know no problems.")
    instance: str = Field(description="The request's id, as in the header X-Request-ID and in the logs.")
    errors: list[InvalidPart] = Field(
        default_factory=list, description="Each part of the request that can't be taken; empty for other problems."
    )
