"""Segments and propensities of the published run, and the lists of their customers as JSON, CSV or NDJSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from service.access import needs
from service.deps import OpenDatabase, TheScorer
from service.list_answers import DEFAULT_LIMIT, LINE_BY_LINE, asked_for, in_lines, link_next, work_in_lines
from service.openapi import PROBLEMS, problems
from service.parameters import (
    AcceptHeader,
    Budget,
    CursorText,
    Format,
    IncludeContacted,
    Limit,
    SegmentName,
    TargetName,
)
from service.published_list import (
    Listing,
    PublishedList,
    list_of_customers,
    list_of_propensity,
    read_page,
    read_published,
)
from service.schemas.lists import AtRiskList, BudgetOut, CustomerList
from service.schemas.propensities import PropensitiesAnswer, PropensityList, target_fields
from service.schemas.segments import SegmentsAnswer
from service.wanted import Wanted, WantedRows
from service.work_list import AT_RISK, WorkListing, read_work_page
from store.engine import Database
from store.lists import Page

__all__ = ["router"]

router = APIRouter(
    tags=["segments"], prefix="/v1", dependencies=[needs("scores:read")], responses=PROBLEMS | problems(409)
)


@router.get("/segments")
def read_segments(database: OpenDatabase) -> SegmentsAnswer:
    """Tell what each segment of the published run holds in sum, and by which rule."""
    with database.read() as session:
        return SegmentsAnswer.of(read_published(session))


@router.get("/segments/{name}/customers", response_model=CustomerList, responses=problems(400, 404) | LINE_BY_LINE)
def read_segment(
    request: Request,
    response: Response,
    name: SegmentName,
    database: OpenDatabase,
    wanted: WantedRows,
    limit: Limit = None,
    cursor: CursorText = None,
    format: Format = None,  # noqa: A002  # the name of the parameter
    accept: AcceptHeader = None,
) -> Response | CustomerList:
    """List a segment's customers by value at risk, the most first; those without one by clv. `all` is everybody."""
    listing = list_of_customers(name)
    if (as_format := asked_for(format, accept)) != "json":
        return in_lines(request, database, listing, as_format, limit=limit, cursor=cursor, wanted=wanted)
    page, published = _page(database, listing, limit=limit, cursor=cursor, wanted=wanted)
    link_next(response, request, page)
    return CustomerList.of(listing, page, published, **_segment_fields(listing, published))


@router.get("/at-risk", response_model=AtRiskList, responses=problems(400) | LINE_BY_LINE)
def read_at_risk(
    request: Request,
    response: Response,
    database: OpenDatabase,
    scorer: TheScorer,
    wanted: WantedRows,
    limit: Limit = None,
    cursor: CursorText = None,
    budget: Budget = None,
    include_contacted: IncludeContacted = False,
    format: Format = None,  # noqa: A002  # the name of the parameter
    accept: AcceptHeader = None,
) -> Response | AtRiskList:
    """List the customers at risk by value at risk, the most first, and tell what a number of contacts may save.

    A random share is held out, which `held_out` tells; whoever was contacted of late is passed over. Without purchases
    there is no clv: the list is then by churn probability, and says so.
    """
    asked = WorkListing(as_of=scorer.as_of(), budget=budget, include_contacted=include_contacted, wanted=wanted)
    if (as_format := asked_for(format, accept)) != "json":
        return work_in_lines(request, database, asked, as_format, limit=limit, cursor=cursor)
    with database.read() as session:
        page, published, outcome = read_work_page(session, asked, limit=limit or DEFAULT_LIMIT, cursor=cursor)
    link_next(response, request, page)
    aggregates = published.aggregates
    return AtRiskList.of(
        AT_RISK,
        page,
        published,
        **_segment_fields(AT_RISK, published),
        value_at_risk=aggregates.segments[AT_RISK.name].value_at_risk,
        held_out_customers=aggregates.held_out.customers,
        held_out_value_at_risk=aggregates.held_out.value_at_risk,
        held_out_share=published.policy.held_out_share,
        recent_contact_days=published.policy.recent_contact_days,
        budget=None if outcome is None else BudgetOut.of(outcome, published),
    )


@router.get("/propensities")
def read_propensities(database: OpenDatabase) -> PropensitiesAnswer:
    """Tell what else than leaving the model of the published run judges customers by."""
    with database.read() as session:
        return PropensitiesAnswer.of(read_published(session))


@router.get("/propensities/{target}", response_model=PropensityList, responses=problems(400, 404) | LINE_BY_LINE)
def read_propensity(
    request: Request,
    response: Response,
    target: TargetName,
    database: OpenDatabase,
    wanted: WantedRows,
    limit: Limit = None,
    cursor: CursorText = None,
    format: Format = None,  # noqa: A002  # the name of the parameter
    accept: AcceptHeader = None,
) -> Response | PropensityList:
    """List everybody whom the model of a target judges, the highest propensity first."""
    listing = list_of_propensity(target)
    if (as_format := asked_for(format, accept)) != "json":
        return in_lines(request, database, listing, as_format, limit=limit, cursor=cursor, wanted=wanted)
    page, published = _page(database, listing, limit=limit, cursor=cursor, wanted=wanted)
    link_next(response, request, page)
    of_target = target_fields(published.targets[target], published)
    return PropensityList.of(listing, page, published, **of_target, ranked_by=published.ranked_by(listing))


def _page(
    database: Database, listing: Listing, *, limit: int | None, cursor: str | None, wanted: Wanted
) -> tuple[Page, PublishedList]:
    with database.read() as session:
        return read_page(session, listing, limit=limit or DEFAULT_LIMIT, cursor=cursor, wanted=wanted.of)


def _segment_fields(listing: Listing, published: PublishedList) -> dict[str, Any]:
    return {
        "segment": listing.name,
        "customers": published.customers(listing),
        "ranked_by": published.ranked_by(listing),
    }
