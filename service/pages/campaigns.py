"""The campaigns, and what one of them did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from features.calendar import LocalCalendar
from features.windows import Snapshot
from models.campaign_effect import ArmEffect, CampaignEffect, SaveRate
from models.charts import rates_chart
from service.deps import OpenDatabase, TheSettings
from service.pages.links import href
from service.pages.templating import render
from service.parameters import CampaignId
from service.segment_rules import TITLES
from store.campaigns import find_campaign, list_campaigns
from store.tables import Campaign
from store.tables.base import from_microseconds

__all__ = ["CampaignPage", "CampaignRow", "CampaignsPage", "router"]

router = APIRouter()

_ROWS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One campaign of the list; `difference` of the first arm, in words, or why there is none yet."""

    name: str
    href: str
    segment: str
    outcome: str
    assigned_at: datetime
    found: str
    adoption: str | None


@dataclass(frozen=True, slots=True)
class CampaignsPage:
    """Context of `campaigns.html`: the campaigns, the newest first."""

    template: ClassVar[str] = "campaigns.html"
    section: ClassVar[str] = "campaigns"

    rows: tuple[CampaignRow, ...]
    timezone: str
    next_href: str | None
    first_href: str | None

    @property
    def title(self) -> str:
        """Title of the page."""
        return "Campaigns"


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """Context of `campaign.html`: what one campaign did.

    Attributes
    ----------
    name, segment, outcome : str
        The last two in words.
    assigned_at : datetime
        From when outcomes count.
    first_at : datetime
        When the first windows end, of those assigned then.
    as_of : datetime or None
        The instant that the effect speaks of; None before it is counted.
    held_out : ArmEffect or None
        None before it is counted.
    arms : tuple of ArmEffect
        The others.
    save_rate : SaveRate or None
    adoption : str or None
        What became of that.
    chart : Markup or None
        Rates with their intervals; None while no window has passed.
    currency, timezone : str
    """

    template: ClassVar[str] = "campaign.html"
    section: ClassVar[str] = "campaigns"

    name: str
    segment: str
    outcome: str
    assigned_at: datetime
    first_at: datetime
    as_of: datetime | None
    held_out: ArmEffect | None
    arms: tuple[ArmEffect, ...]
    save_rate: SaveRate | None
    adoption: str | None
    chart: Markup | None
    currency: str
    timezone: str

    @property
    def title(self) -> str:
        """Title of the page."""
        return f"Campaign {self.name}"


@router.get("/campaigns", response_class=HTMLResponse)
def show_campaigns(
    database: OpenDatabase,
    settings: TheSettings,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> HTMLResponse:
    """Show the campaigns, the newest first."""
    with database.read() as session:
        found = list_campaigns(session, limit=_ROWS_A_PAGE + 1, before=before)
    shown = found[:_ROWS_A_PAGE]
    return render(
        CampaignsPage(
            rows=tuple(map(_row, shown)),
            timezone=settings.timezone,
            next_href=href("/campaigns", before=shown[-1].id) if len(found) > len(shown) else None,
            first_href="/campaigns" if before else None,
        )
    )


@router.get("/campaigns/{campaign_id}", response_class=HTMLResponse)
def show_campaign(campaign_id: CampaignId, database: OpenDatabase, settings: TheSettings) -> HTMLResponse:
    """Show what a campaign did."""
    with database.read() as session:
        campaign = find_campaign(session, campaign_id)
    effect = None if campaign.effect is None else CampaignEffect.from_dict(campaign.effect)
    calendar = LocalCalendar(settings.timezone)
    first_end = Snapshot.at(campaign.assigned_at, calendar).after(campaign.outcome_days, calendar).as_of
    return render(
        CampaignPage(
            name=campaign.name,
            segment=_segment(campaign),
            outcome=_outcome(campaign),
            assigned_at=campaign.assigned_at,
            first_at=from_microseconds(first_end),
            as_of=campaign.effect_as_of,
            held_out=None if effect is None else effect.held_out,
            arms=() if effect is None else effect.arms,
            save_rate=None if effect is None else effect.save_rate,
            adoption=None if campaign.adoption is None else campaign.adoption["why"],
            chart=None if effect is None else _chart(effect),
            currency=settings.currency,
            timezone=settings.timezone,
        )
    )


def _row(campaign: Campaign) -> CampaignRow:
    effect = None if campaign.effect is None else CampaignEffect.from_dict(campaign.effect)
    return CampaignRow(
        name=campaign.name,
        href=f"/campaigns/{campaign.id}",
        segment=_segment(campaign),
        outcome=_outcome(campaign),
        assigned_at=campaign.assigned_at,
        found="not counted yet" if effect is None else _found(effect),
        adoption=None if not campaign.is_adopted or campaign.adoption is None else campaign.adoption["why"],
    )


def _found(effect: CampaignEffect) -> str:
    told = [
        f"{arm.tally.arm}: {100 * arm.difference.estimate:+.2f} points ({100 * arm.difference.low:+.2f} to "
        f"{100 * arm.difference.high:+.2f})"
        for arm in effect.arms
        if arm.difference is not None
    ]
    return "; ".join(told) or f"the windows of {effect.open:,} customers are open"


def _segment(campaign: Campaign) -> str:
    return "Anybody" if campaign.segment is None else TITLES[campaign.segment]


def _outcome(campaign: Campaign) -> str:
    what = "a purchase" if campaign.outcome_event is None else campaign.outcome_event
    return f"{what} within {campaign.outcome_days:,} days"


def _chart(effect: CampaignEffect) -> Markup | None:
    arms = [(arm.tally, arm.rate) for arm in (*effect.arms, effect.held_out)]
    known = [(tally, rate) for tally, rate in arms if rate is not None]
    if not known:
        return None
    chart = rates_chart(
        [f"{tally.arm} ({tally.n:,})" for tally, _ in known],
        [rate.estimate for _, rate in known],
        [rate.low for _, rate in known],
        [rate.high for _, rate in known],
        title="For which share the outcome came about, by arm",
        description="Each line is where the true share lies in 95 cases of 100; the last one is held out.",
    )
    # Made by our own code, which escapes the names of arms.
    return Markup(chart)  # noqa: S704
