"""The page of drivers: its context, and that it shows it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest

from models.segments import SEGMENTS
from service.pages import drivers
from service.pages.drivers import DriversPage
from service.pages.templating import render
from tests.service.conftest import Shop
from tests.service.drivers import driver_reports, write_drivers

Shown = Callable[..., tuple[DriversPage, str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Ask for the page: `shown(shop, **params)` returns its context and its HTML."""
    contexts: list[DriversPage] = []

    def spy(page: DriversPage) -> Any:
        contexts.append(page)
        return render(page)

    monkeypatch.setattr(drivers, "render", spy)

    def ask(shop: Shop, **params: str) -> tuple[DriversPage, str]:
        response = shop.client.get("/drivers", params=params, headers={"accept": "text/html"})
        assert response.status_code == 200, response.text
        return contexts[-1], response.text

    return ask


def test_the_page_shows_groups_with_exact_sums_and_single_features_as_the_api_tells_them(
    shop: Shop, shown: Shown
) -> None:
    page, html = shown(shop, segment="at_risk")
    told = shop.get("/v1/drivers", segment="at_risk")
    assert [group.row for group in page.groups] == told["drivers"]
    assert [feature.words for feature in page.features] == [row["words"] for row in told["features"]]
    assert (page.groups[0].share, page.features[0].share) == (1.0, 1.0)
    assert page.mean_contribution == told["mean_contribution"]
    assert f"{page.mean_contribution:+.2f}".replace("-", "−") in html
    assert told["summary"] in html
    for feature in page.features:
        assert f">{feature.title}<" in html
        assert feature.words in html
    assert "speaks for leaving" in page.group_chart
    assert "↑" not in page.group_chart


def test_every_model_and_segment_is_a_link_and_the_one_shown_is_marked(shop: Shop, shown: Shown) -> None:
    page, html = shown(shop, model="reorder", segment="at_risk")
    assert [(choice.title, choice.href, choice.is_shown) for choice in page.targets] == [
        ("Churn", "/drivers?model=churn", False),
        ("Reorder", "/drivers?model=reorder", True),
    ]
    assert [choice.href for choice in page.segments] == [
        f"/drivers?model=reorder&segment={name}" for name in ("all", *SEGMENTS)
    ]
    assert [choice.title for choice in page.segments if choice.is_shown] == ["At risk"]
    assert page.title == "Drivers of reorder"
    assert html.count('aria-current="page"') == 3
    assert "speaks for it" in page.group_chart


def test_directions_categories_and_unused_features_are_shown_and_escaped(own_shop: Shop, shown: Shown) -> None:
    write_drivers(own_shop.database)
    page, html = shown(own_shop)
    assert [feature.row for feature in page.features] == driver_reports()["churn"]["all"]["features"]
    assert "Higher values speak for leaving, from 45 days on." in html
    assert "days since last purchase ↑" in page.feature_chart
    assert "frequency ↓" in page.feature_chart
    assert "1 feature of the model contributes to nobody here" in html
    assert "season sine" in html
    assert "&lt;b&gt;pro&lt;/b&gt;" in html
    assert "<b>pro</b>" not in html
    assert not re.search(r"<script|style=|\son\w+=", html)

    page, html = shown(own_shop, segment="dormant")
    assert (page.customers, page.groups, page.features) == (0, (), ())
    assert "Nobody here is judged by this model" in html
    assert "<table" not in html


def test_the_context_is_a_frozen_documented_dataclass() -> None:
    assert dataclasses.is_dataclass(DriversPage)
    assert DriversPage.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert f"`{DriversPage.template}`" in str(DriversPage.__doc__)
