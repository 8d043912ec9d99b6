"""The at-risk list: the first page of the product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, cast

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from sqlalchemy.orm import Session

from features.targets import CHURN
from models.charts import gain_curve
from models.driver_report import DriverReport
from models.driver_words import title_of
from service.deps import OpenDatabase, TheScorer, TheSettings
from service.pages.links import href
from service.pages.ranked import ROWS_A_PAGE, RankedRow, ranked_rows
from service.pages.templating import render
from service.parameters import CursorText, FormBudget, FormReason, IncludeContacted
from service.published_list import PublishedList
from service.run_aggregates import BudgetOutcome, HeldOutTotals, RankedBy
from service.schemas.lists import LookedAt
from service.segment_rules import save_rate_in_words
from service.wanted import Wanted
from service.work_list import AT_RISK, WorkListing, read_work_page
from store import drivers

__all__ = ["AtRiskPage", "ReasonChoice", "router"]

router = APIRouter()

_REASONS_OFFERED = 30


@dataclass(frozen=True, slots=True)
class ReasonChoice:
    """A reason that may be asked for: as the list takes it, and in words."""

    reason: str
    title: str


@dataclass(frozen=True, slots=True)
class AtRiskPage:
    """Context of `at_risk.html`.

    Attributes
    ----------
    customers : int
        At risk.
    why_nobody : str or None
        Why nobody can be, for a model without churn.
    ranked_by : RankedBy
        What decides the order; "churn_probability" for a business without purchases, and so without clv.
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
    save_rate_source : str
        Whether the save rate is assumed or measured, and where.
    held_out : HeldOutTotals
        Of the whole list.
    held_out_share, recent_contact_days : float, int
        By the policy.
    reason : str or None
        What has to be among a customer's reasons for the customer to be shown.
    reasons : tuple of ReasonChoice
        What may be asked for: the features that are most often a reason here.
    looked_at : LookedAt or None
        How far this page has looked for customers with that reason.
    include_contacted : bool
        Whether those contacted of late are shown.
    contacted_href, everybody_href : str
        The same list with them, or without; and with any reason.
    gain_chart : Markup or None
        Value at risk by number of contacts; None without clv.
    rows : tuple of RankedRow
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
    why_nobody: str | None
    ranked_by: RankedBy
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
    save_rate_source: str
    held_out: HeldOutTotals
    held_out_share: float
    recent_contact_days: int
    reason: str | None
    reasons: tuple[ReasonChoice, ...]
    looked_at: LookedAt | None
    include_contacted: bool
    contacted_href: str
    everybody_href: str
    gain_chart: Markup | None
    rows: tuple[RankedRow, ...]
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
    database: OpenDatabase,
    settings: TheSettings,
    scorer: TheScorer,
    budget: FormBudget = None,
    reason: FormReason = None,
    include_contacted: IncludeContacted = False,
    cursor: CursorText = None,
) -> HTMLResponse:
    """Show the customers at risk, the most value at risk first."""
    wanted = Wanted(reasons=() if reason is None else (reason,))
    asked = WorkListing(as_of=scorer.as_of(), budget=budget, include_contacted=include_contacted, wanted=wanted)
    with database.read() as session:
        page, published, outcome = read_work_page(session, asked, limit=ROWS_A_PAGE, cursor=cursor)
        reasons = _reasons(session, published, reason)
    totals, policy = published.aggregates.segments[AT_RISK.name], published.policy
    with_contacted = "true" if include_contacted else None
    query = {"budget": budget, "reason": reason, "include_contacted": with_contacted}
    return render(
        AtRiskPage(
            customers=totals.customers,
            why_nobody=None if CHURN in published.targets else totals.why_empty,
            ranked_by=published.aggregates.ranked_by,
            value_at_risk=totals.value_at_risk,
            clv=totals.clv,
            as_of=page.run.as_of,
            timezone=settings.timezone,
            model_version=page.run.model_version,
            currency=published.aggregates.currency,
            rule=published.rules[AT_RISK.name],
            budget=budget,
            outcome=outcome,
            save_rate=policy.save_rate,
            contact_cost=policy.contact_cost,
            save_rate_source=save_rate_in_words(policy),
            held_out=published.aggregates.held_out,
            held_out_share=policy.held_out_share,
            recent_contact_days=policy.recent_contact_days,
            reason=reason,
            reasons=reasons,
            looked_at=LookedAt.of(page, totals.customers) if page.is_filtered else None,
            include_contacted=include_contacted,
            contacted_href=href("/", **{**query, "include_contacted": None if include_contacted else "true"}),
            everybody_href=href("/", **{**query, "reason": None}),
            gain_chart=_gain_chart(published, budget) if published.aggregates.has_clv else None,
            rows=ranked_rows(page.rows, AT_RISK, published),
            next_href=page.next_cursor and href("/", **query, cursor=page.next_cursor),
            first_href=cursor and href("/", **query),
            export_href=href("/v1/at-risk", format="csv", **query),
            caveats=published.aggregates.caveats,
        )
    )


def _reasons(session: Session, published: PublishedList, shown: str | None) -> tuple[ReasonChoice, ...]:
    """Return what may be asked for: features that speak for leaving, those first that are most customers' reason."""
    # Written by the run as `models.drivers` made it.
    report = cast(DriverReport | None, drivers.read(session, published.run.id, CHURN, AT_RISK.name))
    rows = [] if report is None else [row for row in report["features"] if row["among_strongest"] and row["towards"]]
    # Both counts are of either direction.
    rows.sort(key=lambda row: row["among_strongest"] * row["towards"], reverse=True)
    names = [row["feature"] for row in rows[:_REASONS_OFFERED]]
    found = [ReasonChoice(f"{name}:towards", title_of(name)) for name in names]
    if shown is not None and all(choice.reason != shown for choice in found):
        feature = shown.removesuffix(":against").removesuffix(":towards")
        ways = {f"{feature}:against": ", against leaving", feature: ", either way"}
        found.insert(0, ReasonChoice(shown, title_of(feature) + ways.get(shown, "")))
    return tuple(found)


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
