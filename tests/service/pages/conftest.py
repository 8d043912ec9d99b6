"""Fixtures of the tests of pages: asking for one, and what it was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.pages import at_risk, campaigns, customer, drivers, models, propensities, segments
from service.pages.templating import render
from tests.service.conftest import Shop

Shown = Callable[..., tuple[Any, str]]


@pytest.fixture
def showing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Shop], Shown]:
    """Ask a shop for pages: `showing(shop)(path, **params)` returns the context of a page and its HTML."""
    contexts: list[Any] = []

    def spy(page: Any) -> Any:
        contexts.append(page)
        return render(page)

    for module in (at_risk, campaigns, customer, drivers, models, propensities, segments):
        monkeypatch.setattr(module, "render", spy)

    def of(shop: Shop) -> Shown:
        def ask(path: str, **params: Any) -> tuple[Any, str]:
            response = shop.client.get(path, params=params or None, headers={"accept": "text/html"})
            assert response.status_code == 200, response.text
            assert response.headers["content-type"] == "text/html; charset=utf-8"
            return contexts[-1], response.text

        return ask

    return of


@pytest.fixture
def shown(showing: Callable[[Shop], Shown], shop: Shop) -> Shown:
    """Ask the shop with purchases for a page."""
    return showing(shop)
