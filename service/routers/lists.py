"""Segments and propensities of the published run, and the lists of their customers as JSON or CSV."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from service.access import needs
from service.deps import OpenDatabase
from service.media_types import preferred
from service.openapi import PROBLEMS, problems
from service.parameters import AcceptHeader, Budget, CursorText, Format, Limit, SegmentName, TargetName
from service.published_list import (
    Listing,
    PublishedList,
    list_of_propensity,
    list_of_segment,
    read_page,
    read_published,
    read_whole_list,
)
from service.schemas.lists import AtRiskList, BudgetOut, CustomerList, SegmentsAnswer
from service.schemas.propensities import PropensitiesAnswer, PropensityList, target_fields
from service.segment_csv import csv_text
from store.engine import Database
from store.lists import Page

__all__ = ["router"]

router = APIRouter(
    tags=["segments"], prefix="/v1", dependencies=[needs("scores:read")], responses=PROBLEMS | problems(409)
)

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
    listing = list_of_segment(name)
    if _wants_csv(format, accept):
        return _csv(request, database, listing, limit=limit, cursor=cursor)
    page, published = _page(database, listing, limit=limit, cursor=cursor)
    _link_next(response, request, page)
    return CustomerList.of(listing, page, published, **_segment_fields(listing, published))


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
    """List the customers at risk by value at risk, the most first, and tell what a number of contacts may save.

    Without purchases there is no clv: the list is then by churn probability, and says so.
    """
    listing = list_of_segment("at_risk")
    if _wants_csv(format, accept):
        return _csv(request, database, listing, limit=limit, cursor=cursor, budget=budget)
    page, published = _page(database, listing, limit=limit, cursor=cursor, budget=budget)
    _link_next(response, request, page)
    outcome = None if budget is None else published.aggregates.outcome(budget, published.policy)
    return AtRiskList.of(
        listing,
        page,
        published,
        **_segment_fields(listing, published),
        value_at_risk=published.aggregates.segments[listing.name].value_at_risk,
        budget=None if outcome is None else BudgetOut.of(outcome, published),
    )


@router.get("/propensities")
def read_propensities(database: OpenDatabase) -> PropensitiesAnswer:
    """Tell what else than leaving the model of the published run judges customers by."""
    with database.read() as session:
        return PropensitiesAnswer.of(read_published(session))


@router.get("/propensities/{target}", response_model=PropensityList, responses=problems(400, 404) | _AS_CSV)
def read_propensity(
    request: Request,
    response: Response,
    target: TargetName,
    database: OpenDatabase,
    limit: Limit = None,
    cursor: CursorText = None,
    format: Format = None,  # noqa: A002  # the name of the parameter
    accept: AcceptHeader = None,
) -> Response | PropensityList:
    """List everybody whom the model of a target judges, the highest propensity first."""
    listing = list_of_propensity(target)
    if _wants_csv(format, accept):
        return _csv(request, database, listing, limit=limit, cursor=cursor)
    page, published = _page(database, listing, limit=limit, cursor=cursor)
    _link_next(response, request, page)
    of_target = target_fields(published.targets[target], published)
    return PropensityList.of(listing, page, published, **of_target, ranked_by=published.ranked_by(listing))


def _wants_csv(format: str | None, accept: str | None) -> bool:  # noqa: A002  # as the parameter
    if format is not None:
        return format == "csv"
    return preferred(accept, ("application/json", _CSV)) == _CSV


def _page(
    database: Database, listing: Listing, *, limit: int | None, cursor: str | None, budget: int | None = None
) -> tuple[Page, PublishedList]:
    with database.read() as session:
        return read_page(session, listing, limit=limit or _DEFAULT_LIMIT, cursor=cursor, budget=budget)


def _segment_fields(listing: Listing, published: PublishedList) -> dict[str, Any]:
    return {
        "segment": listing.name,
        "customers": published.aggregates.segments[listing.name].customers,
        "ranked_by": published.ranked_by(listing),
    }


def _csv(
    request: Request,
    database: Database,
    listing: Listing,
    *,
    limit: int | None,
    cursor: str | None,
    budget: int | None = None,
) -> Response:
    """Answer with the whole list as a stream, or with one page of it."""
    name = f"{listing.name.replace('_', '-')}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if limit is None and cursor is None:
        rows, published = read_whole_list(database, listing, budget=budget)
        return StreamingResponse(csv_text(rows, listing, published), media_type=_CSV, headers=headers)
    page, published = _page(database, listing, limit=limit, cursor=cursor, budget=budget)
    response = Response("".join(csv_text(page.rows, listing, published)), media_type=_CSV, headers=headers)
    _link_next(response, request, page)
    return response


def _link_next(response: Response, request: Request, page: Page) -> None:
    if page.next_cursor is not None:
        following = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
