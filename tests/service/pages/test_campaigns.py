"""The pages of campaigns: the list, and what one of them did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.pages.campaigns import CampaignPage, CampaignsPage
from tests.service.campaigns import open_campaign
from tests.service.conftest import Shop
from tests.service.pages.conftest import Shown
from tests.service.shop import AS_OF


def test_without_campaigns_the_page_says_how_one_is_made(shown: Shown) -> None:
    page, html = shown("/campaigns")
    assert isinstance(page, CampaignsPage)
    assert page.rows == ()
    assert "regulars campaigns add" in html


def test_a_campaign_is_shown_as_the_api_tells_it_and_its_name_is_escaped(own_shop: Shop, showing: object) -> None:
    campaign_id = open_campaign(own_shop.database, own_shop.settings)
    ask: Shown = showing(own_shop)  # type: ignore[operator]
    told = own_shop.get(f"/v1/campaigns/{campaign_id}/effect")
    page, html = ask("/campaigns")
    (row,) = page.rows
    assert (row.segment, row.outcome) == ("At risk", "a purchase within 90 days")
    assert row.found.count("points") == 2
    assert "Autumn &lt;calls&gt;" in html
    assert "<calls>" not in html
    page, html = ask(row.href)
    assert isinstance(page, CampaignPage)
    assert [arm.tally.arm for arm in page.arms] == [arm["arm"] for arm in told["arms"]] == ["mail", "phone & mail"]
    assert page.held_out is not None
    assert page.held_out.tally.n == told["held_out"]["n"] == 130
    for arm in told["arms"]:
        assert f"{100 * arm['difference']['estimate']:+.2f}" in html
        assert f"{100 * arm['rate']['estimate']:.2f}%" in html
        assert arm["contacted_share"] == pytest.approx(0.5, abs=0.01)
    assert "phone &amp; mail" in html
    assert "mail (130): " in str(page.chart)
    assert page.adoption == told["adoption"]["why"]


def test_a_campaign_whose_windows_are_open_says_when_the_first_figures_come(own_shop: Shop, showing: object) -> None:
    campaign_id = open_campaign(own_shop.database, own_shop.settings, days_ago=10)
    ask: Shown = showing(own_shop)  # type: ignore[operator]
    page, html = ask(f"/campaigns/{campaign_id}")
    assert isinstance(page, CampaignPage)
    assert page.chart is None
    assert page.first_at == AS_OF + timedelta(days=80)
    assert "The first figures can come on" in html
    assert "130 still open" in html
