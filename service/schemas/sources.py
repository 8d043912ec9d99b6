"""What each source has sent of late."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from store.sources import SourceSeen

__all__ = ["SourceOut", "SourcesAnswer"]


class SourceOut(BaseModel):
    """One source."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "web",
                    "last_received_at": "2026-03-01T09:29:58Z",
                    "last_occurred_at": "2026-03-01T09:29:57Z",
                    "events_per_hour_24h": 412.5,
                    "events_per_hour_7d": 388.1,
                    "rejected_share_7d": 0.002,
                }
            ]
        }
    )

    name: str = Field(description="Its name.")
    last_received_at: datetime | None = Field(description="When its last event came; null before the first.")
    last_occurred_at: datetime | None = Field(
        description="When the latest event happened of those that came in the hour of the last one."
    )
    events_per_hour_24h: float = Field(description="New rows of events an hour, over the last 24 hours.")
    events_per_hour_7d: float = Field(description="New rows of events an hour, over the last 7 days.")
    rejected_share_7d: float | None = Field(
        description="Share of what came in the last 7 days that could not be taken; null if nothing came."
    )

    @classmethod
    def of(cls, seen: SourceSeen) -> SourceOut:
        """Show a source as it was seen."""
        return cls(
            name=seen.name,
            last_received_at=seen.last_received_at,
            last_occurred_at=seen.last_occurred_at,
            events_per_hour_24h=seen.events_an_hour_of_day,
            events_per_hour_7d=seen.events_an_hour_of_week,
            rejected_share_7d=seen.rejected_share,
        )


class SourcesAnswer(BaseModel):
    """All sources."""

    sources: list[SourceOut] = Field(description="Ascending by name.")
