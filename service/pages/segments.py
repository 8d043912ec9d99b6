"""All segments of the published run, and the customers of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from models.segments import SEGMENTS
from service.deps import OpenDatabase, TheSettings
from service.pages.links import customer_href, href
from service.pages.templating import render
from service.parameters import CursorText, SegmentName
from service.published_list import read_published, read_run, require_segment
from service.run_aggregates import SegmentTotals
from service.segment_rules import TITLES
from store.lists import list_segment

__all__ = ["SegmentPage", "SegmentRow", "SegmentsPage", "SegmentsRow", "router"]

router = APIRouter()

_ROWS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class SegmentsRow:
    """One segment in sum; `share` is its part of all customers."""

    name: str
    segment_title: str
    href: str
    totals: SegmentTotals
    share: float
    rule: str


@dataclass(frozen=True, slots=True)
class SegmentsPage:
    """Context of `segments.html`: every segment, in the order of the policy, and the sums over all customers."""

    template: ClassVar[str] = "segments.html"
    section: ClassVar[str] = "segments"

    rows: tuple[SegmentsRow, ...]
    total: SegmentTotals
    currency: str
    as_of: datetime | None
    timezone: str
    model_version: int | None
    policy_version: int | None

    @property
    def title(self) -> str:
        """Title of the page."""
        return "Segments"


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One customer of a segment."""

    position: int
    customer_id: str
    href: str
    value_at_risk: float | None
    churn_probability: float | None
    clv: float | None
    expected_purchases: float | None
    days_since_last_purchase: int | None


@dataclass(frozen=True, slots=True)
class SegmentPage:
    """Context of `segment.html`: one segment's rule, sums and a page of its customers."""

    template: ClassVar[str] = "segment.html"
    section: ClassVar[str] = "segments"

    segment_title: str
    rule: str
    totals: SegmentTotals
    rows: tuple[SegmentRow, ...]
    currency: str
    as_of: datetime | None
    timezone: str
    model_version: int | None
    next_href: str | None
    first_href: str | None
    export_href: str

    @property
    def title(self) -> str:
        """Title of the page."""
        return f"Segment {self.segment_title}"


@router.get("/segments", response_class=HTMLResponse)
def show_segments(database: OpenDatabase, settings: TheSettings) -> HTMLResponse:
    """Show every segment in sum."""
    with database.read() as session:
        published = read_published(session)
    aggregates = published.aggregates
    everybody = aggregates.total.customers or 1
    return render(
        SegmentsPage(
            rows=tuple(
                SegmentsRow(
                    name=name,
                    segment_title=TITLES[name],
                    href=f"/segments/{name}",
                    totals=aggregates.segments[name],
                    share=aggregates.segments[name].customers / everybody,
                    rule=rule,
                )
                for name, rule in published.rules.items()
            ),
            total=aggregates.total,
            currency=aggregates.currency,
            as_of=published.run.as_of,
            timezone=settings.timezone,
            model_version=published.run.model_version,
            policy_version=published.run.policy_version,
        )
    )


@router.get("/segments/{name}", response_class=HTMLResponse)
def show_segment(
    name: SegmentName, database: OpenDatabase, settings: TheSettings, cursor: CursorText = None
) -> HTMLResponse:
    """Show the customers of one segment."""
    segment = require_segment(name, SEGMENTS)
    with database.read() as session:
        page = list_segment(session, segment, limit=_ROWS_A_PAGE, cursor=cursor)
        published = read_run(session, page.run)
    here = f"/segments/{segment}"
    return render(
        SegmentPage(
            segment_title=TITLES[segment],
            rule=published.rules[segment],
            totals=published.aggregates.segments[segment],
            rows=tuple(
                SegmentRow(
                    position=row.position,
                    customer_id=row.customer_id,
                    href=customer_href(row.customer_id),
                    value_at_risk=row.score.value_at_risk,
                    churn_probability=row.score.churn_probability,
                    clv=row.score.clv,
                    expected_purchases=row.score.expected_purchases,
                    days_since_last_purchase=row.score.days_since_last_purchase,
                )
                for row in page.rows
            ),
            currency=published.aggregates.currency,
            as_of=page.run.as_of,
            timezone=settings.timezone,
            model_version=page.run.model_version,
            next_href=page.next_cursor and href(here, cursor=page.next_cursor),
            first_href=cursor and here,
            export_href=href(f"/v1/segments/{segment}/customers", format="csv"),
        )
    )
