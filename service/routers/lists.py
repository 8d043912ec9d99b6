"""Segments of the published run, and the lists of their customers as JSON or CSV."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from models.segments import SEGMENTS
from service.deps import OpenDatabase
from service.media_types import preferred
from service.openapi import PROBLEMS, problems
from service.parameters import AcceptHeader, Budget, CursorText, Format, Limit, SegmentName
from service.published_list import PublishedList, read_published, read_run, read_whole_list, require_segment
from service.schemas.lists import AtRiskList, BudgetOut, CustomerList, ListedCustomer, SegmentsAnswer, run_fields
from service.segment_csv import csv_text
from store.engine import Database
from store.lists import Page, list_segment

__all__ = ["router"]

router = APIRouter(tags=["segments"], prefix="/v1", responses=PROBLEMS | problems(409))

_CSV = "text/csv"
_DEFAULT_LIMIT = 50
_AS_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {_CSV: {"schema": {"type": "string"}}},
        "headers": {"Link": {"description": "The next page, if there is one.", "schema": {"type": "string"}}},
    }
}


@router.get("/segments")
def read_segments(database: OpenDatabase) -> SegmentsAnswer:
    """Tell what each segment of the published run holds in sum, and by which rule."""
    with database.read() as session:
        return SegmentsAnswer.of(read_published(session))


@router.get("/segments/{name}/customers", response_model=CustomerList, responses=problems(400, 404) | _AS_CSV)
def read_segment(
    request: Request,
    response: Response,
    name: SegmentName,
    database: OpenDatabase,
    limit: Limit = None,
    cursor: CursorText = None,
    format: Format = None,  # noqa: A002  # the name of the parameter
    accept: AcceptHeader = None,
) -> Response | CustomerList:
    """List a segment's customers by value at risk, the most first; those without one by clv."""
    segment = require_segment(name, SEGMENTS)
    if _wants_csv(format, accept):
        return _csv(request, database, segment, limit=limit, cursor=cursor, budget=None)
    page, published = _page(database, segment, limit=limit, cursor=cursor, budget=None)
    _link_next(response, request, page)
    return CustomerList(**_list_fields(segment, page, published))


@router.get("/at-risk", response_model=AtRiskList, responses=problems(400) | _AS_CSV)
def read_at_risk(
    request: Request,
    response: Response,
    database: OpenDatabase,
    limit: Limit = None,
    cursor: CursorText = None,
    budget: Budget = None,
    format: Format = None,  # noqa: A002  # the name of the parameter
    accept: AcceptHeader = None,
) -> Response | AtRiskList:
    """List the customers at risk by value at risk, the most first, and tell what a number of contacts may save."""
    if _wants_csv(format, accept):
        return _csv(request, database, "at_risk", limit=limit, cursor=cursor, budget=budget)
    page, published = _page(database, "at_risk", limit=limit, cursor=cursor, budget=budget)
    _link_next(response, request, page)
    outcome = None if budget is None else published.aggregates.outcome(budget, published.policy)
    return AtRiskList(
        **_list_fields("at_risk", page, published),
        value_at_risk=published.aggregates.segments["at_risk"].value_at_risk,
        budget=None if outcome is None else BudgetOut.of(outcome, published),
    )


def _wants_csv(format: str | None, accept: str | None) -> bool:  # noqa: A002  # as the parameter
    if format is not None:
        return format == "csv"
    return preferred(accept, ("application/json", _CSV)) == _CSV


def _page(
    database: Database, segment: str, *, limit: int | None, cursor: str | None, budget: int | None
) -> tuple[Page, PublishedList]:
    with database.read() as session:
        page = list_segment(session, segment, limit=limit or _DEFAULT_LIMIT, cursor=cursor, budget=budget)
        return page, read_run(session, page.run)


def _list_fields(segment: str, page: Page, published: PublishedList) -> dict[str, Any]:
    currency = published.aggregates.currency
    return {
        **run_fields(published),
        "segment": segment,
        "customers": published.aggregates.segments[segment].customers,
        "rows": [ListedCustomer.of(row, currency) for row in page.rows],
        "next_cursor": page.next_cursor,
    }


def _csv(
    request: Request, database: Database, segment: str, *, limit: int | None, cursor: str | None, budget: int | None
) -> Response:
    """Answer with the whole list as a stream, or with one page of it."""
    name = f"{segment.replace('_', '-')}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if limit is None and cursor is None:
        rows, published = read_whole_list(database, segment, budget=budget)
        return StreamingResponse(csv_text(rows, published), media_type=_CSV, headers=headers)
    page, published = _page(database, segment, limit=limit, cursor=cursor, budget=budget)
    response = Response("".join(csv_text(page.rows, published)), media_type=_CSV, headers=headers)
    _link_next(response, request, page)
    return response


def _link_next(response: Response, request: Request, page: Page) -> None:
    if page.next_cursor is not None:
        following = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
