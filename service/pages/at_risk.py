"""The at-risk list: the first page of the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from models.charts import gain_curve
from service.deps import OpenDatabase, TheSettings
from service.explained import explain, stored_columns
from service.pages.links import customer_href, href
from service.pages.templating import render
from service.parameters import CursorText, FormBudget
from service.published_list import PublishedList, read_run
from service.run_aggregates import BudgetOutcome
from store.lists import ScoreRow, list_segment

__all__ = ["AtRiskPage", "AtRiskRow", "router"]

router = APIRouter()

_ROWS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class AtRiskRow:
    """One row of the list; `share` is its value at risk as a share of the first row's on this page."""

    position: int
    customer_id: str
    href: str
    value_at_risk: float | None
    share: float
    churn_probability: float | None
    clv: float | None
    days_since_last_purchase: int | None
    sentence: str | None


@dataclass(frozen=True, slots=True)
class AtRiskPage:
    """Context of `at_risk.html`.

    Attributes
    ----------
    customers, active : int
        At risk, and in all segments that are judged.
    value_at_risk, clv : float or None
        Of those at risk, in `currency`.
    as_of, timezone, model_version, currency
        Of the run.
    rule : str
        Who is in the list.
    budget : int or None
        Number of contacts asked about; the list then ends there.
    outcome : BudgetOutcome or None
        What they are expected to bring.
    save_rate, contact_cost : float
        By the policy.
    gain_chart : Markup
        Value at risk by number of contacts.
    rows : tuple of AtRiskRow
    next_href, first_href : str or None
        The page after, and the first one where this is not it.
    export_href : str
        The list as CSV.
    caveats : tuple of str
        What its forecasts have to be read with.
    """

    template: ClassVar[str] = "at_risk.html"
    section: ClassVar[str] = "at_risk"

    customers: int
    value_at_risk: float | None
    clv: float | None
    as_of: datetime | None
    timezone: str
    model_version: int | None
    currency: str
    rule: str
    budget: int | None
    outcome: BudgetOutcome | None
    save_rate: float
    contact_cost: float
    gain_chart: Markup
    rows: tuple[AtRiskRow, ...]
    next_href: str | None
    first_href: str | None
    export_href: str
    caveats: tuple[str, ...]

    @property
    def title(self) -> str:
        """Title of the page."""
        return "Customers at risk"


@router.get("/", response_class=HTMLResponse)
def show_at_risk(
    database: OpenDatabase, settings: TheSettings, budget: FormBudget = None, cursor: CursorText = None
) -> HTMLResponse:
    """Show the customers at risk, the most value at risk first."""
    with database.read() as session:
        page = list_segment(session, "at_risk", limit=_ROWS_A_PAGE, cursor=cursor, budget=budget)
        published = read_run(session, page.run)
    totals = published.aggregates.segments["at_risk"]
    return render(
        AtRiskPage(
            customers=totals.customers,
            value_at_risk=totals.value_at_risk,
            clv=totals.clv,
            as_of=page.run.as_of,
            timezone=settings.timezone,
            model_version=page.run.model_version,
            currency=published.aggregates.currency,
            rule=published.rules["at_risk"],
            budget=budget,
            outcome=None if budget is None else published.aggregates.outcome(budget, published.policy),
            save_rate=published.policy.save_rate,
            contact_cost=published.policy.contact_cost,
            gain_chart=_gain_chart(published, budget),
            rows=_rows(page.rows, published.aggregates.currency),
            next_href=page.next_cursor and href("/", budget=budget, cursor=page.next_cursor),
            first_href=cursor and href("/", budget=budget),
            export_href=href("/v1/at-risk", format="csv", budget=budget),
            caveats=published.aggregates.caveats,
        )
    )


def _rows(rows: Sequence[ScoreRow], currency: str) -> tuple[AtRiskRow, ...]:
    largest = max((row.score.value_at_risk or 0.0 for row in rows), default=0.0) or 1.0
    return tuple(
        AtRiskRow(
            position=row.position,
            customer_id=row.customer_id,
            href=customer_href(row.customer_id),
            value_at_risk=row.score.value_at_risk,
            share=(row.score.value_at_risk or 0.0) / largest,
            churn_probability=row.score.churn_probability,
            clv=row.score.clv,
            days_since_last_purchase=row.score.days_since_last_purchase,
            sentence=explain(stored_columns(row.score), currency).sentence,
        )
        for row in rows
    )


def _gain_chart(published: PublishedList, budget: int | None) -> Markup:
    values = published.aggregates.value_by_contacts()
    currency = published.aggregates.currency
    chart = gain_curve(
        values,
        title=f"Value at risk reached by number of contacts, in {currency}",
        description="The list is worked from the top: the first contacts reach the most value.",
        marked=None if budget is None else min(budget, len(values)),
    )
    # Made by our own code from numbers alone.
    return Markup(chart)  # noqa: S704
