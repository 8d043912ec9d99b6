"""What else than leaving the model judges customers by: all targets, and the list of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from features.targets import Target
from service.deps import OpenDatabase, TheSettings
from service.modelled_targets import in_words
from service.pages.links import href, propensity_href
from service.pages.ranked import ROWS_A_PAGE, RankedRow, ranked_rows, titled
from service.pages.templating import render
from service.parameters import CursorText, TargetName
from service.published_list import PublishedList, list_of_propensity, read_page, read_published
from service.run_aggregates import TargetTotals

__all__ = ["PropensitiesPage", "PropensityPage", "PropensityRow", "router"]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class PropensityRow:
    """One target: its name, what has to come about, and its sums."""

    name: str
    target_title: str
    href: str
    asked: str
    totals: TargetTotals


@dataclass(frozen=True, slots=True)
class PropensitiesPage:
    """Context of `propensities.html`: every target but churn, and those that training refused with why."""

    template: ClassVar[str] = "propensities.html"
    section: ClassVar[str] = "propensities"

    rows: tuple[PropensityRow, ...]
    refused: tuple[tuple[str, str], ...]
    as_of: datetime | None
    timezone: str
    model_version: int | None

    @property
    def title(self) -> str:
        """Title of the page."""
        return "Propensities"


@dataclass(frozen=True, slots=True)
class PropensityPage:
    """Context of `propensity.html`.

    Attributes
    ----------
    target : PropensityRow
    rows : tuple of RankedRow
        A page of everybody judged, the highest propensity first.
    has_clv : bool
        Whether customers have a clv and a last purchase.
    as_of, timezone, model_version, currency
        Of the run.
    next_href, first_href : str or None
        The page after, and the first one where this is not it.
    export_href, drivers_href : str
        The list as CSV; what drives the model.
    caveats : tuple of str
        What its forecasts have to be read with.
    """

    template: ClassVar[str] = "propensity.html"
    section: ClassVar[str] = "propensities"

    target: PropensityRow
    rows: tuple[RankedRow, ...]
    has_clv: bool
    as_of: datetime | None
    timezone: str
    model_version: int | None
    currency: str
    next_href: str | None
    first_href: str | None
    export_href: str
    drivers_href: str
    caveats: tuple[str, ...]

    @property
    def title(self) -> str:
        """Title of the page."""
        return f"Propensity {self.target.target_title}"


@router.get("/propensities", response_class=HTMLResponse)
def show_propensities(database: OpenDatabase, settings: TheSettings) -> HTMLResponse:
    """Show every target but churn in sum."""
    with database.read() as session:
        published = read_published(session)
    return render(
        PropensitiesPage(
            rows=tuple(_row(target, published) for target in published.propensities.values()),
            refused=tuple((titled(name), why) for name, why in published.aggregates.refused.items()),
            as_of=published.run.as_of,
            timezone=settings.timezone,
            model_version=published.run.model_version,
        )
    )


@router.get("/propensities/{target}", response_class=HTMLResponse)
def show_propensity(
    target: TargetName, database: OpenDatabase, settings: TheSettings, cursor: CursorText = None
) -> HTMLResponse:
    """Show everybody whom the model of one target judges, the highest propensity first."""
    listing = list_of_propensity(target)
    with database.read() as session:
        page, published = read_page(session, listing, limit=ROWS_A_PAGE, cursor=cursor)
    here = propensity_href(target)
    return render(
        PropensityPage(
            target=_row(published.targets[target], published),
            rows=ranked_rows(page.rows, listing, published),
            has_clv=published.aggregates.has_clv,
            as_of=page.run.as_of,
            timezone=settings.timezone,
            model_version=page.run.model_version,
            currency=published.aggregates.currency,
            next_href=page.next_cursor and href(here, cursor=page.next_cursor),
            first_href=cursor and here,
            export_href=href(f"/v1{here}", format="csv"),
            drivers_href=href("/drivers", model=target),
            caveats=published.aggregates.caveats,
        )
    )


def _row(target: Target, published: PublishedList) -> PropensityRow:
    return PropensityRow(
        name=target.name,
        target_title=titled(target.name),
        href=propensity_href(target.name),
        asked=in_words(target),
        totals=published.aggregates.targets[target.name],
    )
