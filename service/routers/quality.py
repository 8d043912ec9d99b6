"""Whether scores came true, and how far customers have moved since training."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from service.access import needs
from service.deps import Now, OpenDatabase, TheSettings
from service.openapi import PROBLEMS
from service.parameters import BeforeRun
from service.run_quality import read_quality
from service.schemas.quality import QualityAnswer

__all__ = ["router"]

router = APIRouter(tags=["models"], prefix="/v1/quality", dependencies=[needs("scores:read")], responses=PROBLEMS)

_RUNS = 20

RunsAPage = Annotated[int, Query(ge=1, le=100, description="Runs an answer, 1 to 100; 20 without it.")]


@router.get("")
def read_quality_of_runs(
    database: OpenDatabase, settings: TheSettings, now: Now, before: BeforeRun = None, limit: RunsAPage = _RUNS
) -> QualityAnswer:
    """Tell whether what runs said came true, and how far their customers had moved since training; newest first."""
    with database.read() as session:
        found = read_quality(session, timezone=settings.timezone, now=settings.as_of or now, before=before, limit=limit)
        return QualityAnswer.of(found)
