"""Whether the service lives and is ready."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Alive", "Ready"]


class Alive(BaseModel):
    """The process answers."""

    status: Annotated[Literal["alive"], Field(description="Always this.")] = "alive"


class Ready(BaseModel):
    """The database answers and a model is loaded and warm."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ready", "model_version": 3, "warning": None}]}
    )

    status: Annotated[Literal["ready"], Field(description="Always this; what is not ready answers with a problem.")] = (
        "ready"
    )
    model_version: int = Field(description="The version that serves.")
    warning: str | None = Field(description="Why that is not the champion; null if it is.")
