"""All segments of the published run, and the customers of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from service.deps import OpenDatabase, TheSettings
from service.explained import Explanation
from service.pages.links import customer_href, href, propensity_href
from service.pages.moves import MovesTable
from service.pages.ranked import ROWS_A_PAGE, titled
from service.pages.templating import render
from service.parameters import CursorText, SegmentName
from service.published_list import PublishedList, list_of_segment, read_page, read_published
from service.run_aggregates import RankedBy, SegmentTotals
from service.segment_rules import TITLES, save_rate_in_words
from store.lists import ScoreRow

__all__ = ["PropensityLink", "SegmentPage", "SegmentRow", "SegmentsPage", "SegmentsRow", "router"]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class PropensityLink:
    """The list of a target that is not churn."""

    target_title: str
    href: str


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
    """Context of `segments.html`: every segment, in the order of the policy, and the sums over all customers.

    Without clv (`has_clv`) there are no amounts; `propensities` lead to the lists of the other targets; `save_rate`
    says what the policy counts with, and where that is from. `moves` is None for the first run.
    """

    template: ClassVar[str] = "segments.html"
    section: ClassVar[str] = "segments"

    rows: tuple[SegmentsRow, ...]
    total: SegmentTotals
    has_clv: bool
    moves: MovesTable | None
    propensities: tuple[PropensityLink, ...]
    currency: str
    as_of: datetime | None
    timezone: str
    model_version: int | None
    policy_version: int | None
    save_rate: str

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
    propensities: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SegmentPage:
    """Context of `segment.html`: one segment's rule, sums and a page of its customers.

    Each row has one number for each of `propensities`, the targets that are not churn.
    """

    template: ClassVar[str] = "segment.html"
    section: ClassVar[str] = "segments"

    segment_title: str
    rule: str
    totals: SegmentTotals
    rows: tuple[SegmentRow, ...]
    ranked_by: RankedBy
    propensities: tuple[PropensityLink, ...]
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
            has_clv=aggregates.has_clv,
            moves=None if aggregates.transitions is None else MovesTable.of(aggregates.transitions),
            propensities=_links(published),
            currency=aggregates.currency,
            as_of=published.run.as_of,
            timezone=settings.timezone,
            model_version=published.run.model_version,
            policy_version=published.run.policy_version,
            save_rate=save_rate_in_words(published.policy),
        )
    )


@router.get("/segments/{name}", response_class=HTMLResponse)
def show_segment(
    name: SegmentName, database: OpenDatabase, settings: TheSettings, cursor: CursorText = None
) -> HTMLResponse:
    """Show the customers of one segment."""
    listing = list_of_segment(name)
    with database.read() as session:
        page, published = read_page(session, listing, limit=ROWS_A_PAGE, cursor=cursor)
    here = f"/segments/{listing.name}"
    return render(
        SegmentPage(
            segment_title=TITLES[listing.name],
            rule=published.rules[listing.name],
            totals=published.aggregates.segments[listing.name],
            rows=tuple(_row(row, published) for row in page.rows),
            ranked_by=published.aggregates.ranked_by,
            propensities=_links(published),
            currency=published.aggregates.currency,
            as_of=page.run.as_of,
            timezone=settings.timezone,
            model_version=page.run.model_version,
            next_href=page.next_cursor and href(here, cursor=page.next_cursor),
            first_href=cursor and here,
            export_href=href(f"/v1/segments/{listing.name}/customers", format="csv"),
        )
    )


def _links(published: PublishedList) -> tuple[PropensityLink, ...]:
    return tuple(PropensityLink(titled(name), propensity_href(name)) for name in published.propensities)


def _row(row: ScoreRow, published: PublishedList) -> SegmentRow:
    score = row.score
    return SegmentRow(
        position=row.position,
        customer_id=row.customer_id,
        href=customer_href(row.customer_id),
        value_at_risk=score.value_at_risk,
        churn_probability=score.churn_probability,
        clv=score.clv,
        expected_purchases=score.expected_purchases,
        days_since_last_purchase=score.days_since_last_purchase,
        propensities=tuple(map(_probability, published.explained(score).propensities.values())),
    )


def _probability(told: Explanation | None) -> float | None:
    return None if told is None else told.probability
