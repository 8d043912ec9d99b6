"""What became of the calls of a request."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["RejectedCall", "Taken"]


class RejectedCall(BaseModel):
    """A call that was not taken."""

    index: int = Field(description="Its place in the batch, from 0.")
    code: str = Field(description="Stable name of the reason, for programs.")
    message: str = Field(description="The member that is to blame, what was expected and what came.")


class Taken(BaseModel):
    """Calls that are on disk, and those that were not taken."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"success": True, "stored": 2, "already_there": 1, "rejected": []}]}
    )

    success: bool = Field(default=True, description="Always true: what could be taken is on disk.")
    stored: int = Field(description="Calls that were new, wholly or in part.")
    already_there: int = Field(description="Calls that were stored before, by this or another request.")
    rejected: list[RejectedCall] = Field(
        description="Calls that can't be taken as they are; sending them again is of no use."
    )
