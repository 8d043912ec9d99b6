"""The pages in a real browser: nobody is shut out, the keyboard is enough, nothing is loaded from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright

from store.engine import Database
from store.settings import Settings
from tests.service.campaigns import open_campaign
from tests.service.conftest import Bundles
from tests.service.drivers import write_drivers
from tests.service.live import live
from tests.service.quality import compare_shop
from tests.service.shop import open_shop, settings_for

CHROMIUM = shutil.which("chromium")
# Nothing that a browser does of its own accord: it talks to the server of the test only.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What may differ in another scheme or on a narrow screen.
RULES_OF_LOOKS = ["color-contrast", "link-in-text-block", "region", "scrollable-region-focusable", "target-size"]
PAGES = [
    "/?budget=5",
    "/customer?customer_id=a%2Fb",
    "/customers/prospect",
    "/segments",
    "/segments/dormant",
    "/segments/upsell_ready",
    "/propensities",
    "/propensities/reorder",
    "/drivers",
    "/drivers?model=upsell&segment=at_risk",
    "/drivers?segment=dormant",
    "/campaigns",
    "/campaigns/1",
    "/models",
    "/models/1",
    "/quality",
    "/quality?model=reorder",
    "/customer?customer_id=nobody",
]
# Of a business without purchases.
LABEL_PAGES = [
    "/?budget=5",
    "/customers/t001",
    "/segments",
    "/segments/steady",
    "/propensities",
    "/propensities/visit",
    "/models/1",
    "/quality",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine (Debian: chromium)")


@pytest.fixture(scope="module")
def root(sqlite_template: Path, bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # What a page looks like does not depend on the database; one engine is enough here.
    path = tmp_path_factory.mktemp("browser") / "shop.db"
    shutil.copy(sqlite_template, path)
    settings = settings_for(f"sqlite:///{path}", bundles.directory)
    database = Database(settings.database_url)
    open_shop(database, settings, bundles.first)
    open_campaign(database, settings)
    compare_shop(database, settings)
    write_drivers(database, run_id=3)  # the one that is published then
    database.close()
    with live(settings) as address:
        yield address


@pytest.fixture(scope="module")
def label_root(label_shop_settings: Settings) -> Iterator[str]:
    with live(label_shop_settings) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, root: str) -> Iterator[Page]:
    """A page that notes what goes wrong, and every address outside that is asked for."""
    context = browser.new_context(base_url=root, accept_downloads=True)
    page = context.new_page()
    strange: list[str] = []

    def asked(request: Request) -> None:
        if _is_outside(request.url):
            strange.append(request.url)

    def failed(request: Request) -> None:
        # Held back by our content security policy before it left: ReDoc asks for a logo of its makers.
        if _is_outside(request.url) and "CSP" in str(request.failure).upper():
            strange.remove(request.url)

    page.on("request", asked)
    page.on("requestfailed", failed)
    page.on("pageerror", lambda error: strange.append(str(error)))
    yield page
    context.close()
    assert strange == []


def _is_outside(url: str) -> bool:
    return urlsplit(url).hostname not in ("127.0.0.1", None)


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_that_shuts_anybody_out_and_no_page_is_wider_than_its_screen(page: Page, path: str) -> None:
    _show(page, "light", 1280)
    page.goto(path)
    _find_nothing(page, RULES)
    _show(page, "dark", 360)
    _find_nothing(page, RULES_OF_LOOKS)


@pytest.mark.parametrize("path", LABEL_PAGES)
def test_the_same_holds_for_pages_of_a_business_without_purchases(page: Page, label_root: str, path: str) -> None:
    # The templates are those above, seen there wide and in light too.
    _show(page, "dark", 360)
    page.goto(f"{label_root}{path}")
    _find_nothing(page, RULES)


def _show(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})


def _find_nothing(page: Page, rules: Sequence[str]) -> None:
    found = Axe().run(page, options={"runOnly": list(rules)})
    assert found.violations_count == 0, found.generate_report()
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_is_enough_to_skip_to_find_a_customer_and_to_export(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"

    _tab_to(page, "a[download]")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "at-risk.csv"
    assert Path(download.value.path()).read_text().startswith("position,customer_id,")

    page.goto("/")
    _tab_to(page, "#find")
    page.keyboard.type("a/b")
    page.keyboard.press("Enter")
    page.wait_for_url("**/customer?customer_id=a%2Fb")
    assert page.locator("h1").inner_text() == "a/b"

    page.goto("/")
    _tab_to(page, "#budget")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?budget=3")
    assert page.locator("tbody tr", has_not_text="held out").count() == 3


def test_the_keyboard_is_enough_to_go_from_segment_to_segment_of_the_drivers(page: Page) -> None:
    page.goto("/drivers")
    _tab_to(page, "a[href*='segment=at_risk']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/drivers?model=churn&segment=at_risk")
    assert page.locator(".choices a[aria-current]").all_inner_texts() == ["Churn", "At risk"]


def test_what_has_the_focus_can_be_seen(page: Page) -> None:
    page.goto("/")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize(("path", "ready"), [("/docs", ".opblock"), ("/redoc", "h1")])
def test_the_documentation_of_the_api_works_without_the_internet(page: Page, path: str, ready: str) -> None:
    page.goto(path)
    page.locator(ready).first.wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator(ready).first.is_visible()


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} was not reached by 40 presses of the tab key")
