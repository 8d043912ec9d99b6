"""Where events come from, and whether they still do."""

from __future__ import annotations

from fastapi import APIRouter

from service.access import needs
from service.deps import Now, OpenDatabase
from service.openapi import PROBLEMS
from service.schemas.sources import SourceOut, SourcesAnswer
from store.sources import read_sources

__all__ = ["router"]

router = APIRouter(tags=["events"], prefix="/v1/sources", dependencies=[needs("scores:read")], responses=PROBLEMS)


@router.get("")
def read_all_sources(database: OpenDatabase, now: Now) -> SourcesAnswer:
    """Tell of each source when its last event came, how many come an hour, and what share can't be taken."""
    with database.read() as session:
        return SourcesAnswer(sources=[SourceOut.of(seen) for seen in read_sources(session, now=now)])
